"""How many images networks train on per second, on each backend, computed in each way.

    LWCNN_DATA=... python -m benchmarks.training_pace l_mobilenet mobilenet_v2 --data cifar10

Each is measured in a process of its own with one thread, one at a time, over the first steps of a
training by `--recipe`: seconds of that process's core, which other work on the machine does not
change much. Stores rows of kind `training_pace` in benchmarks/results/training_pace.jsonl and
rewrites the block in docs/training.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

from benchmarks.architectures.training import ONE_CORE
from benchmarks.pages import DOCS, fill_block, markdown_table
from benchmarks.stored import RESULTS, append_lines, read_lines
from keras_lwcnn.training.recipes import RECIPES

STORED = RESULTS / "training_pace.jsonl"
WAYS = (
    ("tensorflow", "float32", ""),
    ("tensorflow", "float32", "plain"),
    ("torch", "float32", ""),
    ("torch", "float32", "plain"),
    ("torch", "float32", "keep-memory"),
    ("torch", "mixed_bfloat16", ""),
)
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
"""The C library then gives no memory back to the system between steps."""


def measure(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure in this process; return the pace."""
    import keras

    from keras_lwcnn.data import load_data
    from keras_lwcnn.models import build
    from keras_lwcnn.training import numerics
    from keras_lwcnn.training.pace import measured_pace
    from keras_lwcnn.training.running import Plan

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    if options.how == "plain":
        numerics.substitute = type
    dataset = load_data(options.data)
    model = build(
        network,
        input_shape=dataset.input_shape,
        classes=len(dataset.class_names),
        classifier_activation=None,
    )
    recipe = replace(RECIPES[options.recipe].recipe, precision=options.precision)
    clock = time.process_time if options.cpu_time else time.perf_counter
    return asdict(measured_pace(Plan(model, dataset, recipe, "logits"), clock))


def measure_apart(
    network: str, backend: str, precision: str, how: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure in a process with one thread; return the pace.

    Raises:
        RuntimeError: the process failed.
    """
    memory = KEEP_MEMORY if how == "keep-memory" else {}
    words = [sys.executable, "-m", "benchmarks.training_pace", network, "--one"]
    words += ["--data", options.data, "--recipe", options.recipe, "--precision", precision]
    words += [
        "--how",
        how or "substituted",
        *(["--cpu-time"] if getattr(options, "cpu_time", False) else []),
    ]
    done = subprocess.run(
        words,
        env=os.environ | ONE_CORE | memory | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict[str, Any]]) -> str:
    """Return a line for each way, and a column for each network."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    names = {"": "", "plain": ", layers as Keras computes them", "keep-memory": ", memory kept"}
    ways = list(dict.fromkeys((row["backend"], row["precision"], row["how"]) for row in rows))
    found = {(row["network"], row["backend"], row["precision"], row["how"]): row for row in rows}
    lines = [
        [f"{backend}, {precision}{names[how]}",
         *(f"{found[key]['images_per_s']:.0f}" if (key := (network, backend, precision, how))
           in found else "" for network in networks)]
        for backend, precision, how in ways
    ]  # fmt: skip
    return markdown_table(["images per second of one core", *networks], lines)


def write_tables() -> None:
    """Write the table in docs/training.md."""
    fill_block("training pace", table(read_lines(STORED)), DOCS / "training.md")


def main() -> None:
    """Measure, and update the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--recipe", default="l_mobilenet/cifar10/short", metavar="N/D/NAME")
    parser.add_argument("--one", action="store_true", help="measure here, and print the pace")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--how", default="")
    parser.add_argument("--cpu-time", action="store_true", help="seconds of the core, not the wall")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.networks[0], options)))
        return
    options.cpu_time = True
    for network in options.networks:
        for backend, precision, how in WAYS:
            pace = measure_apart(network, backend, precision, how, options)
            row = {"kind": "training_pace", "network": network, "backend": backend,
                   "precision": precision, "how": how, "recipe": options.recipe,
                   "batch_size": RECIPES[options.recipe].recipe.batch_size, **pace}  # fmt: skip
            append_lines(STORED, [row])
            print(row, flush=True)
    write_tables()


if __name__ == "__main__":
    main()
