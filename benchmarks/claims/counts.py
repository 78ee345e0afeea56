"""Counts of the networks that the papers describe, taken from networks that are built for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from keras_lwcnn.condensation import condense
from keras_lwcnn.costs import condensenet_flops, costs
from keras_lwcnn.models import CondenseNet, CondenseNeXt, XceptionLite, build
from keras_lwcnn.models.condensenet import PRESETS

LARGE = (224, 224, 3)
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Count:
    """What one network counts.

    Attributes:
        parameters: all of them, as Keras counts: statistics of normalizations included.
        trainable: those that training changes; of condensed layers, the kept weights.
        macs: multiply-accumulates of an image.
        flops: of an image, as the CondenseNet paper counts.
        depth: of L-Mobilenet: its layers with weights on the longest path. Of no meaning for
            others.
    """

    parameters: int
    trainable: int
    macs: int
    flops: int
    depth: int = 0


class Counts(dict[str, Count]):
    """Counts by name; a network is built and counted when it is first asked for."""

    def __missing__(self, name: str) -> Count:
        self[name] = count(builds()[name]())
        return self[name]


def count(model: keras.Model) -> Count:
    """Count a network that is built."""
    found = costs(model)
    return Count(
        parameters=model.count_params(),
        trainable=found.trainable_parameters,
        macs=found.macs,
        flops=condensenet_flops(model),
        depth=depth(model),
    )


def depth(model: keras.Model) -> int:
    """Count the layers with weights on L-Mobilenet's longest path, the classifier among them.

    The 1x1 of a block's reuse branch stands beside the spatial branch, not before or behind it.
    """
    weighted = [layer for layer in model.layers if isinstance(layer, CONVOLUTIONS)]
    beside = [layer for layer in weighted if layer.name.endswith("reuse_conv")]
    return len(weighted) - len(beside) + 1


def builds() -> dict[str, Callable[[], keras.Model]]:
    """Return how to build each network that is counted, by the name that the sections use."""
    found: dict[str, Callable[[], keras.Model]] = {
        name: partial(build, name) for name in ("l_mobilenet", "mobilenet_v2", "shufflenet_v2")
    }
    for preset in ("50", "74", "86", "98", "110", "122", "182"):
        found[f"condensenet-{preset}"] = _condensed(CondenseNet, PRESETS[preset])
    found["condensenet-86-cifar100"] = _condensed(CondenseNet, {**PRESETS["86"], "classes": 100})
    large = PRESETS["imagenet"]
    found["condensenet-74-G4"] = _condensed(CondenseNet, large)
    found["condensenet-74-G8"] = _condensed(
        CondenseNet, {**large, "groups": 8, "condensation_factor": 8}
    )
    found["condensenext"] = _condensed(CondenseNeXt, {})
    found["condensenext_tiny"] = _condensed(CondenseNeXt, PRESETS["tiny"])
    for classes in (101, 1):
        found[f"xception_lite-{classes}"] = partial(XceptionLite, classes=classes)
    found["xception_lite-no-top"] = partial(XceptionLite, include_top=False, input_shape=LARGE)
    found["xception_lite-exit1"] = partial(XceptionLite, exit_shortcut_kernel=1)
    for classes in (1000, 101, 1):
        found[f"xception-{classes}"] = partial(build, "xception", classes=classes)
    return found


def _condensed(
    builder: Callable[..., keras.Model], arguments: dict[str, Any]
) -> Callable[[], keras.Model]:
    def built() -> keras.Model:
        model = builder(**arguments)
        condense(model)
        return model

    return built
