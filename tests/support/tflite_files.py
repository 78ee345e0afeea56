"""Small `.tflite` files for the tests, written op by op, so that no TensorFlow is needed."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8,
         "int32": schema.TensorType.INT32, "bool": schema.TensorType.BOOL}  # fmt: skip


class Graph:
    """One subgraph under construction, in a model's buffers and operator codes."""

    def __init__(self, model: schema.ModelT) -> None:
        self.model = model
        self.subgraph = schema.SubGraphT()
        self.subgraph.name = f"graph{len(model.subgraphs)}"
        self.subgraph.tensors, self.subgraph.operators = [], []
        self.subgraph.inputs, self.subgraph.outputs = [], []
        model.subgraphs.append(self.subgraph)

    def tensor(self, name, shape, dtype="float32", values=None, scale=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), TYPES[dtype]
        tensor.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.asarray(values, dtype).reshape(-1).view(np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [scale]
            tensor.quantization.zeroPoint = [0]
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def op(self, name, inputs, outputs, options=None, version=1):
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self.subgraph.operators.append(operator)


def new_model() -> schema.ModelT:
    model = schema.ModelT()
    model.version, model.description = 3, "test"
    model.subgraphs, model.operatorCodes, model.buffers = [], [], [schema.BufferT()]
    return model


def save(model: schema.ModelT, path: Path) -> Path:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def convolution(graph, name, source, shape, channels, quantized=False):
    """Add a 3x3 ReLU convolution with fixed random weights; return its output tensor."""
    random = np.random.RandomState(len(graph.subgraph.tensors))
    weights_shape = (channels, 3, 3, shape[-1])
    out_shape = (*shape[:-1], channels)
    if quantized:
        weights = random.randint(-127, 128, weights_shape)
        filters = graph.tensor(f"{name}_w", weights_shape, "int8", weights, 0.01)
        bias = graph.tensor(f"{name}_b", (channels,), "int32", [0] * channels, 0.01 * 0.05)
        out = graph.tensor(name, out_shape, "int8", scale=0.05)
    else:
        weights = random.uniform(-0.2, 0.2, weights_shape)
        filters = graph.tensor(f"{name}_w", weights_shape, "float32", weights)
        bias = graph.tensor(f"{name}_b", (channels,), "float32", [0.1] * channels)
        out = graph.tensor(name, out_shape)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.SAME
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    graph.op("CONV_2D", [source, filters, bias], [out], options, version=3)
    return out


def two_convolutions(path, side=16, channels=8, quantized=False, between=None):
    """Write conv - (an op that XNNPACK does not take) - conv."""
    model = new_model()
    graph = Graph(model)
    shape = (1, side, side, 3)
    dtype, scale = ("int8", 0.05) if quantized else ("float32", None)
    image = graph.tensor("image", shape, dtype, scale=scale)
    x = convolution(graph, "conv1", image, shape, channels, quantized)
    shape = (1, side, side, channels)
    if between:
        y = graph.tensor("between", shape)
        axis = graph.tensor("axis", (1,), "int32", [1])
        graph.op(between, [x, axis], [y], schema.ReverseV2OptionsT())
        x = y
    x = convolution(graph, "conv2", x, shape, channels, quantized)
    graph.subgraph.inputs, graph.subgraph.outputs = [image], [x]
    return save(model, path)


def endless(path):
    """Write a model whose only op is a while loop with a condition that is always true."""
    model = new_model()
    main, condition, body = Graph(model), Graph(model), Graph(model)
    for graph in (main, condition, body):
        graph.subgraph.inputs = [graph.tensor("x", (1,))]
    main.subgraph.outputs = [main.tensor("y", (1,))]
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    main.op("WHILE", [0], main.subgraph.outputs, options)
    condition.subgraph.outputs = [condition.tensor("go_on", (1,), "bool")]
    condition.op("EQUAL", [0, 0], condition.subgraph.outputs, schema.EqualOptionsT())
    body.subgraph.outputs = [body.tensor("same", (1,))]
    body.op("ABS", [0], body.subgraph.outputs, schema.AbsOptionsT())
    return save(model, path)


def crashing(path):
    """Write a model that calls itself without end, so that the stack overflows."""
    model = new_model()
    graph = Graph(model)
    graph.subgraph.inputs = [graph.tensor("x", (1,))]
    graph.subgraph.outputs = [graph.tensor("y", (1,))]
    go_on = graph.tensor("go_on", (1,), "bool", [True])
    options = schema.IfOptionsT()
    options.thenSubgraphIndex = options.elseSubgraphIndex = 0
    graph.op("IF", [go_on, 0], graph.subgraph.outputs, options)
    return save(model, path)


def write_all(folder: Path) -> Path:
    """Write float32, int8, mixed (two partitions), slow, endless, crashing and damaged models."""
    float32 = two_convolutions(folder / "float32.tflite")
    two_convolutions(folder / "int8.tflite", quantized=True)
    two_convolutions(folder / "mixed.tflite", between="REVERSE_V2")
    two_convolutions(folder / "slow.tflite", side=64, channels=32)
    endless(folder / "endless.tflite")
    crashing(folder / "crashing.tflite")
    content = float32.read_bytes()
    (folder / "cut.tflite").write_bytes(content[: len(content) // 2])
    (folder / "foreign.tflite").write_bytes(b"PK\x03\x04 this is a zip file, not a model")
    (folder / "empty.tflite").write_bytes(b"")
    return folder
