"""Average pools become depthwise convolutions, which the delegate also runs in int8."""

from typing import Any

import numpy as np
from keras import layers

from convert.lowering.view import View
from keras_lwcnn.model_graph import Rule, with_weights


def average_pool_as_depthwise(graph: View) -> dict[str, Rule]:
    """Replace average pools by depthwise convolutions with constant weights.

    Pools with padding "same" average over fewer pixels at the border; they are replaced only where
    their windows tile the image, so that no border is met.
    """
    return {
        call.layer.name: _as_depthwise
        for call in graph.calls
        if isinstance(call.layer, layers.AveragePooling2D)
        and call.layer.data_format == "channels_last"
        and call.layer.strides[0] == call.layer.strides[1]
        and _meets_no_border(call.layer, call.inputs[0].shape)
    }


def _meets_no_border(layer: layers.AveragePooling2D, shape: tuple[int | None, ...]) -> bool:
    if layer.padding == "valid":
        return True
    window, strides = tuple(layer.pool_size), tuple(layer.strides)
    return window == strides and all(
        side is not None and side % size == 0 for side, size in zip(shape[1:3], window, strict=True)
    )


def _as_depthwise(layer: layers.AveragePooling2D, x: Any, **_: Any) -> Any:
    height, width = layer.pool_size
    kernel = np.full((height, width, x.shape[-1], 1), 1.0 / (height * width), "float32")
    depthwise = layers.DepthwiseConv2D(
        (height, width), strides=layer.strides, use_bias=False, name=layer.name
    )
    return with_weights(depthwise, x, [kernel])
