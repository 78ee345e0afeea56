"""L-Mobilenet: bottlenecks of a 1x1 branch beside a 3x3 branch."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.models.application import application, is_small

# (filters, blocks) of each stage: 12 blocks of 3 layers, with stem and classifier 38 layers.
STAGES = ((16, 1), (24, 2), (32, 2), (64, 2), (88, 2), (160, 2), (312, 1))
STEM_FILTERS = 16

# Strides of the stem and of the first block of each stage.
LARGE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
SMALL_STRIDES = (1, 1, 2, 1, 2, 1, 2, 1)

# The first two candidates of the search for the default design, in their form for small images.
# For large ones, take the strides back: LMobileNet(**{**R1, "strides": LARGE_STRIDES}).
R1: dict[str, Any] = {
    "spatial": "depthwise",
    "expansion": 3,
    "stages": ((16, 1), (24, 2), (32, 2), (64, 2), (96, 2), (160, 2), (320, 1)),
    "stem_filters": 32,
    "strides": (1, 1, 1, 2, 2, 1, 2, 1),
}
R3: dict[str, Any] = {**R1, "spatial": "plain", "expansion": 1}

SPATIALS = ("depthwise", "plain")

_conv = partial(layers.Conv2D, padding="same", use_bias=False, kernel_initializer="he_normal")
_bn = partial(layers.BatchNormalization, momentum=0.9)


def LMobileNet(
    input_shape: tuple[int | None, int | None, int] | None = None,
    include_top: bool = True,
    weights: str | Path | None = None,
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: str | Callable | None = "softmax",
    name: str = "l_mobilenet",
    *,
    spatial: str = "depthwise",
    expansion: float = 3,
    stages: Sequence[tuple[int, int]] = STAGES,
    strides: Sequence[int] | None = None,
    stem_filters: int = STEM_FILTERS,
) -> keras.Model:
    """Build L-Mobilenet, a reconstruction: the paper publishes its idea but no table of layers.

    Source of the idea (parallel 1x1 and 3x3 kernels in a residual bottleneck, 38 layers): Lei,
    Liu, Zhou, Sun, Zheng, "Exploring Hardware Friendly Bottleneck Architecture in CNN for Embedded
    Computing Systems", ICIP 2019, arXiv 2403.06352. Widths and strides are our design: the one
    that meets the paper's ratios of depth, parameters and time against MobileNetV2 and
    ShuffleNetV2 at once, chosen among the candidates of `benchmarks/architectures`.

    A block from C to F channels, with E = expansion * C:

        reuse:   1x1 conv to E/2, stride s, BN, ReLU
        spatial: 1x1 conv, BN, ReLU, 3x3 conv to E/2, stride s, neither BN nor ReLU
        concat(reuse, spatial), 1x1 conv to F, BN; plus the input where s == 1 and C == F

    The 1x1 of the spatial branch gives E/2 channels to a depthwise 3x3, E to a plain one.

    Args:
        input_shape: (height, width, channels), by default (32, 32, 3), or (None, None, 3) without
            the top. Pixels in [-1, 1], see `preprocess_input`.
        include_top: whether to end in global average pooling and a classifier.
        weights: None (random), the path of a `.weights.h5` or `.keras` file, or the data set of
            weights that the package holds (`lwcnn weights list`), trained at 32 px.
        input_tensor: a Keras tensor to build upon.
        pooling: without the top: None, "avg" or "max".
        classes: number of classes.
        classifier_activation: "softmax", or None for logits.
        name: name of the model.
        spatial: "depthwise" or "plain" 3x3 convolutions.
        expansion: E / C, above.
        stages: (filters, blocks) of each stage.
        strides: stride of the stem, then of each stage's first block. None: `SMALL_STRIDES` where
            height and width are known and at most 64, else `LARGE_STRIDES`; these go with as many
            stages as `STAGES` has.
        stem_filters: output channels of the 3x3 stem.

    Returns:
        The model; output (batch, classes), or the feature map or vector without the top.

    Raises:
        ValueError: unknown `spatial`, strides that do not go with the stages, an expansion that
            gives no even number of channels, images smaller than the product of the strides, and
            everything that `keras.applications` refuses.
    """
    if spatial not in SPATIALS:
        raise ValueError(f"spatial must be one of {SPATIALS}. Received: spatial={spatial!r}")

    def chosen_strides(shape: tuple) -> Sequence[int]:
        chosen = strides or (SMALL_STRIDES if is_small(shape) else LARGE_STRIDES)
        if len(chosen) != len(stages) + 1:
            raise ValueError(
                f"strides must have one entry for the stem and one for each of the {len(stages)} "
                f"stages. Received: strides={tuple(chosen)}"
            )
        return chosen

    def features(x: Any) -> Any:
        stem_stride, *stage_strides = chosen_strides(tuple(x.shape[1:]))
        x = _conv(stem_filters, 3, strides=stem_stride, name="stem_conv")(x)
        x = _bn(name="stem_bn")(x)
        x = layers.ReLU(name="stem_relu")(x)
        for i, ((filters, blocks), stride) in enumerate(zip(stages, stage_strides, strict=True), 1):
            for j in range(1, blocks + 1):
                x = _block(
                    x,
                    filters,
                    stride if j == 1 else 1,
                    expansion,
                    spatial,
                    name=f"stage{i}_block{j}",
                )
        return x

    return application(
        features,
        name=name,
        input_shape=input_shape,
        default_size=32,
        minimum_size=lambda shape: prod(chosen_strides(shape)),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        pretrained="l_mobilenet",
    )


def _block(x: Any, filters: int, stride: int, expansion: float, spatial: str, name: str) -> Any:
    inputs = x
    channels = x.shape[-1]
    half = expansion * channels / 2
    if half != int(half) or half < 1:
        raise ValueError(
            "expansion times the channels of a block must be an even number. Received: "
            f"expansion={expansion} with {channels} channels in {name}"
        )
    half = int(half)

    reuse = _conv(half, 1, strides=stride, name=f"{name}_reuse_conv")(x)
    reuse = _bn(name=f"{name}_reuse_bn")(reuse)
    reuse = layers.ReLU(name=f"{name}_reuse_relu")(reuse)

    widened = half if spatial == "depthwise" else 2 * half
    x = _conv(widened, 1, name=f"{name}_expand_conv")(x)
    x = _bn(name=f"{name}_expand_bn")(x)
    x = layers.ReLU(name=f"{name}_expand_relu")(x)
    if spatial == "depthwise":
        x = layers.DepthwiseConv2D(
            3,
            strides=stride,
            padding="same",
            use_bias=False,
            # Keeps the variance. Keras' variance scaling takes all channels for the inputs of each
            # output: the branch would begin up to 15 times too weak, and no BN makes that good.
            depthwise_initializer=keras.initializers.RandomNormal(stddev=1 / 3),
            name=f"{name}_spatial_conv",
        )(x)
    else:
        x = _conv(half, 3, strides=stride, name=f"{name}_spatial_conv")(x)

    x = layers.Concatenate(name=f"{name}_concat")([reuse, x])
    x = _conv(filters, 1, name=f"{name}_project_conv")(x)
    x = _bn(name=f"{name}_project_bn")(x)
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
