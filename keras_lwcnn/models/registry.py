"""Networks by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from keras_lwcnn.models.condensenet import PRESETS, CondenseNet
from keras_lwcnn.models.condensenext import CondenseNeXt
from keras_lwcnn.models.initialization import drawn_on_host
from keras_lwcnn.models.keras_baselines import EfficientNetV2B1, KerasMobileNetV2, Xception
from keras_lwcnn.models.l_mobilenet import LMobileNet
from keras_lwcnn.models.mobilenet_v2 import MobileNetV2
from keras_lwcnn.models.preprocessing import preprocess_input
from keras_lwcnn.models.shufflenet_v2 import ShuffleNetV2
from keras_lwcnn.models.xception_lite import XceptionLite


@dataclass(frozen=True)
class ModelEntry:
    """A network that can be built by name.

    Args:
        builder: the function that builds it, with the arguments of `keras.applications`.
        summary: what it is, in one line.
        default_size: height and width of its images where the builder is not told.
        input_range: the pixel values that it expects, from 0..255 pixels.
    """

    builder: Callable[..., keras.Model]
    summary: str
    default_size: int
    input_range: tuple[float, float] = (-1.0, 1.0)

    def preprocess_input(self, x: Any) -> Any:
        """Scale pixels of 0..255 as this network expects them."""
        return preprocess_input(x, self.input_range)


MODELS: dict[str, ModelEntry] = {
    "l_mobilenet": ModelEntry(
        LMobileNet, "L-Mobilenet, reconstructed: 1x1 beside 3x3 branches, 38 layers", 32
    ),
    "condensenext": ModelEntry(
        CondenseNeXt, "CondenseNeXt, reconstructed: learned groups, depthwise separable 3x3", 32
    ),
    "condensenext_tiny": ModelEntry(
        partial(CondenseNeXt, name="condensenext_tiny", **PRESETS["tiny"]),
        "CondenseNeXt, reconstructed, of 4-4-4 layers with growth 8-8-8",
        32,
    ),
    "condensenext_large": ModelEntry(
        partial(CondenseNeXt, name="condensenext_large", **PRESETS["large"]),
        "CondenseNeXt, reconstructed, of 17-17-17 layers: an int8 file under 3.0 MB",
        32,
    ),
    "xception_lite": ModelEntry(
        XceptionLite, "Xception-Lite: Xception with 1x1 kernels and fewer channels", 224
    ),
    "condensenet": ModelEntry(CondenseNet, "CondenseNet-86: learned group convolutions", 32),
    "mobilenet_v2": ModelEntry(MobileNetV2, "MobileNetV2, baseline", 32),
    "shufflenet_v2": ModelEntry(ShuffleNetV2, "ShuffleNetV2 1.0x, baseline", 32),
    "shufflenet_v2_x0_5": ModelEntry(
        partial(ShuffleNetV2, width=0.5, name="shufflenet_v2_x0_5"),
        "ShuffleNetV2 0.5x, baseline",
        32,
    ),
    "xception": ModelEntry(Xception, "Xception of keras.applications, baseline", 224),
    "keras_mobilenet_v2": ModelEntry(
        KerasMobileNetV2, "MobileNetV2 of keras.applications, baseline", 224
    ),
    "efficientnet_v2_b1": ModelEntry(
        EfficientNetV2B1,
        "EfficientNetV2B1 of keras.applications, baseline",
        224,
        input_range=(0.0, 255.0),
    ),
}


def model_named(name: str) -> ModelEntry:
    """Return the entry of `name` in `MODELS`.

    Raises:
        ValueError: an unknown name.
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r} is unknown; allowed are {', '.join(MODELS)}.")
    return MODELS[name]


def build(name: str, **arguments: Any) -> keras.Model:
    """Build a network by its name in `MODELS`.

    Args:
        name: a key of `MODELS`.
        **arguments: those of its builder.

    Returns:
        The model.

    Raises:
        ValueError: an unknown name, or what the builder refuses.
    """
    entry = model_named(name)
    with drawn_on_host():
        return entry.builder(**arguments)
