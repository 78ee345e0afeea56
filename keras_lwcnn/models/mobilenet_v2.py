"""MobileNetV2, a baseline, with the strides that CIFAR images need."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from keras import layers

from keras_lwcnn.models.builder import Features, builder
from keras_lwcnn.models.image_input import chosen_strides

STEM_FILTERS = 32
# (expansion, filters, blocks) of each stage.
STAGES = (
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 3),
    (6, 64, 4),
    (6, 96, 3),
    (6, 160, 3),
    (6, 320, 1),
)
HEAD_FILTERS = 1280

# Strides of the stem and of the first block of each stage.
LARGE_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
SMALL_STRIDES = (1, 1, 1, 2, 2, 1, 2, 1)

_plain = {"padding": "same", "use_bias": False}
_conv = partial(layers.Conv2D, kernel_initializer="he_normal", **_plain)
_depthwise = partial(layers.DepthwiseConv2D, 3, depthwise_initializer="he_normal", **_plain)
_bn = partial(layers.BatchNormalization, momentum=0.9)
_relu6 = partial(layers.ReLU, max_value=6.0)


@builder(name="mobilenet_v2", size=32, classes=10)
def MobileNetV2(x: Any, *, strides: Sequence[int] | None = None) -> Features:
    """Build MobileNetV2 1.0; at 32 px it keeps the resolution of stem and 24-channel stage.

    Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", CVPR 2018.

    Args:
        strides: stride of the stem, then of each stage's first block. None: `SMALL_STRIDES` where
            height and width are known and at most 64, else `LARGE_STRIDES`.

    Raises:
        ValueError: strides that do not go with the stages.

    Example:
        >>> from keras_lwcnn.models import MobileNetV2
        >>> model = MobileNetV2((96, 96, 3), include_top=False, pooling="avg")
        >>> model.output_shape
        (None, 1280)
    """
    stem_stride, *stage_strides = chosen_strides(
        x, strides, small=SMALL_STRIDES, large=LARGE_STRIDES, stages=len(STAGES)
    )
    x = _conv(STEM_FILTERS, 3, strides=stem_stride, name="stem_conv")(x)
    x = _relu6(name="stem_relu")(_bn(name="stem_bn")(x))
    for i, (stage, stride) in enumerate(zip(STAGES, stage_strides, strict=True), 1):
        expansion, filters, blocks = stage
        for j in range(1, blocks + 1):
            name = f"stage{i}_block{j}"
            x = _block(x, expansion, filters, stride if j == 1 else 1, name=name)
    x = _conv(HEAD_FILTERS, 1, name="head_conv")(x)
    return Features(_relu6(name="head_relu")(_bn(name="head_bn")(x)))


def _block(x: Any, expansion: int, filters: int, stride: int, name: str) -> Any:
    inputs = x
    channels = x.shape[-1]
    if expansion > 1:
        x = _conv(expansion * channels, 1, name=f"{name}_expand_conv")(x)
        x = _relu6(name=f"{name}_expand_relu")(_bn(name=f"{name}_expand_bn")(x))
    x = _depthwise(strides=stride, name=f"{name}_depthwise_conv")(x)
    x = _relu6(name=f"{name}_depthwise_relu")(_bn(name=f"{name}_depthwise_bn")(x))
    x = _bn(name=f"{name}_project_bn")(_conv(filters, 1, name=f"{name}_project_conv")(x))
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
