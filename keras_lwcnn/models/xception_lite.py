"""Xception-Lite: Xception with 1x1 in place of 3x3 kernels and fewer channels."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from keras import layers

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.image_input import check_size

STEM = ((32, 2), (64, 1))  # (filters, stride) of each convolution
# (filters, kernel) of each separable convolution.
ENTRY_BLOCKS = (((128, 1), (128, 3)), ((256, 1), (256, 3)), ((512, 1), (512, 3)))
MIDDLE_BLOCK = ((256, 1), (512, 1), (512, 3))
EXIT_BLOCK = ((728, 1), (1024, 3))
TAIL = ((1536, 3), (2048, 3))
TOTAL_STRIDE = 32

_bn = layers.BatchNormalization
_relu = layers.ReLU
_pool = partial(layers.MaxPooling2D, 3, strides=2, padding="same")


@builder(name="xception_lite", size=224, classes=101)
def XceptionLite(
    x: Any,
    *,
    width: float = 1.0,
    middle_repeats: int = 8,
    exit_shortcut_kernel: int = 3,
    use_bias: bool = True,
    dropout: float = 0.2,
) -> Features:
    """Build Xception-Lite; the defaults are the network of the paper for Caltech-101.

    Source: Nuh Mih, Rahimi, Kawnine, Palma, Wachowicz, Dubay, Cao, "Achieving Pareto Optimality
    using Efficient Parameter Reduction for DNNs in Resource-Constrained Edge Environment",
    Canadian AI 2024, arXiv 2403.10569. Options other than the defaults are our additions.

    Args:
        width: multiplier of all channels, which are rounded to multiples of 8.
        middle_repeats: number of middle blocks.
        exit_shortcut_kernel: kernel of the exit block's shortcut, 3 or 1; the 3x3 of the paper
            holds 30 % of the weights.
        use_bias: whether convolutions have a bias, as in the paper.
        dropout: rate of the dropout in front of the classifier.

    Raises:
        ValueError: unknown `exit_shortcut_kernel`, no positive `width`, negative
            `middle_repeats`, or a `dropout` that is no share.

    Example:
        >>> from keras_lwcnn import XceptionLite
        >>> model = XceptionLite((64, 64, 3), classes=5, width=0.125, middle_repeats=1)
        >>> model.output_shape
        (None, 5)
    """
    if exit_shortcut_kernel not in (1, 3):
        raise ValueError(
            f"exit_shortcut_kernel={exit_shortcut_kernel} is unknown; allowed are 1 and 3."
        )
    if width <= 0:
        raise ValueError(f"width={width} is too small; it must be above 0.")
    if middle_repeats < 0:
        raise ValueError(f"middle_repeats={middle_repeats} is too few; at least 0 is allowed.")
    check_size(x, TOTAL_STRIDE)
    blocks = _Blocks(width, use_bias)

    for i, (filters, stride) in enumerate(STEM, 1):
        x = blocks.conv(filters, 3, strides=stride, name=f"stem{i}_conv")(x)
        x = _relu(name=f"stem{i}_relu")(_bn(name=f"stem{i}_bn")(x))
    for i, plan in enumerate(ENTRY_BLOCKS, 1):
        x = blocks.residual(x, plan, f"entry{i}", shortcut_kernel=1)
    for i in range(1, middle_repeats + 1):
        x = blocks.residual(x, MIDDLE_BLOCK, f"middle{i}")
    x = blocks.residual(x, EXIT_BLOCK, "exit", shortcut_kernel=exit_shortcut_kernel)
    for i, (filters, kernel) in enumerate(TAIL, 1):
        x = _relu(name=f"tail{i}_relu")(blocks.separable(x, filters, kernel, f"tail{i}"))
    return Features(x, dropout=dropout)


@dataclass(frozen=True)
class _Blocks:
    """The parts of the network, with channels scaled by `width`, and biases or without."""

    width: float
    use_bias: bool

    def conv(self, filters: int, kernel: int, **arguments: Any) -> layers.Layer:
        """Return a convolution to the scaled number of filters."""
        return layers.Conv2D(self._conv_filters(filters), kernel, **self._plain(), **arguments)

    def separable(self, x: Any, filters: int, kernel: int, name: str) -> Any:
        """Apply a separable convolution and a batch normalization."""
        conv = layers.SeparableConv2D(
            self._conv_filters(filters), kernel, **self._plain(), name=f"{name}_sepconv"
        )
        return _bn(name=f"{name}_bn")(conv(x))

    def residual(
        self,
        x: Any,
        plan: tuple[tuple[int, int], ...],
        name: str,
        shortcut_kernel: int | None = None,
    ) -> Any:
        """Apply ReLU and separable convolutions beside a shortcut.

        A shortcut with a kernel is a convolution of stride 2, and the block ends in a pool.
        """
        shortcut = x
        if shortcut_kernel:
            filters, _ = plan[-1]
            conv = self.conv(filters, shortcut_kernel, strides=2, name=f"{name}_shortcut_conv")
            shortcut = conv(x)
        for j, (filters, kernel) in enumerate(plan, 1):
            x = self.separable(_relu(name=f"{name}_{j}_relu")(x), filters, kernel, f"{name}_{j}")
        if shortcut_kernel:
            x = _pool(name=f"{name}_pool")(x)
        return layers.Add(name=f"{name}_add")([x, shortcut])

    def _conv_filters(self, filters: int) -> int:
        return max(8, round(filters * self.width / 8) * 8)

    def _plain(self) -> dict[str, Any]:
        return {"padding": "same", "use_bias": self.use_bias}
