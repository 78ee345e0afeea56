"""What a device does around the C runner: inputs before it, the document after it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from android_bench.engines import expected_outputs as script
from android_bench.script import call_script

#: The options that the runner has in common with the worker.
OPTIONS = (
    "num_threads",
    "use_xnnpack",
    "num_runs",
    "min_secs",
    "max_secs",
    "warmup_runs",
    "warmup_min_secs",
    "run_delay",
    "sessions",
    "session_pause",
)


@dataclass(frozen=True)
class Prepared:
    """A model with what the runner needs and what is expected of it.

    Args:
        model: the `.tflite` file.
        inputs: files of raw values, one for each input.
        expected: files of the output values that this machine's LiteRT computes from them.
        facts: "inputs", "outputs", "nodes", "delegated_nodes", "partitions", "not_delegated" as
            the worker reports them, here on this machine.
        graph: the file's ops, as `profiling.layers.graph_nodes` gives them.
    """

    model: Path
    inputs: tuple[Path, ...]
    expected: tuple[Path, ...]
    facts: dict[str, Any]
    graph: list[dict[str, Any]]


def prepare(
    models: Sequence[Path], options: dict[str, Any], folder: Path, timeout: float
) -> list[Prepared]:
    """Make inputs and expected outputs on this machine, in a process of their own.

    Args:
        models: local paths of `.tflite` files.
        options: the worker's options; `input_files` are local paths.
        folder: an empty folder for the files.
        timeout: seconds.

    Raises:
        ValueError: a model or an input file is at fault.
        DeviceError: a model crashes this machine's interpreter, or time is up.
    """
    given = options | {"models": [str(path) for path in models], "folder": str(folder)}
    document = call_script(script.__file__, given, timeout, "models")
    if "error" in document:
        raise ValueError(document["error"])
    prepared = []
    for i, facts in enumerate(document["models"]):
        inputs = [folder / str(i) / f"input{k}.bin" for k in range(len(facts["inputs"]))]
        expected = [folder / str(i) / f"expected{k}.bin" for k in range(len(facts["outputs"]))]
        graph = facts.pop("graph")
        prepared.append(Prepared(Path(models[i]), tuple(inputs), tuple(expected), facts, graph))
    return prepared


def arguments(options: dict[str, Any], library: str) -> list[str]:
    """Return the runner's arguments before the models.

    Args:
        options: the worker's options; those that the runner lacks are left out. `affinity` is a
            hexadecimal mask or None.
        library: libLiteRt.so on the device.
    """
    words = ["--library", library]
    for name in OPTIONS:
        if name in options:
            value = options[name]
            words += [f"--{name}", str(int(value) if isinstance(value, bool) else value)]
    if options.get("affinity"):
        words += ["--affinity", options["affinity"]]
    return words


def model_arguments(model: str, inputs: Sequence[str], outputs: Sequence[str] = ()) -> list[str]:
    """Return the runner's arguments for one model: paths on the device."""
    words = [model]
    for path in inputs:
        words += ["--input", path]
    for path in outputs:
        words += ["--output", path]
    return words


def complete(
    document: dict[str, Any], prepared: Sequence[Prepared], outputs: Sequence[Sequence[Path]]
) -> dict[str, Any]:
    """Add to the runner's document what only this machine can tell.

    Args:
        document: as the runner printed it.
        prepared: the models, in the runner's order.
        outputs: the output files that came back, of each model.

    Returns:
        The document with "engine", and for each model the graph's facts, the outputs' "sha256" and
        whether each "equals_host".
    """
    models = []
    for measured, model, files in zip(document["models"], prepared, outputs, strict=True):
        told = []
        for tensor, file, expected in zip(
            model.facts["outputs"], files, model.expected, strict=True
        ):
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            same = content == expected.read_bytes()
            told.append(tensor | {"sha256": digest, "equals_host": same})
        models.append(measured | model.facts | {"outputs": told})
    return document | {"models": models, "engine": "runner"}
