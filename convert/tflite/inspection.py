"""What is inside a .tflite file: inputs and outputs, ops, delegated partitions."""

import hashlib
import struct
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from android_bench.worker import delegation
from convert.tflite.interpreter import open_interpreter

IDENTIFIER = b"TFL3"
# The interpreter verifies a flatbuffer, the schema's reader does not: a cut file ends in any of
# these.
DAMAGED = (ValueError, TypeError, IndexError, KeyError, AttributeError, MemoryError, struct.error)


@dataclass(frozen=True)
class TensorFacts:
    """An input or output. A real value is scale * (stored - zero_point); scale 0 means float."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class FileFacts:
    """What a .tflite file holds.

    Attributes:
        size: bytes.
        sha256: of the whole file.
        inputs: the inputs of the main graph.
        outputs: its outputs.
        ops: how often each op occurs, in all graphs of the file.
        custom_ops: names of ops outside TFLite's builtin set, Flex ops included.
        nodes: number of ops of the main graph.
        delegated_nodes: how many of them XNNPACK takes; None when the file cannot be opened
            because of custom ops, like the next two.
        partitions: number of pieces in which it takes them; 1 is best.
        not_delegated: names of the ops that it leaves to the slower kernels.
    """

    size: int
    sha256: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    ops: dict[str, int]
    custom_ops: tuple[str, ...]
    nodes: int
    delegated_nodes: int | None
    partitions: int | None
    not_delegated: tuple[str, ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def inspect_tflite(source: str | Path | bytes) -> FileFacts:
    """Open a .tflite file, or its content, and say what it holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a truncated or foreign file; the message names it and how it starts.
    """
    name, content = _read(source)
    ops, custom, nodes = _count_ops(name, content)
    delegated: dict[str, Any] = dict.fromkeys(("delegated_nodes", "partitions", "not_delegated"))
    if custom:
        inputs, outputs = _tensors_from_schema(content)
    else:
        try:
            interpreter = open_interpreter(content)
        except (ValueError, RuntimeError) as error:
            reason = _first_line(error).removeprefix("model content: ")
            raise ValueError(f"{name}: {reason}") from error
        counts = delegation(interpreter)
        delegated = {key: counts[key] for key in delegated}
        delegated["not_delegated"] = tuple(delegated["not_delegated"])
        inputs = tuple(map(_tensor_facts, interpreter.get_input_details()))
        outputs = tuple(map(_tensor_facts, interpreter.get_output_details()))
    return FileFacts(
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inputs=inputs,
        outputs=outputs,
        ops=dict(ops.most_common()),
        custom_ops=custom,
        nodes=nodes,
        **delegated,
    )


def check_tflite_file(path: str | Path) -> None:
    """Refuse what does not start like a .tflite file, without loading it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file identifier is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    with path.open("rb") as file:
        _check_identifier(str(path), file.read(8), path.stat().st_size)


def _read(source: str | Path | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray):
        name, content = "model content", bytes(source)
        _check_identifier(name, content[:8], len(content))
        return name, content
    check_tflite_file(source)
    return str(source), Path(source).read_bytes()


def _check_identifier(name: str, start: bytes, size: int) -> None:
    if start[4:8] != IDENTIFIER:
        raise ValueError(
            f"{name} is no .tflite file: its {size} bytes start with {start!r}; expected is "
            f"{IDENTIFIER!r} at byte 4"
        )


def _count_ops(name: str, content: bytes) -> tuple[Counter[str], tuple[str, ...], int]:
    from convert.tflite import flatbuffer

    try:
        model = flatbuffer.read(content)
        ops = Counter(
            flatbuffer.op_name(model, op)
            for graph in model.subgraphs
            for op in graph.operators or ()
        )
    except DAMAGED as error:
        raise ValueError(
            f"{name} is truncated or damaged: {len(content)} bytes hold no whole model"
        ) from error
    custom = {code.customCode.decode() for code in model.operatorCodes if code.customCode}
    return ops, tuple(sorted(custom & set(ops))), len(model.subgraphs[0].operators or ())


def _tensor_facts(detail: dict[str, Any]) -> TensorFacts:
    scale, zero_point = detail["quantization"]
    return TensorFacts(
        name=detail["name"],
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _tensors_from_schema(
    content: bytes,
) -> tuple[tuple[TensorFacts, ...], tuple[TensorFacts, ...]]:
    from ai_edge_litert.tools.flatbuffer_utils import type_to_name

    from convert.tflite import flatbuffer

    graph = flatbuffer.read(content).subgraphs[0]

    def facts(index: int) -> TensorFacts:
        tensor = graph.tensors[index]
        scaled = tensor.quantization is not None and tensor.quantization.scale is not None
        return TensorFacts(
            name=tensor.name.decode(),
            shape=tuple(int(size) for size in tensor.shape),
            dtype=type_to_name(tensor.type).lower(),
            scale=float(tensor.quantization.scale[0]) if scaled else 0.0,
            zero_point=int(tensor.quantization.zeroPoint[0]) if scaled else 0,
        )

    return tuple(map(facts, graph.inputs)), tuple(map(facts, graph.outputs))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
