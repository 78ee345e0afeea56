"""Reading, changing and writing the TFLite flatbuffer itself."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

SQUASHING = ("SOFTMAX", "LOGISTIC")
INPUT_NAME = "images"
SIGNATURE = "serving_default"
NO_RANGE = 1e-8
"""Above the scale that TensorFlow gives where it saw no range, a 255th of 2e-6."""

_NAME_OF = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}


def read(content: bytes) -> schema.ModelT:
    """Return a flatbuffer as an object whose fields can be changed.

    Buffers that stand behind the flatbuffer, as the quantizer writes them, are taken in: their
    offsets would be wrong once anything else changes.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(content)
    for buffer in model.buffers:
        if buffer.offset:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def write(model: schema.ModelT) -> bytes:
    """Return the flatbuffer of an object."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def op_name(model: schema.ModelT, op: schema.OperatorT) -> str:
    """Return an op's name: "CONV_2D", or a custom op's own name."""
    code = model.operatorCodes[op.opcodeIndex]
    if code.customCode:
        return code.customCode.decode()
    return _NAME_OF[max(code.builtinCode, code.deprecatedBuiltinCode)]


def without_range(content: bytes) -> list[str]:
    """Return the names of the quantized op outputs that calibration found to be 0 throughout."""
    model = read(content)
    graph = model.subgraphs[0]
    outputs = [graph.tensors[op.outputs[0]] for op in graph.operators]
    return [
        tensor.name.decode()
        for tensor in outputs
        if tensor.quantization is not None
        and tensor.quantization.scale is not None
        and max(tensor.quantization.scale) < NO_RANGE
    ]


def finish(content: bytes, output: str = "model") -> bytes:
    """Return a freshly converted float file with its output form, tensor names and signature.

    Args:
        content: a float32 flatbuffer with one input and one output.
        output: "model" leaves the output as it is, "logits" strips a final softmax or sigmoid,
            "probabilities" appends one where there is none (sigmoid for one unit).
    """
    model = read(content)
    graph = model.subgraphs[0]
    squashed = _squash_op(model)
    if output == "logits" and squashed:
        graph.outputs = [int(_producer(graph).inputs[0])]
        graph.operators = [op for op in graph.operators if op is not squashed]
        _drop_unused_codes(model)
        squashed = None
    elif output == "probabilities" and not squashed:
        squashed = _append_squash(model)
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    result = "probabilities" if squashed else "logits"
    graph.tensors[graph.outputs[0]].name = result.encode()
    model.signatureDefs = [_signature(int(graph.inputs[0]), int(graph.outputs[0]), result)]
    return write(model)


def squash(content: bytes) -> str | None:
    """Return "SOFTMAX" or "LOGISTIC" when a flatbuffer ends in that op, else None."""
    model = read(content)
    op = _squash_op(model)
    return None if op is None else op_name(model, op)


def _squash_op(model: schema.ModelT) -> schema.OperatorT | None:
    op = _producer(model.subgraphs[0])
    return op if op is not None and op_name(model, op) in SQUASHING else None


def _producer(graph: schema.SubGraphT) -> schema.OperatorT | None:
    for op in graph.operators or ():
        if graph.outputs[0] in op.outputs:
            return op
    return None


def _append_squash(model: schema.ModelT) -> schema.OperatorT:
    graph = model.subgraphs[0]
    source = graph.tensors[graph.outputs[0]]
    name = "LOGISTIC" if source.shape[-1] == 1 else "SOFTMAX"
    target = schema.TensorT()
    target.shape, target.type, target.buffer = source.shape, source.type, 0
    target.name = b"probabilities"
    graph.tensors.append(target)
    op = schema.OperatorT()
    op.opcodeIndex = _opcode(model, getattr(schema.BuiltinOperator, name))
    op.inputs, op.outputs = [int(graph.outputs[0])], [len(graph.tensors) - 1]
    if name == "SOFTMAX":
        op.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
        op.builtinOptions = schema.SoftmaxOptionsT()
        op.builtinOptions.beta = 1.0
    graph.operators.append(op)
    graph.outputs = op.outputs
    return op


def _drop_unused_codes(model: schema.ModelT) -> None:
    """Forget op codes that no op uses; runtimes refuse those that they did not register."""
    ops = [op for graph in model.subgraphs for op in graph.operators or ()]
    used = sorted({op.opcodeIndex for op in ops})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for op in ops:
        op.opcodeIndex = used.index(op.opcodeIndex)


def _opcode(model: schema.ModelT, builtin: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, 1
    code.deprecatedBuiltinCode = min(builtin, 127)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _signature(source: int, target: int, result: str) -> Any:
    def tensor(name: str, index: int) -> schema.TensorMapT:
        mapped = schema.TensorMapT()
        mapped.name, mapped.tensorIndex = name.encode(), index
        return mapped

    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE.encode()
    signature.inputs = [tensor(INPUT_NAME, source)]
    signature.outputs = [tensor(result, target)]
    signature.subgraphIndex = 0
    return signature
