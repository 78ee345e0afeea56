"""Bias correction: taking back the mean error that rounded weights add to each channel."""

import numpy as np

from convert.quantize.activations import TensorStatistics
from convert.quantize.weighted_ops import WeightedOp, rounding_error, weighted_ops
from convert.tflite import flatbuffer


def correct_bias(content: bytes, statistics: dict[int, TensorStatistics]) -> bytes:
    """Subtract from each bias the mean output error of the rounded weights.

    The error of output channel c is the sum over the weights of (rounded - float) times the mean
    of the input channel that the weight multiplies, which calibration measured (Nagel et al.,
    ICCV 2019, equation 17). Zero padding at image borders is left out of account.

    Args:
        content: a float32 TFLite flatbuffer.
        statistics: of its activations, by tensor index.

    Returns:
        The flatbuffer with other biases; its weights are as before.
    """
    model = flatbuffer.read(content)
    for op in weighted_ops(model):
        source = statistics.get(op.source)
        if source is not None and op.bias is not None:
            op.bias = op.bias - expected_shift(op, source.channel_mean)
    return flatbuffer.write(model)


def expected_shift(op: WeightedOp, means: np.ndarray) -> np.ndarray:
    """Return the mean error (output channels) of an op's rounded weights.

    Args:
        op: the layer, with float weights.
        means: mean of each input channel.
    """
    error = rounding_error(op)
    if op.name == "DEPTHWISE_CONV_2D":
        multiplier = error.shape[3] // len(means)
        return error.sum(axis=(0, 1, 2)) * np.repeat(means, multiplier)
    if op.name == "FULLY_CONNECTED":
        return error @ np.resize(means, error.shape[1])
    groups = len(means) // error.shape[3]
    summed = error.sum(axis=(1, 2)).reshape(groups, -1, error.shape[3])
    return np.einsum("goi,gi->go", summed, means.reshape(groups, -1)).reshape(-1)
