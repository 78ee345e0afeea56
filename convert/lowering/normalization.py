"""A batch normalization without a convolution in front becomes a 1x1 depthwise convolution."""

from typing import Any

import numpy as np
from keras import layers

from convert.lowering.view import View
from keras_lwcnn.model_graph import Rule, with_weights


def normalization_as_depthwise(graph: View) -> dict[str, Rule]:
    """Replace batch normalizations that do not fold into a convolution in front of them.

    One behind a convolution is folded by the converter, exactly. One behind a concatenation or a
    sum would stay as a multiplication and an addition. A 1x1 depthwise convolution with bias is one
    operation instead, takes up the activation behind it, and is quantized channel by channel.
    """
    return {
        call.layer.name: _as_depthwise
        for call in graph.calls
        if isinstance(call.layer, layers.BatchNormalization)
        and len(call.inputs[0].shape) == 4
        and call.layer.axis in (-1, 3)
        and not graph.is_folded(call)
    }


def _as_depthwise(layer: layers.BatchNormalization, x: Any, **_: Any) -> Any:
    mean = np.asarray(layer.moving_mean)
    scale = 1.0 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma)
    bias = -mean * scale
    if layer.center:
        bias = bias + np.asarray(layer.beta)
    depthwise = layers.DepthwiseConv2D(1, name=layer.name)
    return with_weights(depthwise, x, [scale.reshape(1, 1, -1, 1), bias])
