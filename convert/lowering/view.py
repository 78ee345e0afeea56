"""A model's graph as the rewrites look at it."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from keras_lwcnn.model_graph import LayerCall, consumers, layer_calls, producers

# Layers into whose operation LiteRT's converter folds an activation that alone reads them.
FUSING = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.Dense,
    layers.Add,
    layers.Subtract,
    layers.Multiply,
)
# Layers into whose weights it folds a batch normalization that alone reads them.
FOLDING = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)


@dataclass(frozen=True)
class View:
    """The calls of a model's layers, with who makes and who reads each tensor.

    Layers that are called more than once are left out of `calls`: a rewrite replaces a layer
    wherever it is called, so that it may only replace those that are called once.
    """

    calls: tuple[LayerCall, ...]
    made_by: dict[int, LayerCall]
    read_by: dict[int, list[LayerCall]]

    def producer(self, call: LayerCall) -> LayerCall | None:
        """Return the call that makes the first input of `call`, None for a model input."""
        return self.made_by.get(id(call.inputs[0]))

    def only_reader(self, call: LayerCall) -> LayerCall | None:
        """Return the one call that reads the output of `call`; None for several or none."""
        readers = self.read_by.get(id(call.outputs[0]), [])
        return readers[0] if len(readers) == 1 else None

    def is_only_reader(self, call: LayerCall) -> bool:
        """Tell whether `call` alone reads its first input."""
        return len(self.read_by.get(id(call.inputs[0]), [])) == 1

    def is_folded(self, call: LayerCall) -> bool:
        """Tell whether a batch normalization folds into the convolution that it reads."""
        before = self.producer(call)
        return (
            before is not None
            and isinstance(before.layer, FOLDING)
            and getattr(before.layer, "activation", None) in (None, keras.activations.linear)
            and self.is_only_reader(call)
        )


def view(model: keras.Model) -> View:
    """Look at a model with one input shape, nested models opened."""
    calls = layer_calls(model)
    uses: dict[str, int] = {}
    for call in calls:
        uses[call.layer.name] = uses.get(call.layer.name, 0) + 1
    return View(
        tuple(call for call in calls if uses[call.layer.name] == 1 and call.inputs),
        producers(calls),
        consumers(calls),
    )


def relu_limit(layer: Any) -> tuple[float | None] | None:
    """Return (upper limit,) where a layer is a ReLU (None) or ReLU6 (6.0), else None."""
    if isinstance(layer, layers.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        if plain and layer.max_value in (None, 6.0):
            return (None if layer.max_value is None else 6.0,)
    if isinstance(layer, layers.Activation):
        if layer.activation is keras.activations.relu:
            return (None,)
        if layer.activation is keras.activations.relu6:
            return (6.0,)
    return None
