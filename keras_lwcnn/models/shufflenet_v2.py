"""ShuffleNetV2, a baseline, with the strides that CIFAR images need."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.layers import ChannelShuffle, ChannelSlice
from keras_lwcnn.models.application import application, is_small

# Channels of the three stages by width.
WIDTHS = {0.5: (48, 96, 192), 1.0: (116, 232, 464)}
REPEATS = (4, 8, 4)
STEM_FILTERS = 24
HEAD_FILTERS = 1024

_conv = partial(layers.Conv2D, padding="same", use_bias=False, kernel_initializer="he_normal")
_bn = partial(layers.BatchNormalization, momentum=0.9)


def ShuffleNetV2(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "shufflenet_v2",
    *,
    width: float = 1.0,
    repeats: tuple[int, int, int] = REPEATS,
) -> keras.Model:
    """Build ShuffleNetV2; images up to 64 px get a stem of stride 1 without its max pool.

    Source: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: Practical Guidelines for Efficient CNN
    Architecture Design", ECCV 2018.

    Args:
        input_shape: (height, width, channels), by default (32, 32, 3), or (None, None, 3) without
            the top. Pixels in [-1, 1], see `preprocess_input`.
        include_top: whether to end in global average pooling and a classifier.
        weights: None (random) or the path of a `.weights.h5` or `.keras` file.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax", or None for logits.
        name: name of the model.
        width: 0.5 or 1.0.
        repeats: units of each of the three stages.

    Returns:
        The model; output (batch, classes), or the feature map or vector without the top.

    Raises:
        ValueError: unknown `width`, images smaller than the product of the strides, and
            everything that `keras.applications` refuses.
    """
    if width not in WIDTHS:
        raise ValueError(f"width must be one of {tuple(WIDTHS)}. Received: width={width}")

    def features(x: Any) -> Any:
        small = is_small(tuple(x.shape[1:]))
        x = _conv(STEM_FILTERS, 3, strides=1 if small else 2, name="stem_conv")(x)
        x = layers.ReLU(name="stem_relu")(_bn(name="stem_bn")(x))
        if not small:
            x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
        for i, (filters, units) in enumerate(zip(WIDTHS[width], repeats, strict=True), 2):
            x = _down_unit(x, filters // 2, name=f"stage{i}_unit1")
            for j in range(2, units + 1):
                x = _unit(x, filters // 2, name=f"stage{i}_unit{j}")
        x = _conv(HEAD_FILTERS, 1, name="head_conv")(x)
        return layers.ReLU(name="head_relu")(_bn(name="head_bn")(x))

    return application(
        features,
        name=name,
        input_shape=input_shape,
        default_size=32,
        minimum_size=lambda shape: 8 if is_small(shape) else 32,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
    )


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
    return layers.ReLU(name=f"{name}_relu")(x)


def _depthwise(x: Any, stride: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _bn(name=f"{name}_bn")(x)


def _join(left: Any, right: Any, name: str) -> Any:
    x = layers.Concatenate(name=f"{name}_concat")([left, right])
    return ChannelShuffle(2, name=f"{name}_shuffle")(x)
