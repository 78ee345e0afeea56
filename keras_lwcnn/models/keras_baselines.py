"""Networks of keras.applications, untrained, under the head and interface of our builders."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.models.application import application


def keras_baseline(
    builder: Callable[..., keras.Model],
    minimum_size: int,
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 101,
    classifier_activation: str | Callable | None = "softmax",
    name: str | None = None,
    *,
    dropout: float = 0.2,
) -> keras.Model:
    """Build a network of keras.applications with the head of Xception-Lite.

    Args:
        builder: a function of `keras.applications`.
        minimum_size: the smallest height and width that it takes.
        input_shape: (height, width, channels), by default (224, 224, 3), or (None, None, 3)
            without the top.
        include_top: whether to end in global average pooling, dropout and a classifier.
        weights: None (random) or the path of a `.weights.h5` or `.keras` file.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax", or None for logits.
        name: name of the model; None: the builder's.
        dropout: rate of the dropout in front of the classifier.

    Returns:
        The model; output (batch, classes), or the feature map or vector without the top.

    Raises:
        ValueError: everything that `keras.applications` refuses.
    """

    def features(x: Any) -> Any:
        return builder(include_top=False, weights=None, input_tensor=x).output

    return application(
        features,
        name=name or builder.__name__.lower(),
        input_shape=input_shape,
        default_size=224,
        minimum_size=minimum_size,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout=dropout,
    )


Xception = partial(keras_baseline, keras.applications.Xception, 71, name="xception")
KerasMobileNetV2 = partial(
    keras_baseline, keras.applications.MobileNetV2, 32, name="keras_mobilenet_v2"
)
# It scales its pixels itself: give it 0..255.
EfficientNetV2B1 = partial(
    keras_baseline, keras.applications.EfficientNetV2B1, 32, name="efficientnet_v2_b1"
)
