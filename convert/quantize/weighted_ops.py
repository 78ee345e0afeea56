"""Weights and biases of the ops of a flatbuffer, as arrays that can be changed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import flatbuffer

CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""Axis of the weights along which the output channels lie."""
WEIGHT_LEVELS = 127


@dataclass
class WeightedOp:
    """A view of an op with constant float weights: a convolution or a dense layer.

    Attributes:
        model: the flatbuffer object that holds it.
        op: the operator.
        name: "CONV_2D", "DEPTHWISE_CONV_2D" or "FULLY_CONNECTED".
    """

    model: schema.ModelT
    op: schema.OperatorT
    name: str

    @property
    def source(self) -> int:
        """Tensor index of the input."""
        return int(self.op.inputs[0])

    @property
    def target(self) -> int:
        """Tensor index of the output."""
        return int(self.op.outputs[0])

    @property
    def target_name(self) -> str:
        """Name of the output tensor."""
        return self.model.subgraphs[0].tensors[self.target].name.decode()

    @property
    def weights(self) -> np.ndarray:
        """A copy of the weights, float32."""
        return self._constant(int(self.op.inputs[1]))

    @weights.setter
    def weights(self, value: np.ndarray) -> None:
        self._store(int(self.op.inputs[1]), value)

    @property
    def bias(self) -> np.ndarray | None:
        """A copy of the bias, float32 (output channels), None when the op has none."""
        if len(self.op.inputs) < 3 or self.op.inputs[2] < 0:
            return None
        return self._constant(int(self.op.inputs[2]))

    @bias.setter
    def bias(self, value: np.ndarray) -> None:
        self._store(int(self.op.inputs[2]), value)

    def _constant(self, index: int) -> np.ndarray:
        tensor = self.model.subgraphs[0].tensors[index]
        data = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8)
        return np.frombuffer(data.tobytes(), np.float32).reshape(tensor.shape)

    def _store(self, index: int, value: np.ndarray) -> None:
        # Equal constants share a buffer, so the changed one gets its own.
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value, np.float32).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensors = self.model.subgraphs[0].tensors
        shared = sum(index in other.inputs for other in self.model.subgraphs[0].operators) > 1
        if shared:
            tensor = schema.TensorT()
            tensor.shape, tensor.type = tensors[index].shape, tensors[index].type
            tensor.name = tensors[index].name + b"_own"
            tensors.append(tensor)
            place = list(self.op.inputs).index(index)
            self.op.inputs = np.array(self.op.inputs)
            self.op.inputs[place] = index = len(tensors) - 1
        tensors[index].buffer = len(self.model.buffers) - 1


def weighted_ops(model: schema.ModelT) -> Iterator[WeightedOp]:
    """Yield the convolutions and dense layers with float weights, in the order of the graph."""
    tensors = model.subgraphs[0].tensors
    for op in model.subgraphs[0].operators:
        name = flatbuffer.op_name(model, op)
        if name in CHANNEL_AXIS:
            weights = tensors[op.inputs[1]]
            stored = model.buffers[weights.buffer].data
            if weights.type == schema.TensorType.FLOAT32 and stored is not None:
                yield WeightedOp(model, op, name)


def restore_weights(content: bytes, original: bytes, targets: Collection[str]) -> bytes:
    """Return a flatbuffer in which some layers have the weights and biases that they had before.

    Args:
        content: a float flatbuffer whose weights were changed.
        original: the flatbuffer that it was.
        targets: names of the layers' output tensors.
    """
    if not targets:
        return content
    model = flatbuffer.read(content)
    before = {op.target_name: op for op in weighted_ops(flatbuffer.read(original))}
    for op in weighted_ops(model):
        if op.target_name in targets:
            op.weights = before[op.target_name].weights
            if op.bias is not None:
                op.bias = before[op.target_name].bias
    return flatbuffer.write(model)


def rounding_error(op: WeightedOp) -> np.ndarray:
    """Return int8 weights minus float weights, with one symmetric scale per output channel."""
    weights = op.weights
    axis = CHANNEL_AXIS[op.name]
    others = tuple(i for i in range(weights.ndim) if i != axis)
    scale = np.abs(weights).max(axis=others, keepdims=True) / WEIGHT_LEVELS
    scale = np.where(scale == 0, 1, scale)
    return np.rint(weights / scale) * scale - weights
