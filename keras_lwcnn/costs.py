"""What a network costs: parameters, multiply-accumulates and kept activations, per image.

Counting rules:

* MACs: one per multiplication of a weight with an input, in convolutions (of any rank, grouped,
  depthwise, separable, transposed) and dense layers. Biases, normalizations, activations, pools
  and sums count nothing.
* Parameters: elements of the weights. Of a condensed layer, the weights of its active inputs;
  masks, stages and seeds are no parameters.
* Kept activations: elements of the feature maps that the backward pass of training reads: inputs
  of layers with weights and of max pools, outputs of activations, each tensor once. Times batch
  size and bytes per element it estimates the part of training memory that grows with the batch.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import keras
from keras import layers

from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D
from keras_lwcnn.model_graph import LayerCall, as_functional, layer_calls


@dataclass(frozen=True)
class Costs:
    """Costs of a network, for one image.

    Args:
        parameters: all parameters, statistics of normalizations included.
        trainable_parameters: those that training changes.
        macs: multiply-accumulates of one inference.
        activations: elements of the feature maps that training keeps for the backward pass.
        uncounted: names of layers with weights for which no rule says how many MACs they have.
    """

    parameters: int
    trainable_parameters: int
    macs: int
    activations: int
    uncounted: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return asdict(self)


def costs(model: keras.Model, input_shape: tuple[int, ...] | None = None) -> Costs:
    """Count what any Keras model costs.

    Args:
        model: a functional, sequential or nested model, built; a subclassed one needs
            `input_shape` and a `call` that takes the input alone.
        input_shape: shape of one input without the batch; needed where the model leaves it open.

    Returns:
        The counts.

    Raises:
        ValueError: an input shape that is open, or that the model refuses.
    """
    calls = _calls(model, input_shape)
    return Costs(
        parameters=_parameters(model.weights, calls),
        trainable_parameters=_parameters(model.trainable_weights, calls),
        macs=sum(_macs(call) or 0 for call in calls),
        activations=_kept_activations(calls),
        uncounted=tuple(
            dict.fromkeys(
                call.layer.name for call in calls if _macs(call) is None and call.layer.weights
            )
        ),
    )


def condensenet_flops(model: keras.Model, input_shape: tuple[int, ...] | None = None) -> int:
    """Count FLOPs as the CondenseNet paper's tables do.

    One for each MAC of convolutions, each element of a ReLU, each output of a pool times its
    window, each weight and bias of the classifier.

    Args:
        model: as for `costs`.
        input_shape: as for `costs`.

    Returns:
        The number of FLOPs of one inference.
    """
    total = 0
    for call in _calls(model, input_shape):
        layer = call.layer
        total += _macs(call) or 0
        if isinstance(layer, (layers.Dense, CondensedDense)) and layer.bias is not None:
            total += layer.units
        elif isinstance(layer, layers.ReLU):
            total += _elements(call.outputs)
        elif isinstance(layer, (layers.AveragePooling2D, layers.MaxPooling2D)):
            total += _elements(call.outputs) * math.prod(layer.pool_size)
        elif isinstance(layer, (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)):
            total += _elements(call.inputs)
    return total


def _calls(model: keras.Model, input_shape: tuple[int, ...] | None) -> list[LayerCall]:
    graph = as_functional(model, input_shape)
    if input_shape is None:
        shapes = [tuple(tensor.shape[1:]) for tensor in graph.inputs]
    else:
        shapes = [tuple(input_shape)]
    if any(None in shape for shape in shapes):
        raise ValueError(
            f"{model.name!r} has an open input shape, {shapes}; a known one is needed. Use "
            "costs(model, input_shape=(height, width, channels))."
        )
    inputs = [
        keras.KerasTensor((None, *shape), dtype=tensor.dtype)
        for shape, tensor in zip(shapes, graph.inputs, strict=True)
    ]
    return layer_calls(graph, inputs)


def _elements(tensors: tuple[Any, ...]) -> int:
    return sum(math.prod(tensor.shape[1:]) for tensor in tensors)


def _spatial(layer: layers.Layer, shape: tuple[int | None, ...]) -> int:
    inner = shape[2:] if layer.data_format == "channels_first" else shape[1:-1]
    return math.prod(inner)


# Names of weights that steer a condensed layer and are no parameters.
STATE = ("mask", "stage", "schedule", "lasso")

_CONVOLUTIONS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_NORMALIZATIONS = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.UnitNormalization,
    layers.RMSNormalization,
    layers.Normalization,
)
_ACTIVATIONS = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Softmax,
    layers.Dropout,
)
_MAX_POOLS = (
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)


def _macs(call: LayerCall) -> int | None:
    """Return the MACs of a call, or None where no rule exists."""
    layer = call.layer
    if isinstance(layer, LearnedGroupConv2D):
        _, height, width, _ = call.outputs[0].shape
        return height * width * _active_weights(layer)
    if isinstance(layer, CondensedDense):
        return _active_weights(layer)
    if isinstance(layer, _TRANSPOSED):
        return _spatial(layer, call.inputs[0].shape) * math.prod(layer.kernel.shape)
    if isinstance(layer, _SEPARABLE):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        weights = sum(math.prod(kernel.shape) for kernel in kernels)
        return _spatial(layer, call.outputs[0].shape) * weights
    if isinstance(layer, _CONVOLUTIONS):
        return _spatial(layer, call.outputs[0].shape) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        positions = math.prod(call.outputs[0].shape[1:-1])
        return positions * math.prod(layer.kernel.shape)
    if isinstance(layer, (*_NORMALIZATIONS, *_ACTIVATIONS)) or not layer.weights:
        return 0
    return None


def _active_weights(layer: LearnedGroupConv2D | CondensedDense) -> int:
    if isinstance(layer, LearnedGroupConv2D):
        return int(layer.active_inputs.sum()) * (layer.filters // layer.groups)
    return int(layer.active_inputs.sum()) * layer.units


def _parameters(weights: list[Any], calls: list[LayerCall]) -> int:
    # By identity, how much a condensed layer's weights count: of its kernel the active part, of
    # its mask and stage nothing.
    counts: dict[int, int] = {}
    for layer in (call.layer for call in calls):
        if isinstance(layer, (LearnedGroupConv2D, CondensedDense)):
            counts.update({id(x): 0 for x in layer.weights if x.name in STATE})
            counts[id(layer.kernel)] = _active_weights(layer)
    return sum(
        counts.get(id(weight), math.prod(weight.shape))
        for weight in weights
        if keras.backend.is_float_dtype(weight.dtype)
    )


def _kept_activations(calls: list[LayerCall]) -> int:
    kept: dict[int, Any] = {}
    for call in calls:
        layer = call.layer
        if isinstance(layer, _ACTIVATIONS):
            tensors = call.outputs
        elif layer.weights or isinstance(layer, (*_MAX_POOLS, layers.Multiply)):
            tensors = call.inputs
            activation = getattr(layer, "activation", None)
            if activation not in (None, keras.activations.linear):
                tensors += call.outputs
        else:
            continue
        kept.update((id(tensor), tensor) for tensor in tensors)
    return _elements(tuple(kept.values()))
