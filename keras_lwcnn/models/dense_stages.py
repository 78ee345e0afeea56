"""What CondenseNet and CondenseNeXt share: stages of dense layers that learn their groups."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import Any

from keras import layers

from keras_lwcnn.layers import CondensedDense, GroupConv2D, LearnedGroupConv2D
from keras_lwcnn.models.builder import Features
from keras_lwcnn.models.image_input import check_size

BOTTLENECK = 4
SELECTIONS = ("groups", "slices")

_plain = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
conv = partial(layers.Conv2D, **_plain)
group_conv = partial(GroupConv2D, **_plain)
bn = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)


@dataclass(frozen=True)
class LearnedConv:
    """The learned 1x1 convolution in front of each dense layer's 3x3.

    Attributes:
        selection: "groups": each group chooses its inputs; "slices": all outputs share a choice
            of whole slices of neighbouring inputs.
        groups: number of groups.
        condensation_factor: C; after condensation a group reads 1/C of the inputs.

    Raises:
        ValueError: unknown `selection`.
    """

    selection: str
    groups: int
    condensation_factor: int

    def __post_init__(self) -> None:
        if self.selection not in SELECTIONS:
            raise ValueError(
                f"selection={self.selection!r} is unknown; allowed are {', '.join(SELECTIONS)}."
            )

    def __call__(self, x: Any, growth_rate: int, name: str) -> Any:
        """Convolve `x` to `BOTTLENECK` times the growth rate."""
        slices = self.selection == "slices"
        return LearnedGroupConv2D(
            BOTTLENECK * growth_rate,
            groups=1 if slices else self.groups,
            condensation_factor=self.condensation_factor,
            slice_width=gcd(x.shape[-1], growth_rate) if slices else 1,
            name=name,
        )(x)


def dense_stages(
    x: Any,
    stages: Sequence[int],
    growth_rates: Sequence[int],
    stem_strides: int,
    *,
    relu: Callable[..., layers.Layer],
    learned_conv: LearnedConv,
    spatial_conv: Callable[[Any, int, str], Any],
    classifier_condensation: int,
) -> Features:
    """Return a stem, stages of dense layers joined by 2x2 average pools, and their classifier.

    Args:
        x: the images.
        stages: dense layers of each stage.
        growth_rates: output channels k of each stage's dense layers.
        stem_strides: stride of the 3x3 stem.
        relu: makes the activations.
        learned_conv: the 1x1 convolution to 4k channels.
        spatial_conv: maps (tensor, growth rate, name of the dense layer) to k channels.
        classifier_condensation: the classifier keeps 1/this of its inputs after condensation.

    Raises:
        ValueError: stages without as many growth rates, or images that are too small.
    """
    if len(stages) != len(growth_rates) or not stages:
        raise ValueError(
            f"stages={tuple(stages)} do not go with growth_rates={tuple(growth_rates)}; both must "
            "have the same length, at least 1."
        )
    check_size(x, stem_strides * 2 ** (len(stages) - 1))

    x = conv(2 * growth_rates[0], 3, strides=stem_strides, name="stem_conv")(x)
    for i, (depth, growth_rate) in enumerate(zip(stages, growth_rates, strict=True), 1):
        if i > 1:
            x = layers.AveragePooling2D(2, name=f"stage{i}_pool")(x)
        for j in range(1, depth + 1):
            name = f"stage{i}_layer{j}"
            new = relu(name=f"{name}_relu1")(bn(name=f"{name}_bn1")(x))
            new = learned_conv(new, growth_rate, name=f"{name}_learned_conv")
            new = relu(name=f"{name}_relu2")(bn(name=f"{name}_bn2")(new))
            new = spatial_conv(new, growth_rate, name)
            x = layers.Concatenate(name=f"{name}_concat")([x, new])
    x = relu(name="final_relu")(bn(name="final_bn")(x))
    if classifier_condensation == 1:
        return Features(x)
    return Features(
        x, classifier=partial(CondensedDense, condensation_factor=classifier_condensation)
    )


def check_growth_rates(growth_rates: Sequence[int], name: str, groups: int) -> None:
    """Check that a convolution with as many groups as the argument `name` says has such outputs.

    Raises:
        ValueError: a growth rate that is no multiple of the groups.
    """
    if groups < 1 or any(rate % groups for rate in growth_rates):
        raise ValueError(
            f"growth_rates={tuple(growth_rates)} cannot be parted into {name}={groups}; allowed "
            f"are multiples of {name}, which is at least 1."
        )
