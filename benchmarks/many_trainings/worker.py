"""A process that holds one compiled network and trains it as often as it is told.

    python -m benchmarks.many_trainings.worker l_mobilenet --batch 512 --data FOLDER

Compiles, says `ready`, then reads one JSON object per line from standard input, and answers each
with one line of JSON on standard output. FOLDER has images.npy (all 50,000 training images, those
of the validation split last), labels.npy and split.json.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

from benchmarks.many_trainings.images import HELD_OUT, HELD_OUT_FROM
from benchmarks.many_trainings.networks import network
from benchmarks.many_trainings.program import STEPS, Program
from benchmarks.many_trainings.settings import Settings, order, rates
from keras_lwcnn.training import substitutes


class Worker:
    """A compiled network and the images on the device."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Build and compile.

        Args:
            options: of the command line.
        """
        self.options = options
        self.arguments = json.loads(options.arguments)
        began = time.perf_counter()
        # Programs depend on shapes alone: the images may come later.
        self.images = jax.numpy.zeros((HELD_OUT_FROM + HELD_OUT, 32, 32, 3), "uint8")
        self.labels = jax.numpy.zeros(len(self.images), "int32")
        self.split: dict[str, int] = {}
        teacher = None
        if options.teacher is not None:
            teacher = network("teacher", **json.loads(options.teacher_arguments))
        self.program = Program(self._built(0), teacher, options.precision)
        self.teacher = teacher
        built = time.perf_counter()
        self._compile()
        self.times = {"build_s": built - began, "compile_s": time.perf_counter() - built}

    def _built(self, seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        return network(self.options.network, **self.arguments)

    def _compile(self) -> None:
        state = self.program.state()
        state = self._taught(state)
        arguments = (state, self.images, self.labels, *self._steps(Settings(), 0, STEPS))
        self.trained = self.program.train.lower(*arguments).compile()
        self._hold_out()
        self.correct = self.program.correct.lower(
            state["trained"], state["others"], *self.held_out
        ).compile()

    def _hold_out(self) -> None:
        self.held_out = [self.images[HELD_OUT_FROM:], self.labels[HELD_OUT_FROM:]]

    def _load(self) -> None:
        """Put the images on the device."""
        folder = self.options.data
        self.split = json.loads((folder / "split.json").read_text())
        self.images = jax.device_put(np.load(folder / "images.npy"))
        self.labels = jax.device_put(np.load(folder / "labels.npy").astype(np.int32))
        self._hold_out()

    def _taught(self, state: dict) -> dict:
        """Load the teacher's weights into the state, where there are any yet."""
        if self.teacher is not None and Path(self.options.teacher).is_file():
            with np.load(self.options.teacher) as file:
                self.program.teaching.set_weights([file[name] for name in file])
            values = self.program.teaching.non_trainable_variables
            state["teacher"] = [jax.numpy.array(v.value) for v in values]
        return state

    def _steps(self, settings: Settings, first: int, count: int, drawn: Any = None) -> tuple:
        if drawn is None:
            drawn = (np.zeros((count, self.options.batch), np.int32), np.zeros(count, np.int32),
                     np.ones(count, np.float32))  # fmt: skip
        chosen, epoch, share = (x[first : first + count] for x in drawn)
        key = np.random.SeedSequence((settings.seed, first)).generate_state(count)
        steps = {"chosen": chosen, "epoch": epoch, "share": share, "key": key.astype(np.int32)}
        return steps, settings.numbers()

    def run(self, settings: Settings, out: Path | None, trace: int = 0) -> dict[str, Any]:
        """Train once; return a row.

        Args:
            settings: of the training.
            out: a file for the weights, or None.
            trace: calls between measurements on the held-out images; 0: only at the end.
        """
        if not self.split:
            self._load()
        count = len(self.images) if settings.images == "all" else self.split["train"]
        batch = self.options.batch
        calls = max(1, round(settings.epochs * count / batch / STEPS))
        calls = min(calls, self.options.most_calls)
        drawn = *order(count, batch, settings, calls * STEPS), rates(settings, calls * STEPS)
        state = self._taught(self.program.state(self._built(settings.seed).get_weights()))
        jax.block_until_ready(state)
        began = time.perf_counter()
        curve, measured = [], []
        for call in range(calls):
            state, figures = self.trained(
                state, self.images, self.labels, *self._steps(settings, call * STEPS, STEPS, drawn)
            )
            measured.append(figures)
            if call == calls - 1 or (trace and (call + 1) % trace == 0):
                right = self.correct(state["trained"], state["others"], *self.held_out)
                curve.append([(call + 1) * STEPS, right])
        jax.block_until_ready(state)
        seconds = time.perf_counter() - began
        figures = np.array(measured)
        if out is not None:
            names = [v.path for v in self.program.working.weights]
            weights = self.program.weights(state)
            np.savez(out, **dict(zip(names, weights, strict=True)))
        shown = len(self.held_out[1])
        curve = [[step, *(np.asarray(sums) / shown).tolist()] for step, sums in curve]
        return {
            "network": self.options.network,
            "arguments": self.arguments,
            "batch": batch,
            "precision": self.options.precision,
            "settings": settings.to_dict(),
            "steps": calls * STEPS,
            "seconds": round(seconds, 2),
            "images_per_s": round(calls * STEPS * batch / seconds),
            "val_top1": curve[-1][1],
            "val_loss": curve[-1][2],
            "train_loss": figures[-max(1, calls // 20) :, 0].mean().item(),
            "train_top1": figures[-max(1, calls // 20) :, 1].mean().item(),
            "curve": curve,
            "train_curve": np.round(figures[:: max(1, calls // 100)], 4).tolist(),
            "device": jax.devices()[0].device_kind,
        }


@contextlib.contextmanager
def answers() -> Iterator[Any]:
    """Keep standard output for answers: what libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w", buffering=1) as file:
        os.dup2(2, 1)
        yield file


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network")
    parser.add_argument("--arguments", default="{}", help="of the builder, as JSON")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument(
        "--convolutions", action="store_true", help="1x1 convolutions as such, not as products"
    )
    parser.add_argument("--most-calls", type=int, default=10**6, help="of a training, to try out")
    parser.add_argument("--teacher", help="file of a teacher's weights")
    parser.add_argument("--teacher-arguments", default="{}")
    options = parser.parse_args()
    if options.convolutions:
        substitutes._is_pointwise = lambda layer: False
    with answers() as file:
        worker = Worker(options)
        print(json.dumps({"ready": options.network, **worker.times}), file=file)
        for line in sys.stdin:
            job = json.loads(line)
            settings = Settings(**job["settings"])
            out = Path(job["out"]) if job.get("out") else None
            row = worker.run(settings, out, job.get("trace", 0))
            print(json.dumps({"name": job.get("name"), **row}), file=file)


if __name__ == "__main__":
    main()
