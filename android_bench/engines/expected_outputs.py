"""Making a model's inputs and the outputs that this machine computes from them, as raw files.

Run as a script, in a process of its own since a bad model can take the process down:
``python prepare.py OPTIONS.json`` with the worker's options and "folder". Prints one JSON document,
``{"models": [...]}`` with the worker's facts of each graph, or ``{"error": ...}``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from android_bench import worker
from android_bench.profiling.layers import graph_nodes
from android_bench.script import script_main


def prepare_model(path: str, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write `input0.bin`, ... and `expected0.bin`, ... for one model into an existing folder."""
    interpreter = worker.open_interpreter(path, use_xnnpack=options["use_xnnpack"])
    inputs = worker.make_inputs(interpreter, options)
    for i, detail in enumerate(interpreter.get_input_details()):
        interpreter.set_tensor(detail["index"], inputs[i])
        inputs[i].tofile(folder / f"input{i}.bin")
    interpreter.invoke()
    outputs = []
    for i, detail in enumerate(interpreter.get_output_details()):
        interpreter.get_tensor(detail["index"]).tofile(folder / f"expected{i}.bin")
        outputs.append(worker.describe(detail))
    facts = {"inputs": [worker.describe(d) for d in interpreter.get_input_details()]}
    facts |= {"outputs": outputs, "graph": graph_nodes(interpreter)}
    return facts | worker.delegation(interpreter)


def prepare(given: dict[str, Any]) -> dict[str, Any]:
    """Prepare the models that the options name; return the document."""
    options = worker.DEFAULTS | given
    models = []
    for i, path in enumerate(options["models"]):
        folder = Path(options["folder"], str(i))
        folder.mkdir()
        models.append(prepare_model(path, options, folder))
    return {"models": models}


if __name__ == "__main__":
    sys.exit(script_main(prepare, sys.argv[1:]))
