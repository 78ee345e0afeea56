"""Networks of keras.applications, untrained, under the head and interface of our builders."""

from collections.abc import Callable
from typing import Any

import keras

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.image_input import check_size


@builder(name="xception", size=224, classes=101)
def Xception(x: Any, *, dropout: float = 0.2) -> Features:
    """Build Xception of `keras.applications` with the head of Xception-Lite.

    Args:
        dropout: rate of the dropout in front of the classifier.

    Raises:
        ValueError: a `dropout` that is no share.

    Example:
        >>> from keras_lwcnn.models.keras_baselines import Xception
        >>> Xception((71, 71, 3), classes=5).output_shape
        (None, 5)
    """
    return _features(keras.applications.Xception, x, 71, dropout)


@builder(name="keras_mobilenet_v2", size=224, classes=101)
def KerasMobileNetV2(x: Any, *, dropout: float = 0.2) -> Features:
    """Build MobileNetV2 of `keras.applications` with the head of Xception-Lite.

    Args:
        dropout: rate of the dropout in front of the classifier.

    Raises:
        ValueError: a `dropout` that is no share.

    Example:
        >>> from keras_lwcnn.models.keras_baselines import KerasMobileNetV2
        >>> KerasMobileNetV2((32, 32, 3), classes=5).output_shape
        (None, 5)
    """
    return _features(keras.applications.MobileNetV2, x, 32, dropout)


@builder(name="efficientnet_v2_b1", size=224, classes=101, input_range=(0.0, 255.0))
def EfficientNetV2B1(x: Any, *, dropout: float = 0.2) -> Features:
    """Build EfficientNetV2B1 of `keras.applications`, which scales its pixels itself.

    Args:
        dropout: rate of the dropout in front of the classifier.

    Raises:
        ValueError: a `dropout` that is no share.

    Example:
        >>> from keras_lwcnn.models.keras_baselines import EfficientNetV2B1
        >>> EfficientNetV2B1((32, 32, 3), classes=5).output_shape
        (None, 5)
    """
    return _features(keras.applications.EfficientNetV2B1, x, 32, dropout)


def _features(
    application: Callable[..., keras.Model], x: Any, minimum_size: int, dropout: float
) -> Features:
    check_size(x, minimum_size)
    backbone = application(include_top=False, weights=None, input_tensor=x)
    return Features(backbone.output, dropout=dropout)
