"""Measuring by our C runner: inputs made on this machine before it, the document completed after.

The runner goes to a phone with glibc and LiteRT's library (11 MB), since phones have neither.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from android_bench.document import read_document
from android_bench.engines import expected_outputs
from android_bench.engines.bundle import LOADERS, bundle
from android_bench.engines.without_python import WithoutPython, check_program, push_program
from android_bench.interfaces import Device
from android_bench.options import BenchmarkOptions
from android_bench.script import call_script

#: The options that the runner has in common with the worker.
RUNNER_OPTIONS = ("num_threads", "use_xnnpack", "num_runs", "min_secs", "max_secs", "warmup_runs",
                  "warmup_min_secs", "run_delay", "sessions", "session_pause")  # fmt: skip


class CRunner(WithoutPython):
    """The C runner, bundled with what it needs."""

    name = "runner"

    def measure_bare(
        self, device: Device, machine: str, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Run the runner on all models in one process; see `WithoutPython.measure_bare`."""
        files = bundle(machine)
        loader = next(name for name in LOADERS.values() if name in files)
        limit = options.time_limit(len(models))
        with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
            prepared = prepare_models(models, options, Path(folder), limit)
            for name, path in files.items():
                push_program(device, path, name)
            program = [f"./{loader}", "--library-path", ".", "./runner"]
            program += runner_arguments(options, "./libLiteRt.so")
            document = run_prepared(device, program, prepared, limit, machine)
        version = metadata.version("ai-edge-litert")  # whose library the bundle holds
        return document | {"facts": {"runtime": f"ai-edge-litert {version}"}}


@dataclass(frozen=True)
class PreparedModel:
    """A model with what the runner needs and what is expected of it.

    Args:
        model: the `.tflite` file.
        inputs: files of raw values, one per input.
        expected: files of the output values that this machine's LiteRT computes from them.
        facts: "inputs", "outputs", "nodes", "delegated_nodes", "partitions", "not_delegated" as
            the worker reports them, here on this machine.
        graph: the file's ops, as `profiling.op_layers.graph_nodes` returns them.
    """

    model: Path
    inputs: tuple[Path, ...] = field(repr=False)
    expected: tuple[Path, ...] = field(repr=False)
    facts: dict[str, Any] = field(repr=False)
    graph: list[dict[str, Any]] = field(repr=False)


def prepare_models(
    models: Sequence[Path], options: BenchmarkOptions, folder: Path, timeout: float
) -> list[PreparedModel]:
    """Make the models' inputs and expected outputs, each in a folder of its own.

    Args:
        models: local paths of `.tflite` files.
        options: how to measure; `input_files` are local paths.
        folder: an empty folder for the files.
        timeout: seconds.

    Raises:
        ValueError: a model or an input file is at fault.
        DeviceError: a model crashes this machine's interpreter, or time is up.
    """
    request = {"models": [str(path) for path in models], "folder": str(folder)}
    document = call_script(
        expected_outputs.__file__, options.for_worker() | request, timeout, "models"
    )
    prepared = []
    for i, facts in enumerate(document["models"]):
        inputs = [folder / str(i) / f"input{k}.bin" for k in range(len(facts["inputs"]))]
        expected = [folder / str(i) / f"expected{k}.bin" for k in range(len(facts["outputs"]))]
        graph = facts.pop("graph")
        prepared.append(
            PreparedModel(Path(models[i]), tuple(inputs), tuple(expected), facts, graph)
        )
    return prepared


def runner_arguments(options: BenchmarkOptions, library: str) -> list[str]:
    """Return the runner's arguments before the models.

    Args:
        options: how to measure; those that the runner lacks are left out. `affinity` is a
            hexadecimal mask or None.
        library: libLiteRt.so on the device.
    """
    words = ["--library", library]
    for name in RUNNER_OPTIONS:
        value = getattr(options, name)
        words += [f"--{name}", str(int(value) if isinstance(value, bool) else value)]
    return words + (["--affinity", options.affinity] if options.affinity else [])


def model_arguments(model: str, inputs: Sequence[str], outputs: Sequence[str] = ()) -> list[str]:
    """Return the runner's arguments for one model: paths on the device."""
    words = [model]
    for path in inputs:
        words += ["--input", path]
    for path in outputs:
        words += ["--output", path]
    return words


def run_prepared(
    device: Device,
    program: Sequence[str],
    prepared: Sequence[PreparedModel],
    timeout: float,
    machine: str,
) -> dict[str, Any]:
    """Send prepared models to a device and run the runner on them in one process.

    Args:
        device: where; its session's folder already holds what `program` needs.
        program: the runner's command with all arguments before the models.
        prepared: the models, whose folder also takes the outputs that come back.
        timeout: seconds.
        machine: the device's architecture, for messages.

    Returns:
        The runner's document, completed by `complete_document`.

    Raises:
        ValueError: a model or an option is at fault.
        DeviceError: the device is.
    """
    words, names = [], {}
    outputs: list[list[Path]] = []
    remote_outputs: list[list[str]] = []
    for i, model in enumerate(prepared):
        remote = device.push(model.model, f"model{i}.tflite")
        names[remote] = model.model
        inputs = [device.push(path, f"model{i}_{path.name}") for path in model.inputs]
        local = [path.with_name(f"output{k}.bin") for k, path in enumerate(model.expected)]
        beside = PurePosixPath(remote)
        there = [str(beside.with_name(f"model{i}_{path.name}")) for path in local]
        outputs.append(local)
        remote_outputs.append(there)
        words += model_arguments(remote, inputs, there)
    completed = device.run([*program, *words], timeout)
    check_program(device, machine, completed, "the bundled runner")
    document = read_document(completed, device.name, names=names)
    for local, there in zip(outputs, remote_outputs, strict=True):
        for path, remote in zip(local, there, strict=True):
            device.pull(remote, path)
    return complete_document(document, prepared, outputs)


def complete_document(
    document: dict[str, Any], prepared: Sequence[PreparedModel], outputs: Sequence[Sequence[Path]]
) -> dict[str, Any]:
    """Add to the runner's document what only this machine can tell.

    Args:
        document: as the runner printed it.
        prepared: the models, in the runner's order.
        outputs: the output files that came back, of each model.

    Returns:
        The document with, for each model, the graph's facts, the outputs' "sha256" and whether
        each "equals_host".
    """
    models = []
    for measured, model, files in zip(document["models"], prepared, outputs, strict=True):
        tensors = []
        for tensor, file, expected in zip(
            model.facts["outputs"], files, model.expected, strict=True
        ):
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            same = content == expected.read_bytes()
            tensors.append(tensor | {"sha256": digest, "equals_host": same})
        models.append(measured | model.facts | {"outputs": tensors})
    return document | {"models": models}
