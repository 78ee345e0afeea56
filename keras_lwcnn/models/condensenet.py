"""CondenseNet and CondenseNeXt: dense blocks whose 1x1 convolutions learn their groups."""

from collections.abc import Callable, Sequence
from functools import partial
from math import gcd
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.layers import CondensedDense, GroupConv2D, LearnedGroupConv2D
from keras_lwcnn.models.application import application
from keras_lwcnn.weights.index import shipped_names

BOTTLENECK = 4
SELECTIONS = ("groups", "slices")

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
# The CondenseNeXts whose weights the package may hold, as `keras_lwcnn.weights` calls them.
PRETRAINED: dict[str, dict[str, Any]] = {
    "condensenext": PRESETS["86"],
    "condensenext_tiny": PRESETS["tiny"],
}

_plain = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
_conv = partial(layers.Conv2D, **_plain)
_group_conv = partial(GroupConv2D, **_plain)
_bn = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
_relu6 = partial(layers.ReLU, max_value=6.0)


def CondenseNet(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "condensenet",
    *,
    stages: Sequence[int] = (14, 14, 14),
    growth_rates: Sequence[int] = (8, 16, 32),
    groups: int = 4,
    condensation_factor: int = 4,
    stem_strides: int = 1,
    selection: str = "groups",
    classifier_condensation: int = 1,
) -> keras.Model:
    """Build CondenseNet; the defaults are CondenseNet-86 for CIFAR-10.

    A dense layer: BN, ReLU, learned group 1x1 convolution to 4k channels, BN, ReLU, 3x3 group
    convolution to k channels, concatenated to its input. Stages are joined by 2x2 average pools.

    Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet: An Efficient DenseNet using
    Learned Group Convolutions", CVPR 2018.

    Args:
        input_shape: (height, width, channels), by default (32, 32, 3), or (None, None, 3) without
            the top. Pixels in [-1, 1], see `preprocess_input`.
        include_top: whether to end in global average pooling and a classifier.
        weights: None (random) or the path of a `.weights.h5` or `.keras` file.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax", or None for logits.
        name: name of the model.
        stages: dense layers of each stage.
        growth_rates: output channels k of each stage's dense layers.
        groups: groups G of both convolutions.
        condensation_factor: C; after condensation a group reads 1/C of the inputs.
        selection: "groups": each group chooses its inputs, as published; "slices": all outputs
            share a choice of whole slices of neighbouring inputs, as wide as the growth rate
            allows (our variant, made for the deployment form `sliced`).
        stem_strides: stride of the 3x3 stem: 1 for CIFAR, 2 for ImageNet.
        classifier_condensation: the classifier keeps 1/this of its inputs after condensation: 1
            (all) for CIFAR, 2 (half) for ImageNet.

    Returns:
        The model, not yet condensed; output (batch, classes), or the feature map or vector
        without the top.

    Raises:
        ValueError: stages without as many growth rates, channels not divisible by `groups` or
            `condensation_factor`, unknown `selection`, images smaller than the product of the
            strides, and everything that `keras.applications` refuses.
    """
    learned_conv = _learned_conv(selection, groups, condensation_factor)

    def dense_layer(x: Any, growth_rate: int, name: str) -> Any:
        x = _bn(name=f"{name}_bn1")(x)
        x = layers.ReLU(name=f"{name}_relu1")(x)
        x = learned_conv(x, growth_rate, name=f"{name}_learned_conv")
        x = _bn(name=f"{name}_bn2")(x)
        x = layers.ReLU(name=f"{name}_relu2")(x)
        return _group_conv(growth_rate, 3, groups=groups, name=f"{name}_group_conv")(x)

    _check_groups("growth_rates", growth_rates, groups)
    return application(
        partial(_features, dense_layer, layers.ReLU, stages, growth_rates, stem_strides),
        name=name,
        input_shape=input_shape,
        default_size=32,
        minimum_size=stem_strides * 2 ** (len(stages) - 1),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        classifier=_classifier(classifier_condensation),
    )


def CondenseNeXt(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "condensenext",
    *,
    stages: Sequence[int] = (14, 14, 14),
    growth_rates: Sequence[int] = (8, 16, 32),
    groups: int = 4,
    condensation_factor: int = 8,
    pointwise_groups: int = 4,
    stem_strides: int = 1,
    selection: str = "groups",
    classifier_condensation: int = 2,
) -> keras.Model:
    """Build CondenseNeXt, a reconstruction of what the papers' text describes.

    A dense layer: BN, ReLU6, learned group 1x1 convolution to 4k channels, BN, ReLU6, depthwise
    3x3, grouped pointwise convolution to k channels, concatenated to its input. It is CondenseNet
    with a depthwise separable convolution in place of the 3x3 group convolution.

    Source: Kalgaonkar, El-Sharkawy, "CondenseNeXt: An Ultra-Efficient Deep Neural Network for
    Embedded Systems", CCWC 2021, arXiv 2112.00698. The published code computes another network
    than its figures count, so that its accuracy is no promise for this one.

    Args:
        input_shape: (height, width, channels), by default (32, 32, 3), or (None, None, 3) without
            the top. Pixels in [-1, 1], see `preprocess_input`.
        include_top: whether to end in global average pooling and a classifier.
        weights: None (random), the path of a `.weights.h5` or `.keras` file, or, for the default
            stages and `PRESETS["tiny"]`, the data set of weights that the package holds (`lwcnn
            weights list`): condensed ones, trained at 32 px.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax", or None for logits.
        name: name of the model.
        stages: dense layers of each stage.
        growth_rates: output channels k of each stage's dense layers.
        groups: groups G of the learned group convolution.
        condensation_factor: C; after condensation a group reads 1/C of the inputs.
        selection: "groups": each group chooses its inputs, as published; "slices": all outputs
            share a choice of whole slices of neighbouring inputs, as wide as the growth rate
            allows (our variant, made for the deployment form `sliced`).
        pointwise_groups: groups P of the pointwise convolution.
        stem_strides: stride of the 3x3 stem: 1 for CIFAR, 2 for ImageNet.
        classifier_condensation: the classifier keeps 1/this of its inputs after condensation.

    Returns:
        The model, not yet condensed unless `weights` are; output (batch, classes), or the feature
        map or vector without the top.

    Raises:
        ValueError: as `CondenseNet`, and shipped weights for other stages than theirs.
    """
    pretrained = _pretrained(weights, {"stages": stages, "growth_rates": growth_rates})
    learned_conv = _learned_conv(selection, groups, condensation_factor)

    def dense_layer(x: Any, growth_rate: int, name: str) -> Any:
        x = _bn(name=f"{name}_bn1")(x)
        x = _relu6(name=f"{name}_relu1")(x)
        x = learned_conv(x, growth_rate, name=f"{name}_learned_conv")
        x = _bn(name=f"{name}_bn2")(x)
        x = _relu6(name=f"{name}_relu2")(x)
        x = layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=False,
            depthwise_initializer="he_normal",
            name=f"{name}_depthwise_conv",
        )(x)
        pointwise = _group_conv(
            growth_rate, 1, groups=pointwise_groups, name=f"{name}_pointwise_conv"
        )
        return pointwise(x)

    _check_groups("growth_rates", growth_rates, pointwise_groups)
    return application(
        partial(_features, dense_layer, _relu6, stages, growth_rates, stem_strides),
        name=name,
        input_shape=input_shape,
        default_size=32,
        minimum_size=stem_strides * 2 ** (len(stages) - 1),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        classifier=_classifier(classifier_condensation),
        pretrained=pretrained,
    )


def _pretrained(weights: str | Path | None, given: dict[str, Sequence[int]]) -> str | None:
    """Give the name under which weights of these stages are shipped; None where none may be."""
    given = {name: tuple(values) for name, values in given.items()}
    name = next((name for name, stages in PRETRAINED.items() if stages == given), None)
    holders = {key: PRETRAINED[key] for key in PRETRAINED if str(weights) in shipped_names(key)}
    if holders and name not in holders:
        raise ValueError(
            f"The shipped weights {str(weights)!r} are those of "
            + " or ".join(f"{key} ({stages})" for key, stages in holders.items())
            + f". Received: {given}"
        )
    return name


def _features(
    dense_layer: Callable[[Any, int, str], Any],
    activation: Callable[..., layers.Layer],
    stages: Sequence[int],
    growth_rates: Sequence[int],
    stem_strides: int,
    x: Any,
) -> Any:
    if len(stages) != len(growth_rates) or not stages:
        raise ValueError(
            "stages and growth_rates must have the same length, at least 1. Received: "
            f"stages={tuple(stages)}, growth_rates={tuple(growth_rates)}"
        )
    x = _conv(2 * growth_rates[0], 3, strides=stem_strides, name="stem_conv")(x)
    for i, (depth, growth_rate) in enumerate(zip(stages, growth_rates, strict=True), 1):
        if i > 1:
            x = layers.AveragePooling2D(2, name=f"stage{i}_pool")(x)
        for j in range(1, depth + 1):
            block = f"stage{i}_layer{j}"
            x = layers.Concatenate(name=f"{block}_concat")(
                [x, dense_layer(x, growth_rate, name=block)]
            )
    x = _bn(name="final_bn")(x)
    return activation(name="final_relu")(x)


def _learned_conv(
    selection: str, groups: int, condensation_factor: int
) -> Callable[[Any, int, str], Any]:
    if selection not in SELECTIONS:
        raise ValueError(f"selection must be one of {SELECTIONS}. Received: {selection!r}")

    def learned_conv(x: Any, growth_rate: int, name: str) -> Any:
        slices = selection == "slices"
        return LearnedGroupConv2D(
            BOTTLENECK * growth_rate,
            groups=1 if slices else groups,
            condensation_factor=condensation_factor,
            slice_width=gcd(x.shape[-1], growth_rate) if slices else 1,
            name=name,
        )(x)

    return learned_conv


def _classifier(condensation_factor: int) -> Callable[..., layers.Layer]:
    if condensation_factor == 1:
        return layers.Dense
    return partial(CondensedDense, condensation_factor=condensation_factor)


def _check_groups(what: str, channels: Sequence[int], groups: int) -> None:
    if groups < 1 or any(count % groups for count in channels):
        raise ValueError(
            f"{what} must be multiples of the groups of the convolution that produces them. "
            f"Received: {what}={tuple(channels)}, groups={groups}"
        )
