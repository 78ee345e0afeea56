"""CondenseNeXt: CondenseNet with depthwise separable convolutions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from keras import layers

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.condensenet import PRESETS
from keras_lwcnn.models.dense_stages import (
    LearnedConv,
    check_growth_rates,
    dense_stages,
    group_conv,
)

_depthwise = partial(
    layers.DepthwiseConv2D,
    3,
    padding="same",
    use_bias=False,
    depthwise_initializer="he_normal",
)
_relu6 = partial(layers.ReLU, max_value=6.0)


@builder(
    name="condensenext",
    size=32,
    classes=10,
    shipped={"condensenext": PRESETS["86"], "condensenext_tiny": PRESETS["tiny"]},
)
def CondenseNeXt(
    x: Any,
    *,
    stages: Sequence[int] = (14, 14, 14),
    growth_rates: Sequence[int] = (8, 16, 32),
    groups: int = 4,
    condensation_factor: int = 8,
    pointwise_groups: int = 4,
    stem_strides: int = 1,
    selection: str = "groups",
    classifier_condensation: int = 2,
) -> Features:
    """Build CondenseNeXt, a reconstruction of what the papers' text describes.

    A dense layer: BN, ReLU6, learned group 1x1 convolution to 4k channels, BN, ReLU6, depthwise
    3x3, grouped pointwise convolution to k channels, concatenated to its input. It is CondenseNet
    with a depthwise separable convolution in place of the 3x3 group convolution.

    The model is not yet condensed, unless it gets shipped weights: those are condensed and were
    trained at 32 px; there are some for the default stages and for `PRESETS["tiny"]`.

    Source: Kalgaonkar, El-Sharkawy, "CondenseNeXt: An Ultra-Efficient Deep Neural Network for
    Embedded Systems", CCWC 2021, arXiv 2112.00698. The published code computes another network
    than its figures count, so that its accuracy is no promise for this one.

    Args:
        stages: dense layers of each stage.
        growth_rates: output channels k of each stage's dense layers.
        groups: groups G of the learned group convolution.
        condensation_factor: C; after condensation a group reads 1/C of the inputs.
        pointwise_groups: groups P of the pointwise convolution.
        stem_strides: stride of the 3x3 stem: 1 for CIFAR, 2 for ImageNet.
        selection: "groups": each group chooses its inputs, as published; "slices": all outputs
            share a choice of whole slices of neighbouring inputs, as wide as the growth rate
            allows (our variant, made for the deployment form `sliced`).
        classifier_condensation: the classifier keeps 1/this of its inputs after condensation.

    Raises:
        ValueError: as `CondenseNet`, and shipped weights for other stages than theirs.

    Example:
        >>> from keras_lwcnn import CondenseNeXt
        >>> from keras_lwcnn.condensation import condense, deploy
        >>> model = CondenseNeXt(stages=(1, 2), growth_rates=(8, 8), classes=5)
        >>> condense(model)  # training prunes step by step instead
        >>> deploy(model, "masked").output_shape
        (None, 5)
    """
    check_growth_rates(growth_rates, "pointwise_groups", pointwise_groups)

    def spatial_conv(x: Any, growth_rate: int, name: str) -> Any:
        x = _depthwise(name=f"{name}_depthwise_conv")(x)
        pointwise_name = f"{name}_pointwise_conv"
        return group_conv(growth_rate, 1, groups=pointwise_groups, name=pointwise_name)(x)

    return dense_stages(
        x,
        stages,
        growth_rates,
        stem_strides,
        relu=_relu6,
        learned_conv=LearnedConv(selection, groups, condensation_factor),
        spatial_conv=spatial_conv,
        classifier_condensation=classifier_condensation,
    )
