"""The activations of a float file on calibration images: values, ranges and histograms."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from android_bench.worker import open_interpreter
from convert.tflite import flatbuffer

BINS = 2048


@dataclass(frozen=True)
class TensorStatistics:
    """Values of one activation over all images.

    Attributes:
        histogram: counts in `BINS` equal bins from min(low, 0) to max(high, 0).
        low: smallest value.
        high: largest value.
        channel_low: smallest value of each channel (last axis).
        channel_high: largest value of each channel.
        channel_mean: mean of each channel.
    """

    histogram: np.ndarray = field(repr=False)
    low: float
    high: float
    channel_low: np.ndarray = field(repr=False)
    channel_high: np.ndarray = field(repr=False)
    channel_mean: np.ndarray = field(repr=False)


def activations(content: bytes, images: np.ndarray) -> Iterator[dict[int, np.ndarray]]:
    """Yield, image by image, the value of each op's first output by tensor index.

    Runs without delegates, whose inside cannot be read.

    Args:
        content: a TFLite flatbuffer with float input and batch 1.
        images: float32 (count, height, width, channels).
    """
    interpreter = open_interpreter(content, use_xnnpack=False, preserve_all_tensors=True)
    source = interpreter.get_input_details()[0]["index"]
    wanted = [source, *op_outputs(content)]
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        yield {index: interpreter.get_tensor(index) for index in wanted}


def op_outputs(content: bytes) -> list[int]:
    """Return the tensor index of each op's first output, in the order of the graph."""
    graph = flatbuffer.read(content).subgraphs[0]
    return [int(op.outputs[0]) for op in graph.operators]


def collect(
    content: bytes, images: np.ndarray, limits: dict[int, tuple[float, float]]
) -> dict[int, TensorStatistics]:
    """Run the images once and describe every activation.

    Args:
        content: a float32 TFLite flatbuffer with batch 1.
        images: float32 (count, height, width, channels).
        limits: tensor index -> (low, high) of its values, which set the histogram's bins.

    Returns:
        tensor index -> statistics.
    """
    accumulators: dict[int, _Accumulator] = {}
    for values in activations(content, images):
        for index, value in values.items():
            if index not in accumulators:
                low, high = limits.get(index, (float(value.min()), float(value.max())))
                accumulators[index] = _Accumulator(min(low, 0.0), max(high, 0.0))
            accumulators[index].add(value)
    return {index: accumulator.result() for index, accumulator in accumulators.items()}


class _Accumulator:
    def __init__(self, low: float, high: float) -> None:
        self._origin, self._width = low, max(high - low, 1e-30)
        self._histogram = np.zeros(BINS, np.int64)
        self._low: np.ndarray | None = None
        self._high: np.ndarray | None = None
        self._sum: np.ndarray | None = None
        self._count = 0

    def add(self, value: np.ndarray) -> None:
        bins = ((value.ravel() - self._origin) * (BINS / self._width)).astype(np.int64)
        self._histogram += np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)
        channels = value.reshape(-1, value.shape[-1])
        low, high, total = channels.min(0), channels.max(0), channels.sum(0, dtype=np.float64)
        if self._count:
            low, high = np.minimum(low, self._low), np.maximum(high, self._high)
            total = total + self._sum
        self._low, self._high, self._sum = low, high, total
        self._count += len(channels)

    def result(self) -> TensorStatistics:
        return TensorStatistics(
            histogram=self._histogram,
            low=float(self._low.min()),
            high=float(self._high.max()),
            channel_low=self._low,
            channel_high=self._high,
            channel_mean=self._sum / self._count,
        )
