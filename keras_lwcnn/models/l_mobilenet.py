"""L-Mobilenet: bottlenecks of a 1x1 branch beside a 3x3 branch."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.image_input import chosen_strides

# (filters, blocks) of each stage: 12 blocks of 3 layers, with stem and classifier 38 layers.
STAGES = ((16, 1), (24, 2), (32, 2), (64, 2), (88, 2), (160, 2), (312, 1))
STEM_FILTERS = 16

# Strides of the stem and of the first block of each stage.
LARGE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
SMALL_STRIDES = (1, 1, 2, 1, 2, 1, 2, 1)

SPATIALS = ("depthwise", "plain")

_conv = partial(layers.Conv2D, padding="same", use_bias=False, kernel_initializer="he_normal")
_bn = partial(layers.BatchNormalization, momentum=0.9)
_relu = layers.ReLU


@builder(name="l_mobilenet", size=32, classes=10, shipped={"l_mobilenet": {}})
def LMobileNet(
    x: Any,
    *,
    spatial: str = "depthwise",
    expansion: float = 3,
    stages: Sequence[tuple[int, int]] = STAGES,
    strides: Sequence[int] | None = None,
    stem_filters: int = STEM_FILTERS,
) -> Features:
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

    The 1x1 of the spatial branch has E/2 outputs before a depthwise 3x3, E before a plain one.
    Shipped weights were trained at 32 px.

    Args:
        spatial: "depthwise" or "plain" 3x3 convolutions.
        expansion: E / C, above.
        stages: (filters, blocks) of each stage.
        strides: stride of the stem, then of each stage's first block. None: `SMALL_STRIDES` where
            height and width are known and at most 64, else `LARGE_STRIDES`; these go with as many
            stages as `STAGES` has.
        stem_filters: output channels of the 3x3 stem.

    Raises:
        ValueError: unknown `spatial`, strides that do not go with the stages, or an expansion
            that makes an odd number of channels.

    Example:
        >>> from keras_lwcnn import LMobileNet
        >>> model = LMobileNet((32, 32, 3), classes=5, stages=((16, 1), (24, 2)), strides=(1, 1, 2))
        >>> model.output_shape
        (None, 5)
    """
    if spatial not in SPATIALS:
        raise ValueError(f"spatial={spatial!r} is unknown; allowed are {', '.join(SPATIALS)}.")
    stem_stride, *stage_strides = chosen_strides(
        x, strides, small=SMALL_STRIDES, large=LARGE_STRIDES, stages=len(stages)
    )
    block = partial(_block, expansion=expansion, spatial=spatial)

    x = _conv(stem_filters, 3, strides=stem_stride, name="stem_conv")(x)
    x = _relu(name="stem_relu")(_bn(name="stem_bn")(x))
    for i, ((filters, blocks), stride) in enumerate(zip(stages, stage_strides, strict=True), 1):
        for j in range(1, blocks + 1):
            x = block(x, filters, stride if j == 1 else 1, name=f"stage{i}_block{j}")
    return Features(x)


def _block(x: Any, filters: int, stride: int, name: str, *, expansion: float, spatial: str) -> Any:
    inputs = x
    channels = x.shape[-1]
    half = expansion * channels / 2
    if half != int(half) or half < 1:
        raise ValueError(
            f"expansion={expansion} of the {channels} channels of {name} makes "
            f"{expansion * channels:g}; an even number is needed, for two branches alike."
        )
    half = int(half)

    reuse = _conv(half, 1, strides=stride, name=f"{name}_reuse_conv")(x)
    reuse = _relu(name=f"{name}_reuse_relu")(_bn(name=f"{name}_reuse_bn")(reuse))

    widened = half if spatial == "depthwise" else 2 * half
    x = _conv(widened, 1, name=f"{name}_expand_conv")(x)
    x = _relu(name=f"{name}_expand_relu")(_bn(name=f"{name}_expand_bn")(x))
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
    x = _bn(name=f"{name}_project_bn")(_conv(filters, 1, name=f"{name}_project_conv")(x))
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
