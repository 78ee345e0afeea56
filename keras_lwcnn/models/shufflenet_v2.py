"""ShuffleNetV2, a baseline, with the strides that CIFAR images need."""

from functools import partial
from typing import Any

from keras import layers

from keras_lwcnn.layers import ChannelShuffle, ChannelSlice
from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.image_input import check_size, is_small

STEM_FILTERS = 24
# Width -> filters of the three stages.
WIDTHS = {0.5: (48, 96, 192), 1.0: (116, 232, 464)}
REPEATS = (4, 8, 4)
HEAD_FILTERS = 1024

_plain = {"padding": "same", "use_bias": False}
_conv = partial(layers.Conv2D, kernel_initializer="he_normal", **_plain)
_depthwise_conv = partial(layers.DepthwiseConv2D, 3, depthwise_initializer="he_normal", **_plain)
_bn = partial(layers.BatchNormalization, momentum=0.9)
_relu = layers.ReLU


@builder(name="shufflenet_v2", size=32, classes=10)
def ShuffleNetV2(
    x: Any, *, width: float = 1.0, repeats: tuple[int, int, int] = REPEATS
) -> Features:
    """Build ShuffleNetV2; images up to 64 px get a stem of stride 1 without its max pool.

    Source: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: Practical Guidelines for Efficient CNN
    Architecture Design", ECCV 2018.

    Args:
        width: 0.5 or 1.0.
        repeats: units of each of the three stages.

    Raises:
        ValueError: unknown `width`.

    Example:
        >>> from keras_lwcnn.models import ShuffleNetV2
        >>> model = ShuffleNetV2(width=0.5, repeats=(2, 1, 1), classes=5)
        >>> model.output_shape
        (None, 5)
    """
    if width not in WIDTHS:
        raise ValueError(f"width={width} is unknown; allowed are {', '.join(map(str, WIDTHS))}.")
    small = is_small(x)
    check_size(x, 8 if small else 32)

    x = _conv(STEM_FILTERS, 3, strides=1 if small else 2, name="stem_conv")(x)
    x = _relu(name="stem_relu")(_bn(name="stem_bn")(x))
    if not small:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for i, (filters, units) in enumerate(zip(WIDTHS[width], repeats, strict=True), 2):
        x = _down_unit(x, filters // 2, name=f"stage{i}_unit1")
        for j in range(2, units + 1):
            x = _unit(x, filters // 2, name=f"stage{i}_unit{j}")
    x = _conv(HEAD_FILTERS, 1, name="head_conv")(x)
    return Features(_relu(name="head_relu")(_bn(name="head_bn")(x)))


def _unit(x: Any, half: int, name: str) -> Any:
    kept = ChannelSlice(0, half, name=f"{name}_kept")(x)
    x = ChannelSlice(half, 2 * half, name=f"{name}_changed")(x)
    return _join(kept, _branch(x, half, 1, name), name)


def _down_unit(x: Any, half: int, name: str) -> Any:
    shortcut = _depthwise(x, 2, name=f"{name}_shortcut_depthwise")
    shortcut = _pointwise(shortcut, half, name=f"{name}_shortcut")
    return _join(shortcut, _branch(x, half, 2, name), name)


def _branch(x: Any, filters: int, stride: int, name: str) -> Any:
    x = _pointwise(x, filters, name=f"{name}_first")
    x = _depthwise(x, stride, name=f"{name}_depthwise")
    return _pointwise(x, filters, name=f"{name}_second")


def _pointwise(x: Any, filters: int, name: str) -> Any:
    x = _bn(name=f"{name}_bn")(_conv(filters, 1, name=f"{name}_conv")(x))
    return _relu(name=f"{name}_relu")(x)


def _depthwise(x: Any, stride: int, name: str) -> Any:
    return _bn(name=f"{name}_bn")(_depthwise_conv(strides=stride, name=f"{name}_conv")(x))


def _join(left: Any, right: Any, name: str) -> Any:
    x = layers.Concatenate(name=f"{name}_concat")([left, right])
    return ChannelShuffle(2, name=f"{name}_shuffle")(x)
