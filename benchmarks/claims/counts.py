"""Parameters and operations of the networks that the papers describe, built to be counted."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from keras_lwcnn.condensation import condense
from keras_lwcnn.costs import condensenet_flops, costs
from keras_lwcnn.models import CondenseNet, CondenseNeXt, XceptionLite, build
from keras_lwcnn.models.condensenet import PRESETS

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class Count:
    """The counts of one network.

    Attributes:
        parameters: as Keras counts them, statistics of normalizations included.
        trainable: those that training changes; of condensed layers, the kept weights.
        macs: multiply-accumulates per image.
        flops: per image, as the CondenseNet paper counts them.
        depth: layers with weights on L-Mobilenet's longest path; of no meaning for others.
    """

    parameters: int
    trainable: int
    macs: int
    flops: int
    depth: int = 0


class Counts(dict[str, Count]):
    """Counts by name; a network is built and counted when it is first asked for."""

    def __missing__(self, name: str) -> Count:
        self[name] = count(BUILDS[name]())
        return self[name]


def count(model: keras.Model) -> Count:
    """Return the counts of a built network."""
    cost = costs(model)
    return Count(
        parameters=model.count_params(),
        trainable=cost.trainable_parameters,
        macs=cost.macs,
        flops=condensenet_flops(model),
        depth=depth(model),
    )


def depth(model: keras.Model) -> int:
    """Return the number of layers with weights on L-Mobilenet's longest path, classifier included.

    The 1x1 of a block's reuse branch stands beside the spatial branch, so it adds no depth.
    """
    weighted = [layer for layer in model.layers if isinstance(layer, CONVOLUTIONS)]
    beside = [layer for layer in weighted if layer.name.endswith("reuse_conv")]
    return len(weighted) - len(beside) + 1


def condensed(builder: Callable[..., keras.Model], **arguments: Any) -> keras.Model:
    """Return a network whose learned groups are condensed to their last stage."""
    model = builder(**arguments)
    condense(model)
    return model


LARGE = PRESETS["imagenet"]
EIGHT = {"groups": 8, "condensation_factor": 8}
BUILDS: dict[str, Callable[[], keras.Model]] = {
    **{name: partial(build, name) for name in ("l_mobilenet", "mobilenet_v2", "shufflenet_v2")},
    **{
        f"condensenet-{preset}": partial(condensed, CondenseNet, **PRESETS[preset])
        for preset in ("50", "74", "86", "98", "110", "122", "182")
    },
    "condensenet-86-cifar100": partial(condensed, CondenseNet, **PRESETS["86"], classes=100),
    "condensenet-74-G4": partial(condensed, CondenseNet, **LARGE),
    "condensenet-74-G8": partial(condensed, CondenseNet, **(LARGE | EIGHT)),
    "condensenext": partial(condensed, CondenseNeXt),
    "condensenext_tiny": partial(condensed, CondenseNeXt, **PRESETS["tiny"]),
    **{f"xception_lite-{n}": partial(XceptionLite, classes=n) for n in (101, 1)},
    "xception_lite-no-top": partial(XceptionLite, include_top=False, input_shape=(224, 224, 3)),
    "xception_lite-exit1": partial(XceptionLite, exit_shortcut_kernel=1),
    **{f"xception-{n}": partial(build, "xception", classes=n) for n in (1000, 101, 1)},
}
