"""Which channels of a float file may be rescaled, and which of them only together."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from convert.quantize.weighted_ops import WeightedOp, weighted_ops
from convert.tflite import flatbuffer

RELU6 = schema.ActivationFunctionType.RELU6
SCALING = (schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU, RELU6)
"""Activations that a positive factor passes through, RELU6 below its limit."""
CHANNELWISE = ("ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD", "RELU", "RELU6")
"""Ops that compute channel c from channel c of each input; a factor passes through them."""

NONE = np.zeros(0, int)
Link = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Channels:
    """The channels (last axis) of all activations, each with a slot in the arrays.

    A channel is still the same channel behind a concatenation, a pool or a sum. It can only be
    rescaled in all these places at once: by a factor in the layers that compute it, and by its
    inverse in those that read it. The channels of the model's input and output, and those that any
    other op reads or computes, are fixed.

    Attributes:
        slots: tensor index -> slots of its channels.
        group: group of each slot; the channels of a group share one factor.
        fixed: whether each slot's factor is 1.
        family: family of each slot; tensors that share a group belong to one family.
        limited: whether each slot is an output of a RELU6.
        mixed: whether each slot is read by a layer whose weights have one scale for several inputs.
    """

    slots: dict[int, np.ndarray] = field(repr=False)
    group: np.ndarray = field(repr=False)
    fixed: np.ndarray = field(repr=False)
    family: np.ndarray = field(repr=False)
    limited: np.ndarray = field(repr=False)
    mixed: np.ndarray = field(repr=False)


def channels(model: schema.ModelT) -> Channels:
    """Return the channels of all activations of a float32 flatbuffer."""
    graph = model.subgraphs[0]
    slots = _slots(model)
    scaling = {id(layer.op) for layer in weighted_ops(model) if _reads_channels(layer, slots)}
    count = sum(map(len, slots.values()))
    fixed, limited, mixed = (np.zeros(count, bool) for _ in range(3))
    links: list[Link] = []
    for op in graph.operators:
        name = flatbuffer.op_name(model, op)
        target = int(op.outputs[0])
        activation = getattr(op.builtinOptions, "fusedActivationFunction", 0)
        limited[slots[target]] = name == "RELU6" or activation == RELU6
        if activation in SCALING and id(op) in scaling:
            mixed[slots[int(op.inputs[0])]] |= name != "DEPTHWISE_CONV_2D"
        elif activation in SCALING and (passed := _links(model, op, slots)) is not None:
            links += passed
        else:
            for tensor in (*op.inputs, *op.outputs):
                fixed[slots.get(int(tensor), NONE)] = True
    for tensor in (*graph.inputs, *graph.outputs):
        fixed[slots[int(tensor)]] = True
    group = _components(count, links)
    return Channels(
        slots=slots,
        group=group,
        fixed=_any_of(fixed, group),
        family=_components(count, [*links, *((own, own[:1]) for own in slots.values())]),
        limited=limited,
        mixed=_any_of(mixed, group),
    )


def largest_of(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return for each slot the largest value, at least 0, of its group."""
    largest = np.zeros(len(values))
    np.maximum.at(largest, group, values)
    return largest[group]


def _any_of(flags: np.ndarray, group: np.ndarray) -> np.ndarray:
    return largest_of(flags, group) > 0


def _slots(model: schema.ModelT) -> dict[int, np.ndarray]:
    graph = model.subgraphs[0]
    outputs = (int(tensor) for op in graph.operators for tensor in op.outputs)
    slots, start = {}, 0
    for tensor in [*map(int, graph.inputs), *outputs]:
        shape = graph.tensors[tensor].shape
        width = int(shape[-1]) if shape is not None and len(shape) else 1
        slots[tensor] = np.arange(start, start := start + width)
    return slots


def _reads_channels(layer: WeightedOp, slots: dict[int, np.ndarray]) -> bool:
    """Tell whether weights belong to input channels; a dense layer may read a whole image."""
    return layer.source in slots and (
        layer.name != "FULLY_CONNECTED" or layer.weights.shape[1] == len(slots[layer.source])
    )


def _links(
    model: schema.ModelT, op: schema.OperatorT, slots: dict[int, np.ndarray]
) -> list[Link] | None:
    """Return pairs of input and output channels that an op passes on; None for other ops."""
    name = flatbuffer.op_name(model, op)
    target = slots[int(op.outputs[0])]
    sources = [slots.get(int(tensor)) for tensor in op.inputs]
    if name in ("MEAN", "PAD"):
        # The second input says which axes.
        sources = sources[:1]
    if name == "MEAN" and _averages_channels(model, op):
        return None
    if any(source is None for source in sources):
        return None
    if name == "CONCATENATION" and sum(map(len, sources)) == len(target):
        return [(np.concatenate(sources), target)]
    if name in CHANNELWISE and all(len(source) == len(target) for source in sources):
        return [(source, target) for source in sources]
    return None


def _averages_channels(model: schema.ModelT, op: schema.OperatorT) -> bool:
    tensors = model.subgraphs[0].tensors
    source, axes = (tensors[int(tensor)] for tensor in op.inputs)
    stored, rank = model.buffers[axes.buffer].data, len(source.shape)
    # Axes that are computed may be any.
    return stored is None or rank - 1 in np.asarray(stored, np.uint8).view(np.int32) % rank


def _components(count: int, links: Iterable[Link]) -> np.ndarray:
    pairs = [np.broadcast_arrays(one, other) for one, other in links]
    rows, columns = (np.concatenate([NONE, *(pair[side] for pair in pairs)]) for side in (0, 1))
    joined = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    return connected_components(joined, directed=False)[1]
