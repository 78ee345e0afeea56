"""Our group convolutions become single grouped operations, which the delegate runs at once."""

from typing import Any

from keras import layers

from convert.lowering.view import View
from keras_lwcnn.layers import GroupConv2D
from keras_lwcnn.model_graph import Rule, with_weights


def join_groups(graph: View) -> dict[str, Rule]:
    """Replace `GroupConv2D`, which computes its groups one by one, by `Conv2D` with groups."""
    return {
        call.layer.name: _as_convolution
        for call in graph.calls
        if isinstance(call.layer, GroupConv2D)
    }


def _as_convolution(layer: GroupConv2D, x: Any, **_: Any) -> Any:
    conv = layers.Conv2D.from_config(layer.get_config())
    return with_weights(conv, x, layer.get_weights())
