"""MobileNetV2, a baseline, with the strides that CIFAR images need."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.models.application import application, is_small

# (expansion, filters, blocks) of each stage.
STAGES = (
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 3),
    (6, 64, 4),
    (6, 96, 3),
    (6, 160, 3),
    (6, 320, 1),
)
HEAD_FILTERS = 1280

# Strides of the stem and of the first block of each stage.
LARGE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
SMALL_STRIDES = (1, 1, 1, 2, 2, 1, 2, 1)

_conv = partial(layers.Conv2D, padding="same", use_bias=False, kernel_initializer="he_normal")
_bn = partial(layers.BatchNormalization, momentum=0.9)
_relu6 = partial(layers.ReLU, max_value=6.0)


def MobileNetV2(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "mobilenet_v2",
    *,
    strides: Sequence[int] | None = None,
) -> keras.Model:
    """Build MobileNetV2 1.0; at 32 px it keeps the resolution of stem and 24-channel stage.

    Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", CVPR 2018.

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
        strides: stride of the stem, then of each stage's first block. None: `SMALL_STRIDES` where
            height and width are known and at most 64, else `LARGE_STRIDES`.

    Returns:
        The model; output (batch, classes), or the feature map or vector without the top.

    Raises:
        ValueError: strides that do not go with the stages, images smaller than the product of
            the strides, and everything that `keras.applications` refuses.
    """

    def chosen_strides(shape: tuple) -> Sequence[int]:
        chosen = strides or (SMALL_STRIDES if is_small(shape) else LARGE_STRIDES)
        if len(chosen) != len(STAGES) + 1:
            raise ValueError(
                f"strides must have {len(STAGES) + 1} entries, for the stem and each stage. "
                f"Received: strides={tuple(chosen)}"
            )
        return chosen

    def features(x: Any) -> Any:
        stem_stride, *stage_strides = chosen_strides(tuple(x.shape[1:]))
        x = _conv(32, 3, strides=stem_stride, name="stem_conv")(x)
        x = _relu6(name="stem_relu")(_bn(name="stem_bn")(x))
        for i, (stage, stride) in enumerate(zip(STAGES, stage_strides, strict=True), 1):
            expansion, filters, blocks = stage
            for j in range(1, blocks + 1):
                block_stride = stride if j == 1 else 1
                x = _block(x, expansion, filters, block_stride, name=f"stage{i}_block{j}")
        x = _conv(HEAD_FILTERS, 1, name="head_conv")(x)
        return _relu6(name="head_relu")(_bn(name="head_bn")(x))

    return application(
        features,
        name=name,
        input_shape=input_shape,
        default_size=32,
        minimum_size=lambda shape: prod(chosen_strides(shape)),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
    )


def _block(x: Any, expansion: int, filters: int, stride: int, name: str) -> Any:
    inputs = x
    channels = x.shape[-1]
    if expansion > 1:
        x = _conv(expansion * channels, 1, name=f"{name}_expand_conv")(x)
        x = _relu6(name=f"{name}_expand_relu")(_bn(name=f"{name}_expand_bn")(x))
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise_conv",
    )(x)
    x = _relu6(name=f"{name}_depthwise_relu")(_bn(name=f"{name}_depthwise_bn")(x))
    x = _conv(filters, 1, name=f"{name}_project_conv")(x)
    x = _bn(name=f"{name}_project_bn")(x)
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
