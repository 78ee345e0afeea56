"""A classifier in two parts: the last layer, which learns, and the body in front of it."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_lwcnn.layers import CondensedDense
from keras_lwcnn.model_graph import as_functional, layer_calls, rewrite

ACTIVATIONS = (keras.activations.linear, keras.activations.softmax)


@dataclass(frozen=True)
class Head:
    """The last layer of a classifier.

    Attributes:
        name: of the layer.
        kernel: float32 (features, classes).
        bias: float32 (classes,).
        use_bias: whether the layer has a bias; if not, `bias` is zeros and stays so.
        mask: float32 (features, 1), 1 where the kernel may change, 0 where it was pruned.
        softmax: whether the layer ends in a softmax.
    """

    name: str
    kernel: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    use_bias: bool
    mask: np.ndarray = field(repr=False)
    softmax: bool


def split_head(model: keras.Model) -> tuple[keras.Model, Head]:
    """Take the last layer off a classifier.

    Args:
        model: a checked model (`convert.source.float_tflite.check_model`), which is left as it is.

    Returns:
        A model of all other layers, with the output features (batch, features), and the last layer.

    Raises:
        ValueError: the last layer is no Dense or CondensedDense of two units or more on feature
            vectors, is used several times, or has another activation than softmax.
    """
    layer = _last_operation(model)
    known = f"{layer.name!r} ({type(layer).__name__})"
    if not isinstance(layer, (keras.layers.Dense, CondensedDense)):
        raise ValueError(
            f"model {model.name!r} ends in {known}, which cannot be trained on the device; allowed "
            "as the last layer are Dense and CondensedDense"
        )
    if layer.activation not in ACTIVATIONS:
        activation = getattr(layer.activation, "__name__", layer.activation)
        raise ValueError(
            f"layer {known} has the activation {activation!r}; allowed are softmax and None, as "
            "the file is trained by softmax cross entropy"
        )
    if layer.units < 2 or len(model.outputs[0].shape) != 2:
        raise ValueError(
            f"layer {known} has the output {tuple(model.outputs[0].shape)}; allowed is (batch, "
            "classes) with 2 classes or more"
        )
    uses = sum(call.layer.name == layer.name for call in layer_calls(model))
    if uses != 1:
        raise ValueError(
            f"layer {known} is called {uses} times, or others have its name; allowed is one call"
        )
    body = rewrite(model, {layer.name: lambda _, features: features})
    return body, _head(layer)


def _last_operation(model: keras.Model) -> Any:
    last = as_functional(model).operations[-1]
    return _last_operation(last) if isinstance(last, keras.Model) else last


def _head(layer: Any) -> Head:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    bias = np.zeros(layer.units) if layer.bias is None else keras.ops.convert_to_numpy(layer.bias)
    mask = np.ones(len(kernel))
    if isinstance(layer, CondensedDense):
        mask = layer.active_inputs
    mask = mask.astype(np.float32)[:, None]
    return Head(
        name=layer.name,
        kernel=kernel.astype(np.float32) * mask,
        bias=bias.astype(np.float32),
        use_bias=layer.bias is not None,
        mask=mask,
        softmax=layer.activation is keras.activations.softmax,
    )
