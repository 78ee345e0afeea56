"""Xception-Lite: Xception with 1x1 in place of 3x3 kernels and fewer channels."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.models.application import application

STEM = (32, 64)
ENTRY = (128, 256, 512)
MIDDLE_BOTTLENECK = 256
EXIT = (728, 1024)
TAIL = (1536, 2048)
TOTAL_STRIDE = 32


def XceptionLite(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 101,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "xception_lite",
    *,
    width: float = 1.0,
    middle_repeats: int = 8,
    exit_shortcut_kernel: int = 3,
    use_bias: bool = True,
    dropout: float = 0.2,
) -> keras.Model:
    """Build Xception-Lite; the defaults are the network of the paper for Caltech-101.

    Source: Nuh Mih, Rahimi, Kawnine, Palma, Wachowicz, Dubay, Cao, "Achieving Pareto Optimality
    using Efficient Parameter Reduction for DNNs in Resource-Constrained Edge Environment",
    Canadian AI 2024, arXiv 2403.10569. Options other than the defaults are our additions.

    Args:
        input_shape: (height, width, channels), by default (224, 224, 3), or (None, None, 3)
            without the top. Pixels in [-1, 1], see `preprocess_input`.
        include_top: whether to end in global average pooling, dropout and a classifier.
        weights: None (random) or the path of a `.weights.h5` or `.keras` file.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax" ("sigmoid" for one unit), or None for logits.
        name: name of the model.
        width: multiplier of all channels, which are rounded to multiples of 8.
        middle_repeats: number of middle blocks.
        exit_shortcut_kernel: kernel of the exit block's shortcut, 3 or 1; the 3x3 of the paper
            holds 30 % of the weights.
        use_bias: whether convolutions have a bias, as in the paper.
        dropout: rate of the dropout in front of the classifier.

    Returns:
        The model; output (batch, classes), or the feature map or vector without the top.

    Raises:
        ValueError: unknown `exit_shortcut_kernel`, no positive `width`, negative
            `middle_repeats`, images under 32 px, and everything that `keras.applications`
            refuses.
    """
    if exit_shortcut_kernel not in (1, 3):
        raise ValueError(f"exit_shortcut_kernel must be 1 or 3. Received: {exit_shortcut_kernel}")
    if width <= 0 or middle_repeats < 0:
        raise ValueError(
            "width must be positive and middle_repeats not negative. Received: "
            f"width={width}, middle_repeats={middle_repeats}"
        )

    def scaled(filters: int) -> int:
        return max(8, round(filters * width / 8) * 8)

    conv = partial(layers.Conv2D, padding="same", use_bias=use_bias)
    pool = partial(layers.MaxPooling2D, 3, strides=2, padding="same")

    def separable(x: Any, filters: int, kernel: int, name: str) -> Any:
        x = layers.SeparableConv2D(
            scaled(filters), kernel, padding="same", use_bias=use_bias, name=f"{name}_sepconv"
        )(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x)

    def relu(x: Any, name: str) -> Any:
        return layers.ReLU(name=f"{name}_relu")(x)

    def features(x: Any) -> Any:
        for i, (filters, stride) in enumerate(zip(STEM, (2, 1), strict=True), 1):
            x = conv(scaled(filters), 3, strides=stride, name=f"stem{i}_conv")(x)
            x = layers.BatchNormalization(name=f"stem{i}_bn")(x)
            x = relu(x, f"stem{i}")

        for i, filters in enumerate(ENTRY, 1):
            block = f"entry{i}"
            shortcut = conv(scaled(filters), 1, strides=2, name=f"{block}_shortcut_conv")(x)
            x = separable(relu(x, f"{block}_1"), filters, 1, f"{block}_1")
            x = separable(relu(x, f"{block}_2"), filters, 3, f"{block}_2")
            x = pool(name=f"{block}_pool")(x)
            x = layers.Add(name=f"{block}_add")([x, shortcut])

        for i in range(1, middle_repeats + 1):
            block = f"middle{i}"
            shortcut = x
            x = separable(relu(x, f"{block}_1"), MIDDLE_BOTTLENECK, 1, f"{block}_1")
            x = separable(relu(x, f"{block}_2"), ENTRY[-1], 1, f"{block}_2")
            x = separable(relu(x, f"{block}_3"), ENTRY[-1], 3, f"{block}_3")
            x = layers.Add(name=f"{block}_add")([x, shortcut])

        shortcut = conv(
            scaled(EXIT[-1]), exit_shortcut_kernel, strides=2, name="exit_shortcut_conv"
        )(x)
        x = separable(relu(x, "exit_1"), EXIT[0], 1, "exit_1")
        x = separable(relu(x, "exit_2"), EXIT[1], 3, "exit_2")
        x = pool(name="exit_pool")(x)
        x = layers.Add(name="exit_add")([x, shortcut])

        for i, filters in enumerate(TAIL, 1):
            x = relu(separable(x, filters, 3, f"tail{i}"), f"tail{i}")
        return x

    return application(
        features,
        name=name,
        input_shape=input_shape,
        default_size=224,
        minimum_size=TOTAL_STRIDE,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout=dropout,
    )
