"""CondenseNet: dense stages whose 1x1 convolutions learn their groups."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.dense_stages import (
    LearnedConv,
    check_growth_rates,
    dense_stages,
    group_conv,
)

# Arguments of the published CondenseNets (CIFAR: depth 6N + 2), and of the sizes that the
# CondenseNeXt papers use. Merge one into a builder's arguments: CondenseNet(**PRESETS["86"]).
PRESETS: dict[str, dict[str, Any]] = {
    **{
        str(6 * n + 2): {"stages": (n,) * 3, "growth_rates": (8, 16, 32)}
        for n in (8, 12, 14, 16, 18, 20)
    },
    "182": {"stages": (30,) * 3, "growth_rates": (12, 24, 48)},
    "tiny": {"stages": (4,) * 3, "growth_rates": (8,) * 3},
    # The deepest of three equal stages whose int8 file, in the form `masked`, is under 3.0 MB.
    "large": {"stages": (17,) * 3, "growth_rates": (8, 16, 32)},
    "imagenet": {
        "stages": (4, 6, 8, 10, 8),
        "growth_rates": (8, 16, 32, 64, 128),
        "stem_strides": 2,
        "classifier_condensation": 2,
        "classes": 1000,
        "input_shape": (224, 224, 3),
    },
}


@builder(name="condensenet", size=32, classes=10)
def CondenseNet(
    x: Any,
    *,
    stages: Sequence[int] = (14, 14, 14),
    growth_rates: Sequence[int] = (8, 16, 32),
    groups: int = 4,
    condensation_factor: int = 4,
    stem_strides: int = 1,
    selection: str = "groups",
    classifier_condensation: int = 1,
) -> Features:
    """Build CondenseNet, not yet condensed; the defaults are CondenseNet-86 for CIFAR-10.

    A dense layer: BN, ReLU, learned group 1x1 convolution to 4k channels, BN, ReLU, 3x3 group
    convolution to k channels, concatenated to its input. Stages are joined by 2x2 average pools.

    Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet: An Efficient DenseNet using
    Learned Group Convolutions", CVPR 2018.

    Args:
        stages: dense layers of each stage.
        growth_rates: output channels k of each stage's dense layers.
        groups: groups G of both convolutions.
        condensation_factor: C; after condensation a group reads 1/C of the inputs.
        stem_strides: stride of the 3x3 stem: 1 for CIFAR, 2 for ImageNet.
        selection: "groups": each group chooses its inputs, as published; "slices": all outputs
            share a choice of whole slices of neighbouring inputs, as wide as the growth rate
            allows (our variant, made for the deployment form `sliced`).
        classifier_condensation: the classifier keeps 1/this of its inputs after condensation: 1
            (all) for CIFAR, 2 (half) for ImageNet.

    Raises:
        ValueError: stages without as many growth rates, channels not divisible by `groups` or
            `condensation_factor`, or unknown `selection`.

    Example:
        >>> from keras_lwcnn import CondenseNet
        >>> from keras_lwcnn.condensation import condense, deploy
        >>> model = CondenseNet(stages=(1, 2), growth_rates=(8, 8), classes=5)
        >>> condense(model)  # training prunes step by step instead
        >>> deploy(model, "gather").output_shape
        (None, 5)
    """
    check_growth_rates(growth_rates, "groups", groups)

    def spatial_conv(x: Any, growth_rate: int, name: str) -> Any:
        return group_conv(growth_rate, 3, groups=groups, name=f"{name}_group_conv")(x)

    return dense_stages(
        x,
        stages,
        growth_rates,
        stem_strides,
        relu=layers.ReLU,
        learned_conv=LearnedConv(selection, groups, condensation_factor),
        spatial_conv=spatial_conv,
        classifier_condensation=classifier_condensation,
    )
