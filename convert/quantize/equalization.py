"""Cross-layer equalization: spreading a tensor's channels over its whole integer range."""

import numpy as np

from convert.quantize.activations import TensorStatistics
from convert.quantize.channel_groups import Channels, channels, largest_of
from convert.quantize.weighted_ops import CHANNEL_AXIS, WeightedOp, weighted_ops
from convert.tflite import flatbuffer

LARGEST_FACTOR = 100.0
RELU6_LIMIT = 6.0


def equalize(content: bytes, statistics: dict[int, TensorStatistics]) -> bytes:
    """Rescale channels between layers so that each uses the range of its tensors.

    A channel may be divided by s in the layers that make it and multiplied by s in those that read
    it without changing the function; concatenations, pools and sums in between pass s on. Weights
    have one scale per output channel, so the layers in front pay nothing; depthwise readers pay
    nothing either, and s = reach of the channel / largest reach. Others share their scales over
    input channels and get the square root of that (after Nagel et al., "Data-Free Quantization
    Through Weight Equalization and Bias Correction", ICCV 2019; activation ranges in place of
    weight ranges, and what lies between the layers, are our design).

    Args:
        content: a float32 TFLite flatbuffer.
        statistics: of its activations, by tensor index.

    Returns:
        A flatbuffer of the same function; a channel in front of a RELU6 that never met its limit
        on the images of the statistics meets it at its largest value there, as in any int8 tensor.
    """
    model = flatbuffer.read(content)
    layout = channels(model)
    factors = _factors(layout, statistics)
    for op in weighted_ops(model):
        _rescale(op, factors[layout.slots[op.source]], factors[layout.slots[op.target]])
    return flatbuffer.write(model)


def can_equalize(content: bytes) -> bool:
    """Tell whether any channel of a flatbuffer may be rescaled."""
    return not channels(flatbuffer.read(content)).fixed.all()


def _factors(layout: Channels, statistics: dict[int, TensorStatistics]) -> np.ndarray:
    reach = np.zeros(len(layout.group))
    for tensor, slots in layout.slots.items():
        if tensor in statistics:
            of = statistics[tensor]
            reach[slots] = np.maximum(np.abs(of.channel_low), np.abs(of.channel_high))
    own, largest = largest_of(reach, layout.group), largest_of(reach, layout.family)
    share = np.where(own > 0, own / np.where(largest > 0, largest, 1), 1.0)
    share = np.where(layout.mixed, np.sqrt(share), share)
    lowest = largest_of(np.where(layout.limited, reach / RELU6_LIMIT, 0), layout.group)
    factors = np.clip(share, np.maximum(lowest, 1 / LARGEST_FACTOR), 1.0)
    return np.where(layout.fixed, 1.0, factors)


def _rescale(op: WeightedOp, source: np.ndarray, target: np.ndarray) -> None:
    """Multiply the weights by the factors of the input and divide by those of the output."""
    if (source == 1).all() and (target == 1).all():
        return
    weights = op.weights
    if op.name == "DEPTHWISE_CONV_2D":
        # Each input channel has a run of output channels.
        incoming = np.repeat(source, weights.shape[3] // len(source))
    elif op.name == "CONV_2D":
        # Each group of output channels reads a run of input channels.
        groups = len(source) // weights.shape[3]
        incoming = np.repeat(source.reshape(groups, 1, 1, -1), weights.shape[0] // groups, axis=0)
    else:
        incoming = source
    op.weights = weights * incoming / _along(target, CHANNEL_AXIS[op.name], weights.ndim)
    if op.bias is not None:
        op.bias = op.bias / target


def _along(factors: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    shape = [1] * dimensions
    shape[axis] = -1
    return factors.reshape(shape)
