"""Walking and rewriting the graph of a Keras model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

# A rule gets the original layer and the new input tensors of one call; it returns the new outputs.
Rule = Callable[..., Any]


@dataclass(frozen=True)
class LayerCall:
    """One use of a layer in a model, with its symbolic input and output tensors."""

    layer: keras.layers.Layer
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def flat_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model in order, with those of nested models in their place."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def as_functional(
    model: keras.Model, input_shape: tuple[int | None, ...] | None = None
) -> keras.Model:
    """Return a functional model that shares the layers of `model`.

    Args:
        model: functional, built sequential, or subclassed with a `call` of one input.
        input_shape: shape of one input; needed for a subclassed model.

    Raises:
        ValueError: a subclassed model without `input_shape`, or something that is no model.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"model is of type {type(model).__name__}; a keras.Model is needed.")
    if hasattr(model, "operations"):
        return model
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(_alone(model.inputs), _alone(model.outputs), name=model.name)
    if input_shape is None:
        raise ValueError(
            f"{model.name!r} has no graph of its own, since it is subclassed. Give its input_shape."
        )
    inputs = keras.Input(shape=input_shape)
    return keras.Model(inputs, model.call(inputs), name=model.name)


def run_graph(model: keras.Model, inputs: Any, call: Callable[..., Any]) -> Any:
    """Run through a model's graph, nested models opened, with `call(operation, *args, **kwargs)`.

    Args:
        model: the model.
        inputs: what takes the place of its input tensors.
        call: computes what takes the place of an operation's output.

    Returns:
        What takes the place of the model's output tensors, in their structure.
    """

    def visit(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Model):
            return run_graph(operation, args, call)
        return call(operation, *args, **kwargs)

    graph = as_functional(model)
    return graph._run_through_graph(
        keras.tree.flatten(inputs), operation_fn=lambda operation: partial(visit, operation)
    )


def layer_calls(model: keras.Model, inputs: list[Any] | None = None) -> list[LayerCall]:
    """List the uses of layers in the order of computation; the model is left as it is.

    Args:
        model: a functional or built sequential model, with nested ones opened.
        inputs: symbolic tensors to use as inputs; by default of the shapes of the model's own.

    Returns:
        The calls; where one call's output is another's input, it is the same object.
    """
    if inputs is None:
        inputs = [keras.KerasTensor(x.shape, dtype=x.dtype) for x in as_functional(model).inputs]
    calls: list[LayerCall] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation.compute_output_spec(*args, **kwargs)
        if isinstance(operation, keras.layers.Layer):
            tensors = tuple(x for x in keras.tree.flatten((args, kwargs)) if is_symbolic(x))
            calls.append(LayerCall(operation, tensors, tuple(keras.tree.flatten(outputs))))
        return outputs

    run_graph(model, inputs, call)
    return calls


def is_symbolic(value: Any) -> bool:
    """Tell whether a value is a symbolic tensor."""
    return isinstance(value, keras.KerasTensor)


def rewrite(
    model: keras.Model,
    rules: Mapping[str, Rule],
    to_tensor: Callable[[Any], Any] = lambda value: value,
) -> keras.Model:
    """Build a new model in which some layers are replaced; all others are copied with weights.

    Args:
        model: the model, which is left as it is; nested models are opened.
        rules: by layer name, `rule(layer, *inputs, **arguments)` in place of the layer's call. A
            rule may call several new layers, or none and return an input.
        to_tensor: makes a tensor of what a rule returned, for layers without a rule. Needed only
            for rules that pass each other something else than tensors.

    Returns:
        A functional model of the same inputs.
    """
    graph = as_functional(model)
    inputs = [
        keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name.split(":")[0])
        for x in graph.inputs
    ]
    copies: dict[int, Any] = {}

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        rule = rules.get(operation.name)
        if rule is not None:
            return rule(operation, *args, **kwargs)
        args, kwargs = keras.tree.map_structure(to_tensor, (args, kwargs))
        if id(operation) not in copies:
            copies[id(operation)] = operation.__class__.from_config(operation.get_config())
        copy = copies[id(operation)]
        outputs = copy(*args, **kwargs)
        if isinstance(operation, keras.layers.Layer):
            copy.set_weights(operation.get_weights())
        return outputs

    outputs = keras.tree.map_structure(to_tensor, run_graph(graph, inputs, call))
    return keras.Model(_alone(inputs), outputs, name=model.name)


def _alone(tensors: list[Any]) -> Any:
    """Return the tensor of a list of one: a model of a list warns when it is called with one."""
    return tensors[0] if len(tensors) == 1 else tensors


def with_weights(layer: keras.layers.Layer, inputs: Any, weights: list[Any]) -> Any:
    """Call a new layer on symbolic inputs, set its weights, and return the outputs."""
    outputs = layer(inputs)
    layer.set_weights(weights)
    return outputs


def producers(calls: list[LayerCall]) -> dict[int, LayerCall]:
    """Return, by the id of a tensor, the call that produces it."""
    return {id(tensor): call for call in calls for tensor in call.outputs}


def consumers(calls: list[LayerCall]) -> dict[int, list[LayerCall]]:
    """Return, by the id of a tensor, the calls that read it."""
    readers: dict[int, list[LayerCall]] = {}
    for call in calls:
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(call)
    return readers
