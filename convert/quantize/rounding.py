"""Rounding weights so that their errors cancel on real inputs, instead of each to the nearest."""

import numpy as np

from convert.quantize.activations import activations
from convert.quantize.weighted_ops import WEIGHT_LEVELS, WeightedOp, weighted_ops
from convert.tflite import flatbuffer

POSITIONS = 32
"""Output positions looked at in each image and layer."""
LARGEST_PATCH = 1536
"""Layers with more weights per output channel are rounded to nearest: the cost is cubic."""
DAMPING = 0.01


def round_weights(content: bytes, images: np.ndarray, seed: int = 0) -> bytes:
    """Put the weights on their int8 grid, each error balanced by the weights not yet rounded.

    The weights of an output channel are rounded one after the other; the error that one leaves in
    the layer's output, measured by the second moments of its input patches, is spread over the
    rest (Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ", ICLR 2023; here for grouped, depthwise and
    dense layers alike). What remains of the mean error goes into the bias.

    Args:
        content: a float32 TFLite flatbuffer with batch 1.
        images: float32 calibration images (count, height, width, channels).
        seed: of the choice of positions.

    Returns:
        The flatbuffer with weights that symmetric per-channel int8 holds exactly.
    """
    model = flatbuffer.read(content)
    random = np.random.default_rng(seed)
    layers = [_Layer(op) for op in weighted_ops(model) if _patch_size(op) <= LARGEST_PATCH]
    for values in activations(content, images):
        for layer in layers:
            if layer.op.source in values:
                layer.see(values[layer.op.source], random)
    for layer in layers:
        layer.round()
    return flatbuffer.write(model)


def rounded(weights: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Round weights to 255 levels per row, each error spread over the weights that follow.

    Args:
        weights: (groups, rows, patch).
        moments: second moments of the input patches (groups, patch, patch).

    Returns:
        Weights of the same shape; each row's largest weight is kept, and so its scale.
    """
    work = weights.astype(np.float64)
    largest = np.abs(work).argmax(axis=2, keepdims=True)
    scale = np.take_along_axis(np.abs(work), largest, axis=2)[..., 0] / WEIGHT_LEVELS
    scale = np.where(scale == 0, 1.0, scale)
    size = work.shape[2]
    diagonal = np.einsum("gkk->gk", moments)
    damping = np.maximum(DAMPING * diagonal.mean(axis=1), 1e-12)
    inverse = np.linalg.inv(moments + damping[:, None, None] * np.eye(size))
    upper = np.linalg.cholesky(inverse).transpose(0, 2, 1)
    for index in range(size):
        column = work[:, :, index]
        on_grid = np.clip(np.rint(column / scale), -WEIGHT_LEVELS, WEIGHT_LEVELS) * scale
        on_grid = np.where(largest[..., 0] == index, weights[:, :, index], on_grid)
        error = (column - on_grid) / upper[:, index, index, None]
        work[:, :, index + 1 :] -= error[..., None] * upper[:, None, index, index + 1 :]
        work[:, :, index] = on_grid
    return work


def _patch_size(op: WeightedOp) -> int:
    weights = op.weights
    if op.name == "DEPTHWISE_CONV_2D":
        return weights.shape[1] * weights.shape[2]
    return int(np.prod(weights.shape[1:]))


class _Layer:
    """One op and the second moments and means of its input patches."""

    def __init__(self, op: WeightedOp) -> None:
        self.op = op
        self._moments: np.ndarray | None = None
        self._sum: np.ndarray | None = None
        self._count = 0

    def see(self, value: np.ndarray, random: np.random.Generator) -> None:
        patches = self._patches(value, random).astype(np.float64)
        moments = np.einsum("ngk,ngl->gkl", patches, patches, optimize=True)
        self._moments = moments if self._moments is None else self._moments + moments
        total = patches.sum(axis=0)
        self._sum = total if self._sum is None else self._sum + total
        self._count += len(patches)

    def round(self) -> None:
        if not self._count:
            return
        op, before = self.op, self._grouped(self.op.weights)
        after = rounded(before, self._moments / self._count)
        op.weights = self._ungrouped(after, op.weights.shape)
        if op.bias is not None:
            shift = np.einsum("grk,gk->gr", after - before, self._sum / self._count)
            op.bias = op.bias - shift.reshape(-1)

    def _patches(self, value: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return input patches (positions, groups, patch) in the order of the weights."""
        if self.op.name == "FULLY_CONNECTED":
            return value.reshape(-1, 1, self.op.weights.shape[1])
        weights, options = self.op.weights, self.op.op.builtinOptions
        kernel = np.array(weights.shape[1:3])
        stride = np.array([options.strideH, options.strideW])
        dilation = np.array([options.dilationHFactor, options.dilationWFactor])
        reach = (kernel - 1) * dilation + 1
        size = np.array(value.shape[1:3])
        out = -(-size // stride) if options.padding == 0 else (size - reach) // stride + 1
        missing = np.maximum((out - 1) * stride + reach - size, 0)
        before = missing // 2
        padded = np.pad(value[0], [*zip(before, missing - before, strict=True), (0, 0)])
        rows = random.integers(0, out[0], POSITIONS) * stride[0]
        columns = random.integers(0, out[1], POSITIONS) * stride[1]
        taps_y = rows[:, None, None] + (np.arange(kernel[0]) * dilation[0])[None, :, None]
        taps_x = columns[:, None, None] + (np.arange(kernel[1]) * dilation[1])[None, None, :]
        patches = padded[taps_y, taps_x].reshape(POSITIONS, int(kernel.prod()), -1)
        channels = patches.shape[2]
        each = 1 if self.op.name == "DEPTHWISE_CONV_2D" else weights.shape[3]
        patches = patches.reshape(POSITIONS, int(kernel.prod()), channels // each, each)
        return patches.transpose(0, 2, 1, 3).reshape(POSITIONS, channels // each, -1)

    def _grouped(self, weights: np.ndarray) -> np.ndarray:
        """Return weights as (groups, rows, patch)."""
        groups = self._sum.shape[0]
        if self.op.name == "DEPTHWISE_CONV_2D":
            taps = weights.shape[1] * weights.shape[2]
            return weights.reshape(taps, groups, -1).transpose(1, 2, 0)
        return weights.reshape(groups, weights.shape[0] // groups, -1)

    def _ungrouped(self, weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if self.op.name == "DEPTHWISE_CONV_2D":
            weights = weights.transpose(2, 0, 1)
        return weights.reshape(shape)
