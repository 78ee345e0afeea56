"""The forms in which a condensed model ships: one function, three graphs.

* `masked`: dense 1x1 convolutions with zeros where inputs are pruned. No MAC is saved, but mobile
  runtimes are fast at every operation.
* `gather`: the published small form: the kept inputs are gathered, a group convolution reads them,
  and a shuffle restores the order of its outputs.
* `sliced`: the kept inputs are taken as slices of neighbouring channels from the maps that produce
  them and joined by concatenations of at most four. It saves the MACs without a gather. It takes
  any mask, but is only small for models built with `selection="slices"`, our variant.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_lwcnn.layers import (
    ChannelGather,
    ChannelShuffle,
    ChannelSlice,
    CondensedDense,
    GroupConv2D,
    LearnedGroupConv2D,
)
from keras_lwcnn.model_graph import (
    LayerCall,
    Rule,
    consumers,
    layer_calls,
    producers,
    rewrite,
    with_weights,
)

FORMS = ("masked", "gather", "sliced")
MAXIMUM_CONCAT = 4


def deploy(model: keras.Model, form: str = "masked") -> keras.Model:
    """Build a deployment form of a model: the same function in ordinary layers.

    Args:
        model: a model with learned group convolutions at any stage; it is left as it is.
        form: one of `FORMS`.

    Returns:
        A new model whose outputs equal those of `model` to rounding.

    Raises:
        ValueError: an unknown form.
    """
    if form not in FORMS:
        raise ValueError(f"form={form!r} is unknown; allowed are {', '.join(FORMS)}.")
    calls = layer_calls(model)
    rules: dict[str, Rule] = {}
    for call in calls:
        layer = call.layer
        if isinstance(layer, CondensedDense):
            rules[layer.name] = _gathered_dense if form == "gather" else _masked_dense
        elif isinstance(layer, LearnedGroupConv2D) and form == "masked":
            rules[layer.name] = _masked_conv
        elif isinstance(layer, LearnedGroupConv2D):
            front = _front(call, calls)
            rules.update({part.name: _passed_on for part in front})
            build = _gathered_conv if form == "gather" else _sliced_conv
            rules[layer.name] = partial(build, front)
        elif form == "sliced" and _joins_channels(call):
            rules[layer.name] = _joined_later
    return rewrite(model, rules, to_tensor=_as_tensor)


def _masked_conv(layer: LearnedGroupConv2D, x: Any, **_: Any) -> Any:
    conv = layers.Conv2D(layer.filters, 1, use_bias=False, name=layer.name)
    return with_weights(conv, x, [layer.active_kernel])


def _masked_dense(layer: CondensedDense, x: Any, **_: Any) -> Any:
    dense = layers.Dense(layer.units, activation=layer.activation, name=layer.name)
    return with_weights(dense, x, [layer.active_kernel, np.asarray(layer.get_weights()[1])])


def _gathered_dense(layer: CondensedDense, x: Any, **_: Any) -> Any:
    kept = np.flatnonzero(layer.active_inputs)
    x = ChannelGather(kept.tolist(), name=f"{layer.name}_gather")(x)
    dense = layers.Dense(layer.units, activation=layer.activation, name=layer.name)
    return with_weights(dense, x, [layer.active_kernel[kept], np.asarray(layer.get_weights()[1])])


def _gathered_conv(front: list[layers.Layer], layer: LearnedGroupConv2D, x: Any, **_: Any) -> Any:
    kept = [np.flatnonzero(column) for column in layer.active_inputs.T]
    channels = np.concatenate(kept)
    x = ChannelGather(channels.tolist(), name=f"{layer.name}_gather")(x)
    x = _apply_front(front, x, channels)
    conv = GroupConv2D(layer.filters, 1, groups=layer.groups, use_bias=False, name=layer.name)
    kernels = [_group_kernel(layer, group, inputs) for group, inputs in enumerate(kept)]
    x = with_weights(conv, x, [np.concatenate(kernels, axis=-1)])
    return _in_order(layer, x)


def _sliced_conv(front: list[layers.Layer], layer: LearnedGroupConv2D, x: Any, **_: Any) -> Any:
    source = x if isinstance(x, _Pieces) else _Pieces((x,), layer.name)
    kept = [np.flatnonzero(column) for column in layer.active_inputs.T]
    if all(np.array_equal(inputs, kept[0]) for inputs in kept):
        x = _apply_front(front, source.select(kept[0], layer.name), kept[0])
        conv = layers.Conv2D(layer.filters, 1, use_bias=False, name=layer.name)
        return with_weights(conv, x, [layer.active_kernel[:, :, kept[0]]])
    outputs = []
    for group, inputs in enumerate(kept):
        suffix = f"_group{group}"
        x = source.select(inputs, layer.name + suffix)
        x = _apply_front(front, x, inputs, suffix)
        conv = layers.Conv2D(
            layer.filters // layer.groups, 1, use_bias=False, name=layer.name + suffix
        )
        outputs.append(with_weights(conv, x, [_group_kernel(layer, group, inputs)]))
    return _in_order(layer, _concatenate(outputs, f"{layer.name}_concat"))


def _group_kernel(layer: LearnedGroupConv2D, group: int, inputs: np.ndarray) -> np.ndarray:
    return layer.active_kernel[:, :, inputs, group :: layer.groups]


def _in_order(layer: LearnedGroupConv2D, x: Any) -> Any:
    """Bring outputs that stand group by group into the order of output o in group o % groups."""
    if layer.groups == 1:
        return x
    return ChannelShuffle(layer.groups, name=f"{layer.name}_shuffle")(x)


def _front(call: LayerCall, calls: list[LayerCall]) -> list[layers.Layer]:
    """Return the normalization and activation that only this convolution reads, in order."""
    made_by, read_by = producers(calls), consumers(calls)
    front: list[layers.Layer] = []
    tensor = call.inputs[0]
    while id(tensor) in made_by and len(read_by[id(tensor)]) == 1:
        before = made_by[id(tensor)]
        if not isinstance(before.layer, (layers.BatchNormalization, layers.ReLU)):
            break
        front.insert(0, before.layer)
        tensor = before.inputs[0]
    return front


def _apply_front(front: list[layers.Layer], x: Any, channels: np.ndarray, suffix: str = "") -> Any:
    """Apply the layers in front of a convolution to the channels that it keeps."""
    for layer in front:
        config = {**layer.get_config(), "name": layer.name + suffix}
        weights = [weight[channels] for weight in layer.get_weights()]
        x = with_weights(layer.__class__.from_config(config), x, weights)
    return x


def _passed_on(_layer: layers.Layer, x: Any, **_: Any) -> Any:
    return x


def _joins_channels(call: LayerCall) -> bool:
    return (
        isinstance(call.layer, layers.Concatenate)
        and len(call.outputs[0].shape) == 4
        and call.layer.axis in (-1, 3)
    )


def _joined_later(layer: layers.Concatenate, inputs: list[Any], **_: Any) -> "_Pieces":
    pieces: list[Any] = []
    for value in inputs:
        pieces += value.tensors if isinstance(value, _Pieces) else [value]
    return _Pieces(tuple(pieces), layer.name)


@dataclass(eq=False)
class _Pieces:
    """Feature maps that stand for their concatenation, which is only made where it is needed."""

    tensors: tuple[Any, ...]
    name: str
    joined: Any = None

    def tensor(self) -> Any:
        """Return the concatenation."""
        if self.joined is None:
            self.joined = _concatenate(list(self.tensors), self.name)
        return self.joined

    def select(self, channels: np.ndarray, name: str) -> Any:
        """Return the concatenation of the given channels, ascending, as slices of the maps."""
        chosen = []
        offset = 0
        for tensor in self.tensors:
            width = tensor.shape[-1]
            inside = channels[(channels >= offset) & (channels < offset + width)] - offset
            for run in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
                if len(run) == width:
                    chosen.append(tensor)
                elif len(run):
                    start, stop = int(run[0]), int(run[-1]) + 1
                    layer = ChannelSlice(start, stop, name=f"{name}_slice{len(chosen) + 1}")
                    chosen.append(layer(tensor))
            offset += width
        return _concatenate(chosen, f"{name}_join")


def _concatenate(tensors: list[Any], name: str) -> Any:
    """Concatenate channels by operations of at most `MAXIMUM_CONCAT` inputs."""
    level = 0
    while len(tensors) > 1:
        level += 1
        chunks = [
            tensors[start : start + MAXIMUM_CONCAT]
            for start in range(0, len(tensors), MAXIMUM_CONCAT)
        ]
        last = len(chunks) == 1
        tensors = [
            layers.Concatenate(name=name if last else f"{name}_part{level}_{i}")(chunk)
            if len(chunk) > 1
            else chunk[0]
            for i, chunk in enumerate(chunks, 1)
        ]
    return tensors[0]


def _as_tensor(value: Any) -> Any:
    return value.tensor() if isinstance(value, _Pieces) else value
