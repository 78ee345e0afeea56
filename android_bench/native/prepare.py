"""Making a model's inputs and the outputs that this machine computes from them, as raw files.

Run as a script, in a process of its own since a bad model can take the process down:
``python prepare.py OPTIONS.json`` with the worker's options and "folder". Prints one JSON document,
``{"models": [...]}`` with the worker's facts of each graph, or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from android_bench import worker
from android_bench.profiling.layers import graph_nodes


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


def main(arguments: Sequence[str]) -> int:
    """Prepare what the options file asks for; return the exit code."""
    worker.end_with_parent()
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        given = json.loads(Path(arguments[0]).read_text())
        options = worker.DEFAULTS | given
        document = {"models": []}
        for i, path in enumerate(options["models"]):
            folder = Path(options["folder"], str(i))
            folder.mkdir()
            document["models"].append(prepare_model(path, options, folder))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        document = {"error": " ".join(str(error).split())}
    with output:
        json.dump(document, output)
    return 3 if "error" in document else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
