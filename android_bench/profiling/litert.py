"""LiteRT's own op profiler, through ctypes on the wheel's libLiteRt.so; no compiler is needed.

Run as a script, in a process of its own: ``python litert.py OPTIONS.json`` with "model", "runs"
and the worker's options. Prints ``{"profile": [...], "nodes": [...]}``, the events of each
inference and the file's ops; ``{"profile": null, "unavailable": "the reason"}`` where this LiteRT
has no profiler that we know; or ``{"error": ...}``. The interface is not an official one: its
version is pinned, and a missing function is reported by name.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from android_bench import worker
from android_bench.errors import ProfilerUnavailable
from android_bench.profiling.op_layers import graph_nodes

VERSION = "2.3."
_CPU, _WRITE = 1, 1


class TensorType(ctypes.Structure):
    """Element type and shape (LiteRtRankedTensorType)."""

    _fields_ = [
        ("element_type", ctypes.c_int32),
        ("rank", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    ]


class Event(ctypes.Structure):
    """One event of the profiler (ProfiledEventData)."""

    _fields_ = [
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_uint64),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_uint64 * 6),
        ("index", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_uint64),
    ]


class Library:
    """libLiteRt.so with every call checked.

    Raises:
        ProfilerUnavailable: it is missing, or of another version than the pinned one.
    """

    def __init__(self) -> None:
        try:
            version = metadata.version("ai-edge-litert")
        except metadata.PackageNotFoundError:
            raise ProfilerUnavailable("ai-edge-litert is not installed") from None
        if not version.startswith(VERSION):
            raise ProfilerUnavailable(
                f"ai-edge-litert is {version}; its profiler is known for {VERSION}x"
            )
        folder = Path(util.find_spec("ai_edge_litert").origin).parent
        files = [path for path in folder.glob("libLiteRt.*") if path.suffix in (".so", ".dylib")]
        if not files:
            raise ProfilerUnavailable(f"{folder} holds no libLiteRt.so")
        self.library = ctypes.CDLL(str(files[0]))

    def __getattr__(self, name: str) -> Callable[..., None]:
        try:
            function = getattr(self.library, f"LiteRt{name}")
        except AttributeError:
            raise ProfilerUnavailable(f"this libLiteRt has no LiteRt{name}") from None

        def call(*arguments: Any) -> None:
            status = function(*arguments)
            if status:
                raise ProfilerUnavailable(f"LiteRt{name} failed with status {status}")

        return call


def profile_runs(path: str, options: worker.Options, runs: int) -> list[list[dict[str, Any]]]:
    """Run a model under the profiler.

    Args:
        path: the `.tflite` file.
        options: how to run it.
        runs: inferences, after one to warm up.

    Returns:
        The events of each inference.

    Raises:
        ProfilerUnavailable: this LiteRT has no profiler that we know.
        ValueError: the model or an option is at fault.
    """
    interpreter = worker.open_interpreter(path)
    names = [str(detail["name"]) for detail in interpreter.get_input_details()]
    inputs = dict(zip(names, worker.make_inputs(interpreter, options), strict=True))
    del interpreter
    lite = Library()
    environment, model, signature = (ctypes.c_void_p() for _ in range(3))
    compiled, profiler = ctypes.c_void_p(), ctypes.c_void_p()
    lite.CreateEnvironment(0, None, ctypes.byref(environment))
    lite.CreateModelFromFile(environment, os.fsencode(path), ctypes.byref(model))
    lite.GetModelSignature(model, ctypes.c_size_t(0), ctypes.byref(signature))
    settings, kept = _compile_options(lite, options)
    lite.CreateCompiledModel(environment, model, settings, ctypes.byref(compiled))
    names, into = _buffers(lite, environment, signature, compiled, "Input")
    _, out = _buffers(lite, environment, signature, compiled, "Output")
    for name, buffer in zip(names, into, strict=True):
        memory, content = ctypes.c_void_p(), inputs[name].tobytes()
        lite.LockTensorBuffer(ctypes.c_void_p(buffer), ctypes.byref(memory), _WRITE)
        ctypes.memmove(memory, content, len(content))
        lite.UnlockTensorBuffer(ctypes.c_void_p(buffer))

    def run() -> None:
        counts = (ctypes.c_size_t(len(into)), ctypes.c_size_t(len(out)))
        lite.RunCompiledModel(compiled, ctypes.c_size_t(0), counts[0], into, counts[1], out)

    run()
    lite.CompiledModelGetProfiler(compiled, ctypes.byref(profiler))
    if not profiler:
        raise ProfilerUnavailable("LiteRT was built without its profiler")
    events = []
    for _ in range(runs):
        lite.ResetProfiler(profiler)
        lite.StartProfiler(profiler)
        run()
        lite.StopProfiler(profiler)
        events.append(_events(lite, profiler))
    del kept  # the options' strings had to live until here
    return events


def _compile_options(lite: Library, options: worker.Options) -> tuple[ctypes.c_void_p, list[Any]]:
    """Return compilation options with the profiler on, and what must be kept alive with them."""
    settings = ctypes.c_void_p()
    lite.CreateOptions(ctypes.byref(settings))
    lite.SetOptionsHardwareAccelerators(settings, _CPU)
    mode = "" if options.use_xnnpack else 'kernel_mode = "builtin"\n'
    destroy = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda memory: None)
    kept: list[Any] = [destroy]
    for identifier, text in (
        ("xnnpack", f"num_threads = {options.num_threads}\n{mode}"),
        ("runtime_options_string", "enable_profiling = true\n"),
    ):
        opaque, content = ctypes.c_void_p(), ctypes.create_string_buffer(text.encode())
        kept.append(content)
        lite.CreateOpaqueOptions(identifier.encode(), content, destroy, ctypes.byref(opaque))
        lite.AddOpaqueOptions(settings, opaque)
    return settings, kept


def _buffers(
    lite: Library,
    environment: ctypes.c_void_p,
    signature: ctypes.c_void_p,
    compiled: ctypes.c_void_p,
    kind: str,
) -> tuple[list[str], ctypes.Array]:
    """Return names and new buffers of all inputs ("Input") or outputs ("Output")."""
    count, names = ctypes.c_size_t(), []
    getattr(lite, f"GetNumSignature{kind}s")(signature, ctypes.byref(count))
    buffers = (ctypes.c_void_p * count.value)()
    for i in range(count.value):
        tensor, requirements, buffer = (ctypes.c_void_p() for _ in range(3))
        shape, name, number = TensorType(), ctypes.c_char_p(), ctypes.c_size_t(i)
        getattr(lite, f"GetSignature{kind}TensorByIndex")(signature, number, ctypes.byref(tensor))
        lite.GetTensorName(tensor, ctypes.byref(name))
        lite.GetRankedTensorType(tensor, ctypes.byref(shape))
        getattr(lite, f"GetCompiledModel{kind}BufferRequirements")(
            compiled, ctypes.c_size_t(0), number, ctypes.byref(requirements)
        )
        lite.CreateManagedTensorBufferFromRequirements(
            environment, ctypes.byref(shape), requirements, ctypes.byref(buffer)
        )
        buffers[i] = buffer.value
        names.append((name.value or b"").decode())
    return names, buffers


def _events(lite: Library, profiler: ctypes.c_void_p) -> list[dict[str, Any]]:
    """Return the events of the last inference."""
    count = ctypes.c_int()
    lite.GetNumProfilerEvents(profiler, ctypes.byref(count))
    events = (Event * count.value)()
    lite.GetProfilerEvents(profiler, count, events)
    return [
        {
            "tag": (event.tag or b"").decode(errors="replace"),
            "type": event.type & 0xFFFFFFFF,
            "index": event.index,
            "start_us": event.start_us,
            "elapsed_us": event.elapsed_us,
        }
        for event in events
    ]


def profile_request(request: dict[str, Any]) -> dict[str, Any]:
    """Profile what a request asks for; return the document."""
    options, path = worker.requested_options(request, "model", "runs"), request["model"]
    nodes = graph_nodes(worker.open_interpreter(path))
    try:
        return {"profile": profile_runs(path, options, request["runs"]), "nodes": nodes}
    except ProfilerUnavailable as error:
        return {"profile": None, "unavailable": str(error)}


if __name__ == "__main__":
    # Ends at once: the library's handles are not released one by one.
    os._exit(worker.answer(lambda: profile_request(worker.read_request(sys.argv[1]))))
