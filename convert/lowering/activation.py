"""No activation stays an operation of its own: it is dropped, or fused into a convolution."""

from typing import Any

import numpy as np
from keras import layers

from convert.lowering.view import FUSING, View, relu_limit
from keras_lwcnn.model_graph import LayerCall, Rule, with_weights


def drop_repeated_activation(graph: View) -> dict[str, Rule]:
    """Leave out a ReLU or ReLU6 of something that went through the same one already."""
    rules: dict[str, Rule] = {}
    for call in graph.calls:
        limit = relu_limit(call.layer)
        before = graph.producer(call)
        if limit is not None and before is not None and relu_limit(before.layer) == limit:
            rules[call.layer.name] = _passed_on
    return rules


def carry_lone_activation(graph: View) -> dict[str, Rule]:
    """Put an identity in front of a ReLU or ReLU6 that no operation can take up.

    LiteRT folds an activation into the operation in front of it, where nothing else reads that
    output. One behind a concatenation or a pool, or beside a shortcut, stays an operation of its
    own, which leaves the delegate in int8 and costs far more than its arithmetic. A 1x1 depthwise
    convolution with weights of one takes it up and stays in the delegate.
    """
    return {
        call.layer.name: _carried
        for call in graph.calls
        if relu_limit(call.layer) is not None
        and len(call.inputs[0].shape) == 4
        and not _is_taken_up(graph, call)
    }


def _is_taken_up(graph: View, call: LayerCall) -> bool:
    before = graph.producer(call)
    if before is None or not graph.is_only_reader(call):
        return False
    # What is no folded normalization becomes a depthwise convolution, which fuses as well.
    return isinstance(before.layer, (*FUSING, layers.BatchNormalization)) or (
        relu_limit(before.layer) == relu_limit(call.layer)
    )


def _passed_on(_layer: layers.Layer, x: Any, **_: Any) -> Any:
    return x


def _carried(layer: layers.Layer, x: Any, **_: Any) -> Any:
    identity = layers.DepthwiseConv2D(1, use_bias=False, name=f"{layer.name}_identity")
    x = with_weights(identity, x, [np.ones((1, 1, x.shape[-1], 1), "float32")])
    return layer.__class__.from_config(layer.get_config())(x)
