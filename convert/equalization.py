"""Cross-layer equalization: spreading a tensor's channels over its whole integer range."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert import flatbuffer
from convert.statistics import TensorStatistics
from convert.weights import CHANNEL_AXIS, INPUT_AXIS, WeightedOp, weighted_ops

HOMOGENEOUS = (schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU)
LARGEST_FACTOR = 100.0


def equalize(content: bytes, statistics: dict[int, TensorStatistics]) -> bytes:
    """Rescale channels between pairs of layers so that each uses the range of its tensor.

    Between two layers with nothing but a ReLU in between, channel c may be divided by s_c in the
    first and multiplied by s_c in the second without changing the function. Weights have one scale
    an output channel, so the first layer pays nothing; a depthwise second layer pays nothing
    either, and gets s_c = range_c / largest range. An ordinary second layer shares its scales over
    input channels and gets the square root of that (after Nagel et al., "Data-Free Quantization
    Through Weight Equalization and Bias Correction", ICCV 2019; activation ranges in place of
    weight ranges are our design).

    Args:
        content: a float32 TFLite flatbuffer.
        statistics: of its activations, by tensor index.

    Returns:
        A flatbuffer of the same function.
    """
    model = flatbuffer.read(content)
    for first, second in pairs(model):
        found = statistics.get(first.target)
        if found is not None:
            _rescale(first, second, _factors(found, second.name))
    return flatbuffer.write(model)


def can_equalize(content: bytes) -> bool:
    """Tell whether any two layers of a flatbuffer may be equalized."""
    return bool(pairs(flatbuffer.read(content)))


def pairs(model: schema.ModelT) -> list[tuple[WeightedOp, WeightedOp]]:
    """Return the layers that may be equalized: the second alone reads what the first gives."""
    graph = model.subgraphs[0]
    ops = list(weighted_ops(model))
    reading = {op.source: op for op in ops}
    readers: dict[int, int] = dict.fromkeys(map(int, graph.outputs), 1)
    for op in graph.operators:
        for tensor in op.inputs:
            readers[int(tensor)] = readers.get(int(tensor), 0) + 1
    return [
        (first, reading[first.target])
        for first in ops
        if first.target in reading
        and readers[first.target] == 1
        and first.bias is not None
        and first.activation in HOMOGENEOUS
        and reading[first.target].weights.shape[INPUT_AXIS[reading[first.target].name]]
        == first.weights.shape[CHANNEL_AXIS[first.name]]
    ]


def _factors(found: TensorStatistics, second: str) -> np.ndarray:
    reach = np.maximum(np.abs(found.channel_low), np.abs(found.channel_high)).astype(np.float64)
    if not reach.max() > 0:
        return np.ones_like(reach)
    factors = np.clip(reach / reach.max(), 1 / LARGEST_FACTOR, 1.0)
    return factors if second == "DEPTHWISE_CONV_2D" else np.sqrt(factors)


def _rescale(first: WeightedOp, second: WeightedOp, factors: np.ndarray) -> None:
    first.weights = first.weights / _along(factors, CHANNEL_AXIS[first.name], first.weights.ndim)
    first.bias = first.bias / factors
    second.weights = second.weights * _along(factors, INPUT_AXIS[second.name], second.weights.ndim)


def _along(factors: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    shape = [1] * dimensions
    shape[axis] = -1
    return factors.reshape(shape)
