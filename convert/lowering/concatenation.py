"""Long concatenations become trees of short ones."""

from typing import Any

from keras import layers

from convert.lowering.view import View
from keras_lwcnn.model_graph import Rule

MAXIMUM_INPUTS = 4


def shorten_concatenation(graph: View) -> dict[str, Rule]:
    """Replace concatenations of more than four inputs, which the delegate does not take whole."""
    return {
        call.layer.name: _as_tree
        for call in graph.calls
        if isinstance(call.layer, layers.Concatenate) and len(call.inputs) > MAXIMUM_INPUTS
    }


def _as_tree(layer: layers.Concatenate, inputs: list[Any], **_: Any) -> Any:
    tensors, level = list(inputs), 0
    while len(tensors) > 1:
        level += 1
        chunks = [
            tensors[start : start + MAXIMUM_INPUTS]
            for start in range(0, len(tensors), MAXIMUM_INPUTS)
        ]
        tensors = [
            _concatenate(layer, chunk, "" if len(chunks) == 1 else f"_part{level}_{i}")
            for i, chunk in enumerate(chunks, 1)
        ]
    return tensors[0]


def _concatenate(layer: layers.Concatenate, tensors: list[Any], suffix: str) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    return layers.Concatenate(axis=layer.axis, name=layer.name + suffix)(tensors)
