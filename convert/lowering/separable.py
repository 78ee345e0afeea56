"""The 1x1 depthwise of a separable convolution is folded into its pointwise kernel."""

from typing import Any

import keras
import numpy as np
from keras import layers

from convert.lowering.view import View
from keras_lwcnn.model_graph import Rule, with_weights


def fold_pointwise_separable(graph: View) -> dict[str, Rule]:
    """Replace separable convolutions of kernel 1x1 by plain ones.

    A 1x1 depthwise kernel only scales its channel, so that the product of both kernels is one 1x1
    kernel: an operation less, and a smaller file.
    """
    return {
        call.layer.name: _as_convolution
        for call in graph.calls
        if isinstance(call.layer, layers.SeparableConv2D)
        and tuple(call.layer.kernel_size) == (1, 1)
        and call.layer.data_format == "channels_last"
    }


def _as_convolution(layer: layers.SeparableConv2D, x: Any, **_: Any) -> Any:
    depthwise, pointwise, *bias = layer.get_weights()
    channels, multiplier = depthwise.shape[2:]
    scales = depthwise.reshape(channels * multiplier, 1)
    # Depthwise outputs are ordered channel by channel, each with its multiples.
    scaled = (pointwise[0, 0] * scales).reshape(channels, multiplier, -1)
    kernel = np.sum(scaled, axis=1)[None, None]
    conv = layers.Conv2D(
        layer.filters,
        1,
        strides=layer.strides,
        use_bias=layer.use_bias,
        activation=keras.activations.serialize(layer.activation),
        name=layer.name,
    )
    return with_weights(conv, x, [kernel, *bias])
