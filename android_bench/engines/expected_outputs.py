"""Making a model's inputs and the outputs that this machine computes from them, as raw files.

Run as a script, in a process of its own since a bad model can take the process down:
``python expected_outputs.py OPTIONS.json`` with the worker's options, "models" and "folder". Prints
one JSON document, ``{"models": [...]}`` with the worker's facts of each graph, or
``{"error": ...}``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from android_bench import worker
from android_bench.profiling.op_layers import graph_nodes


def write_model(path: str, options: worker.Options, folder: Path) -> dict[str, Any]:
    """Write `input0.bin`, ... and `expected0.bin`, ... for one model into an existing folder."""
    interpreter = worker.open_interpreter(path, use_xnnpack=options.use_xnnpack)
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


def write_models(request: dict[str, Any]) -> dict[str, Any]:
    """Write the files of all models that the request names; return the document."""
    options = worker.requested_options(request, "models", "folder")
    models = []
    for i, path in enumerate(request["models"]):
        folder = Path(request["folder"], str(i))
        folder.mkdir()
        models.append(write_model(path, options, folder))
    return {"models": models}


if __name__ == "__main__":
    sys.exit(worker.answer(lambda: write_models(worker.read_request(sys.argv[1]))))
