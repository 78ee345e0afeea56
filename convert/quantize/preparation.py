"""A float file prepared for the int8 quantizer: its weights, biases and ranges are chosen here."""

from functools import cached_property

import numpy as np

from convert.options import QuantizationOptions
from convert.quantize.activations import TensorStatistics, collect
from convert.quantize.bias_correction import correct_bias
from convert.quantize.equalization import equalize
from convert.quantize.ranges import choose_range
from convert.quantize.rounding import round_weights
from convert.quantize.weighted_ops import restore_weights
from convert.source.calibration import tflite_generator
from convert.tflite import flatbuffer

STATISTICS_IMAGES = 300
"""Images whose activations are looked at one by one; all images give the smallest and largest
values."""

Limits = dict[int, tuple[float, float]]


class Preparation:
    """One float file and its calibration images, prepared for the int8 quantizer in any way.

    Work that several options share is done once.
    """

    def __init__(self, content: bytes, images: np.ndarray) -> None:
        """Take the images; nothing is computed yet.

        Args:
            content: a float32 flatbuffer with batch 1.
            images: float32 (count, height, width, channels).
        """
        self._images = images
        self._plain = _Measured(content, images)

    def __call__(self, options: QuantizationOptions) -> bytes:
        """Return the float flatbuffer with each activation's range stored.

        The options that change weights or biases have been applied to it.
        """
        measured = self._equalized if options.equalize else self._plain
        content = measured.ranged
        if options.round_weights:
            content = restore_weights(measured.rounded, content, options.keep_float)
        elif options.correct_bias:
            content = restore_weights(measured.corrected, content, options.keep_float)
        if options.ranges == "minmax":
            return content
        limits = {
            index: choose_range(
                measured.statistics[index].histogram, *limit, options.ranges, options.percentile
            )
            for index, limit in limits_of(content).items()
            if index in measured.statistics
        }
        return _store_limits(content, limits)

    @cached_property
    def _equalized(self) -> "_Measured":
        plain = self._plain
        return _Measured(equalize(plain.content, plain.statistics), self._images)


class _Measured:
    """A float file and what the calibration images tell of it, computed on first use."""

    def __init__(self, content: bytes, images: np.ndarray) -> None:
        self.content = content
        self._images = images

    @cached_property
    def ranged(self) -> bytes:
        """The file with the smallest and largest value of each activation."""
        from tensorflow.lite.python.optimize.calibrator import Calibrator

        return Calibrator(self.content).calibrate(tflite_generator(self._images))

    @cached_property
    def statistics(self) -> dict[int, TensorStatistics]:
        return collect(self.content, self._some, limits_of(self.ranged))

    @cached_property
    def rounded(self) -> bytes:
        return round_weights(self.ranged, self._some)

    @cached_property
    def corrected(self) -> bytes:
        return correct_bias(self.ranged, self.statistics)

    @property
    def _some(self) -> np.ndarray:
        count = min(STATISTICS_IMAGES, len(self._images))
        return self._images[np.linspace(0, len(self._images) - 1, count).astype(int)]


def limits_of(content: bytes) -> Limits:
    """Return the (smallest, largest) value stored with each activation, by tensor index."""
    return {
        index: (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for index, tensor in enumerate(flatbuffer.read(content).subgraphs[0].tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None
    }


def _store_limits(content: bytes, limits: Limits) -> bytes:
    model = flatbuffer.read(content)
    for index, (low, high) in limits.items():
        quantization = model.subgraphs[0].tensors[index].quantization
        quantization.min, quantization.max = [low], [high]
    return flatbuffer.write(model)
