"""Networks by the names that this sweep knows: those of the package, and a teacher."""

from typing import Any

import keras
from keras import layers

from keras_lwcnn.models import build
from keras_lwcnn.models.initialization import drawn_on_host

SIZE, CLASSES = (32, 32, 3), 10


def network(name: str, **arguments: Any) -> keras.Model:
    """Build a network for CIFAR-10 that returns logits."""
    if name == "teacher":
        with drawn_on_host():
            return teacher(**arguments)
    return build(name, input_shape=SIZE, classes=CLASSES, classifier_activation=None, **arguments)


def teacher(widths: tuple[int, ...] = (64, 128, 256, 512)) -> keras.Model:
    """Build a residual network of wide plain convolutions: about 450 M MACs at 32 px.

    A stage is a convolution, a maximum over 2x2 pixels, and a residual pair of convolutions.
    """

    def conv(x: Any, filters: int, name: str) -> Any:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv",
                          kernel_initializer="he_normal")(x)  # fmt: skip
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    inputs = keras.Input(SIZE)
    x = conv(inputs, widths[0], "stem")
    for index, filters in enumerate(widths[1:], 1):
        x = conv(x, filters, f"stage{index}_widen")
        x = layers.MaxPooling2D(name=f"stage{index}_pool")(x)
        inner = conv(x, filters, f"stage{index}_first")
        inner = conv(inner, filters, f"stage{index}_second")
        x = layers.Add(name=f"stage{index}_add")([x, inner])
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="classifier")(x), name="teacher")
