"""Train networks briefly under one recipe, several at a time, each in a process with one core.

Two processes with a thread each get through more images than one with two threads.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from keras_lwcnn.training import Recipe

ONE_CORE = {name: "1" for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
                                   "OMP_NUM_THREADS")}  # fmt: skip


def recipe(epochs: int) -> Recipe:
    """Return the recipe that all networks share."""
    return Recipe(epochs=epochs, batch_size=64, augmentation="shift_flip")


def train_all(
    names: Sequence[str], epochs: int, data: str, images: int | None, folder: Path, jobs: int
) -> dict[str, float]:
    """Train each network that is not trained yet; return the last validation top-1 by name.

    A training that was cut goes on after its last whole epoch.

    Args:
        names: names among `candidates()`.
        epochs: of each.
        data: what `load_data` takes.
        images: train on so many images, balanced by class; None: on all.
        folder: each network gets a folder in it.
        jobs: how many are trained at a time.

    Raises:
        RuntimeError: a training failed; the message names its log.
    """
    setting = f"{data}-{epochs}" + (f"-{images}" if images else "")
    homes = {name: folder / f"{name}-{setting}" for name in names}

    def train_one(name: str) -> None:
        home = homes[name]
        if (home / "model.json").is_file():
            return
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", __name__, name, "--epochs", str(epochs)]
        command += ["--images", str(images)] if images else []
        with (home / "log.txt").open("a") as log:
            done = subprocess.run(
                [*command, "--data", data, "--out", home],
                env=os.environ | ONE_CORE, stdout=log, stderr=log, check=False,
            )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the training of {name} failed: see {home / 'log.txt'}")

    with (
        Progress(console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):
        task = progress.add_task(f"training for {epochs} epochs", total=len(names))
        for _ in pool.map(train_one, names):
            progress.advance(task)
    return {name: top1(home) for name, home in homes.items()}


def top1(home: Path) -> float:
    """Return the validation top-1 after a training's last epoch."""
    return json.loads((home / "model.json").read_bytes())["history"]["val_top1"][-1]


def main() -> None:
    """Train one network."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    import keras

    from benchmarks.architectures.networks import candidates
    from keras_lwcnn.data import balanced_indices, load_data
    from keras_lwcnn.data.dataset import Split
    from keras_lwcnn.training import train

    dataset = load_data(options.data)
    if options.images:
        chosen = balanced_indices(dataset.train.labels, options.images)
        part = Split(dataset.train.images[chosen], dataset.train.labels[chosen])
        dataset = replace(dataset, train=part)

    shared = recipe(options.epochs)
    keras.utils.set_random_seed(shared.seed)
    train(candidates()[options.name](), dataset, shared, options.out)


if __name__ == "__main__":
    main()
