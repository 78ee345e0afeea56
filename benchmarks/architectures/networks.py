"""What is compared: our networks beside the baselines, and the candidates for L-Mobilenet."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from keras_lwcnn.condensation import FORMS, condense, deploy
from keras_lwcnn.models import MODELS, CondenseNet, CondenseNeXt, LMobileNet, build
from keras_lwcnn.models.condensenet import PRESETS

Build = Callable[[], keras.Model]

REFERENCES = {32: ("mobilenet_v2", "shufflenet_v2"), 224: ("xception", "mobilenet_v2")}
CLASSES = {32: 10, 224: 1000}


def condensed(builder: Callable[..., keras.Model], form: str, **arguments: object) -> keras.Model:
    """Build a condensed network with random weights in a deployment form."""
    selection = "slices" if form == "sliced" else "groups"
    model = builder(selection=selection, **arguments)
    condense(model)
    return deploy(model, form)


def networks(size: int) -> dict[str, Build]:
    """Return what is compared at an image size of 32 or 224 px, by name, references first."""
    common = {
        "input_shape": (size, size, 3),
        "classes": CLASSES[size],
        "classifier_activation": None,
    }
    compared: dict[str, Build] = {name: partial(build, name, **common) for name in REFERENCES[size]}
    others = ["l_mobilenet"]
    if size == 32:
        others += ["shufflenet_v2_x0_5"]
    else:
        others += ["shufflenet_v2", "xception_lite", "efficientnet_v2_b1"]
    compared.update({name: partial(build, name, **common) for name in others})
    if size == 224:
        compared["xception_lite-exit1"] = partial(
            build, "xception_lite", exit_shortcut_kernel=1, **common
        )
    preset = PRESETS["86" if size == 32 else "imagenet"] | common
    for builder in (CondenseNet, CondenseNeXt):
        for form in FORMS:
            if size == 32 or form != "gather":
                name = f"{builder.__name__.lower()}-{form}"
                compared[name] = partial(condensed, builder, form, **preset)
    return compared


@dataclass(frozen=True)
class Claim:
    """That one network is so many times as fast as another at an image size, in these modes."""

    size: int
    faster: str
    slower: str
    at_least: float
    modes: tuple[str, ...] = ("float32", "int8")


CLAIMS = (
    Claim(32, "l_mobilenet", "mobilenet_v2", 3.0),
    Claim(32, "l_mobilenet", "shufflenet_v2", 2.0),
    Claim(32, "condensenet-masked", "condensenet-gather", 4.0, ("int8",)),
    Claim(32, "condensenet-sliced", "condensenet-masked", 1.0, ("int8",)),
    Claim(224, "xception_lite", "xception", 1.7, ("int8",)),
    Claim(224, "xception_lite-exit1", "xception", 1.7, ("int8",)),
)


def input_range(name: str) -> tuple[float, float]:
    """Return the pixel values that a network expects."""
    return MODELS[name].input_range if name in MODELS else (-1.0, 1.0)


# The first two candidates, in their form for small images. For large ones, take the strides back:
# LMobileNet(**{**R1, "strides": LARGE_STRIDES}).
R1: dict[str, Any] = {
    "spatial": "depthwise",
    "expansion": 3,
    "stages": ((16, 1), (24, 2), (32, 2), (64, 2), (96, 2), (160, 2), (320, 1)),
    "stem_filters": 32,
    "strides": (1, 1, 1, 2, 2, 1, 2, 1),
}
R3: dict[str, Any] = {**R1, "spatial": "plain", "expansion": 1}
_WIDE = {"stem_filters": 16, "strides": (1, 1, 2, 1, 2, 1, 2, 1)}
_EARLY = {"stem_filters": 16, "strides": (1, 2, 1, 2, 1, 1, 2, 1)}

# The search for L-Mobilenet's default: 12 blocks each; a stride moves where the image is halved.
CANDIDATES: dict[str, dict[str, Any]] = {
    "r1": R1,
    "r3": R3,
    "r1-early": {**R1, "strides": (1, 1, 2, 2, 2, 1, 2, 1)},
    "default": {},
    "wide-96": {
        **_WIDE,
        "stages": ((16, 1), (24, 2), (32, 2), (64, 2), (96, 2), (160, 2), (280, 1)),
    },
    "deep-64": {
        **_WIDE,
        "stages": ((16, 1), (24, 2), (32, 2), (64, 3), (88, 1), (160, 2), (320, 1)),
    },
    "early-48": {
        **_EARLY,
        "stages": ((24, 1), (32, 2), (48, 2), (64, 2), (96, 2), (160, 2), (240, 1)),
    },
    "plain-40": {
        **_WIDE,
        "spatial": "plain",
        "expansion": 1,
        "stages": ((16, 1), (24, 2), (40, 2), (64, 2), (96, 2), (152, 2), (256, 1)),
    },
    "plain-early": {
        **_EARLY,
        "spatial": "plain",
        "expansion": 1,
        "stages": ((24, 1), (32, 2), (48, 2), (64, 2), (96, 2), (152, 2), (240, 1)),
    },
}


def candidates() -> dict[str, Build]:
    """Return the search's candidates at 32 px, by name, the references first."""
    compared = {name: networks(32)[name] for name in REFERENCES[32]}
    for name, arguments in CANDIDATES.items():
        compared[f"l_mobilenet-{name}"] = partial(
            LMobileNet, input_shape=(32, 32, 3), classifier_activation=None, **arguments
        )
    return compared
