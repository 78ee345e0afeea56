"""Networks trained under one recipe, with several seeds each, measured on the test images.

    LWCNN_DATA=... python -m benchmarks.seeds xception_lite xception \
        --data deeppcb96 --groups '^(\\d+)_' --image-size 72 \
        --recipe xception_lite/deeppcb96/ours --epochs 3 --seeds 0 1 2

The networks take turns, seed by seed, each in a process with one core (`--jobs` of them at a
time), so that a run that is cut short still has pairs; the same command goes on. On a GPU, where
JAX may be all that there is, `--train-only` leaves trained networks in `--out`; the same command
without it measures them where TensorFlow is:

    KERAS_BACKEND=jax LWCNN_DATA=... python -m benchmarks.seeds l_mobilenet mobilenet_v2 \
        --data cifar10 --recipe l_mobilenet/cifar10/adamw --epochs 30 --seeds 0 \
        --train-only --steps-per-call 39

`--time-budget 1h` in place of `--epochs` measures the pace of each network and gives all of them
the epochs that the slowest can take in that time.

Appends one row of kind `seed` for each finished training to benchmarks/results/seeds.jsonl: test
top-1 of the float32 and the int8 file of the last epoch, and the best top-1 on the validation
images of all epochs. Then writes the table of all such rows in docs/results.md.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.architectures.training import ONE_CORE
from benchmarks.pages import RESULTS_PAGE, fill_block, markdown_table
from benchmarks.seed_statistics import Setting, setting_of, spread, with_range
from benchmarks.stored import RESULTS, read_lines
from benchmarks.training_pace import measure_apart
from keras_lwcnn.training.pace import Pace, seconds_of
from keras_lwcnn.training.recipes import RECIPES

STORED = RESULTS / "seeds.jsonl"
# Else JAX takes most of a GPU's memory for the first of several processes.
SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
LWCNN = [sys.executable, "-c", "import sys; from lwcnn.main import main; sys.exit(main())"]


def train_and_compare(
    network: str, seed: int, options: argparse.Namespace
) -> dict[str, Any] | None:
    """Train one network, or go on with it; return its row, or None where only training is asked."""
    setting = [options.data, str(options.image_size or ""), options.recipe.replace("/", "-")]
    home = options.out / "-".join(
        [network, *filter(None, setting), f"{options.epochs}e", str(seed)]
    )
    home.mkdir(parents=True, exist_ok=True)
    data = ["--data", options.data]
    data += ["--groups", options.groups] if options.groups else []
    data += ["--image-size", str(options.image_size)] if options.image_size else []
    training = ["train", network, *data, "--out", home, "--recipe", options.recipe]
    training += ["--epochs", str(options.epochs), "--seed", str(seed), *options.more]
    rows = home / "compare.jsonl"
    comparing = ["compare", home / "model.keras", "--modes", "float32,int8", "--no-latency"]
    steps = [(home / "model.json", training)]
    if not options.train_only:
        steps.append((rows, [*comparing, *data, "--rows", rows]))
    for done, command in steps:
        if not done.is_file():
            _run(command, home / "log.txt")
    if options.train_only:
        return None
    record = json.loads((home / "model.json").read_text())
    compared = {row["mode"]: row for row in map(json.loads, rows.read_text().splitlines())}
    history = record["history"]
    return {
        "kind": "seed",
        "date": record["date"],
        "network": network,
        "seed": seed,
        "data": {**record["dataset"], "class_names": len(record["dataset"]["class_names"])},
        "recipe": record["recipe"],
        "val_top1": record["val"]["top1"],
        "best_val_top1": max(*history["val_top1"], record["val"]["top1"]),
        "test_images": compared["float32"]["images"],
        **{f"{mode}_top1": row["top1"] for mode, row in compared.items()},
        **{f"{mode}_size": row["size"] for mode, row in compared.items()},
        "int8_agreement": compared["int8"]["agreement"],
    }


def epochs_within(options: argparse.Namespace) -> int:
    """Return the epochs that each network can be trained for in `options.time_budget`.

    Raises:
        ValueError: a network for which not one epoch fits.
    """
    seconds = seconds_of(options.time_budget)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    fitting = {}
    for network in options.networks:
        precision = RECIPES[options.recipe].recipe.precision
        pace = Pace(**measure_apart(network, backend, precision, "", options))
        fitting[network] = pace.epochs_in(seconds)
    slowest = min(fitting, key=fitting.get)
    if not fitting[slowest]:
        raise ValueError(
            f"--time-budget {options.time_budget} is too short for one epoch of {slowest}; take a "
            "longer time"
        )
    print(f"{fitting[slowest]} epochs for all: what {slowest} can take in {options.time_budget}")
    return fitting[slowest]


def _run(command: list[Any], log: Path) -> None:
    with log.open("a") as file:
        environment = os.environ | ONE_CORE | SHARED_GPU
        done = subprocess.run(
            [*LWCNN, *map(str, command)], env=environment, stdout=file, stderr=file, check=False
        )
    if done.returncode:
        raise RuntimeError(f"lwcnn {command[0]} {command[1]} failed: see {log}")


def table(rows: list[dict[str, Any]]) -> str:
    """Return one line for each network and setting, over its seeds."""
    found: dict[tuple[Setting, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((setting_of(row), row["network"]), {})[row["seed"]] = row
    lines = []
    for (setting, network), by_seed in found.items():
        figures = [
            spread(row[name] for row in by_seed.values())
            for name in ("float32_top1", "int8_top1", "int8_agreement")
        ]
        what = f"`{network}`, {setting.data} at {setting.size} px, {setting.epochs} epochs"
        recipes = [row["recipe"] for row in by_seed.values()]
        cells = [with_range(figure).replace(" %", "%") for figure in figures]
        how = [
            ", ".join(f"`{value}`" for value in sorted({recipe[name] for recipe in recipes}))
            for name in ("augmentation", "precision")
        ]
        lines.append([what, *how, str(len(by_seed)), *cells])
    header = ["network", "augmentation", "trained in", "seeds", "float32", "int8, stock", "agrees"]
    return markdown_table(header, lines)


def write_tables() -> None:
    """Write the table of the stored rows into docs/results.md."""
    fill_block("seeds", table(read_lines(STORED)), RESULTS_PAGE)


def main() -> None:
    """Train, measure, and store what was not stored before."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--data", required=True)
    parser.add_argument("--groups")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--recipe", required=True, metavar="NETWORK/DATA/NAME")
    parser.add_argument("--epochs", type=int, help="of each training")
    parser.add_argument(
        "--time-budget",
        metavar="TIME",
        help="instead of --epochs: all networks get as many epochs as the slowest one can take in "
        "this time (90s, 8m, 1h)",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    parser.add_argument("--train-only", action="store_true", help="measure nothing")
    options, options.more = parser.parse_known_args()
    if (options.epochs is None) == (options.time_budget is None):
        parser.error("give --epochs or --time-budget, one of them")
    options.epochs = options.epochs or epochs_within(options)

    turns = [(network, seed) for seed in options.seeds for network in options.networks]
    stored = STORED.read_text() if STORED.is_file() else ""
    with (
        Progress(console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        task = progress.add_task("Training", total=len(turns))
        for row in pool.map(lambda turn: train_and_compare(*turn, options), turns):
            progress.advance(task)
            if row is None:
                continue
            line = json.dumps(row) + "\n"
            if line not in stored:
                with STORED.open("a") as file:
                    file.write(line)
            print(f"{row['network']}, seed {row['seed']}: test top-1 {row['float32_top1']:.2%}, "
                  f"int8 {row['int8_top1']:.2%}", flush=True)  # fmt: skip
    if not options.train_only:
        write_tables()


if __name__ == "__main__":
    main()
