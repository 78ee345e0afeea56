"""What is trained, in which order: pace and short trainings, then long ones in the time left.

python -m benchmarks.many_trainings.plan pace --data FOLDER --out OUT
python -m benchmarks.many_trainings.plan long --data FOLDER --out OUT --seconds 500
"""

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.many_trainings.conductor import Hired
from benchmarks.many_trainings.settings import Settings

BATCH = ["--batch", "512"]
CANDIDATES = {
    "l": ["l_mobilenet", *BATCH],
    "l_conv": ["l_mobilenet", *BATCH, "--convolutions"],
    "l_1024": ["l_mobilenet", "--batch", "1024"],
    "s": ["shufflenet_v2", *BATCH],
    "m": ["mobilenet_v2", *BATCH],
    "teacher": ["teacher", *BATCH, "--convolutions"],
    "l_taught": ["l_mobilenet", *BATCH],
}
SLOWEST = 10_000
"""Images per second that a network has at least which was not measured yet."""
SWEPT: dict[str, tuple] = {
    "learning_rate": (0.05, 0.2, 0.3),
    "adam_learning_rate": (3e-3, 1.2e-2),
    "weight_decay": (0.01, 0.04, 0.08),
    "momentum": (0.95,),
    "label_smoothing": (0.0, 0.05),
    "flip": ("alternating",),
    "reflect": (True,),
    "erase": (0.5,),
    "adam_weight_decay": (0.0,),
    "seed": (1, 2),
}


class Rows:
    """Rows that are written as they come, and the time that is left."""

    def __init__(self, file: Path, until: float) -> None:
        """Keep the file, and until when to go on (of `time.monotonic`)."""
        self.file = file
        self.until = until

    def add(self, kind: str, row: Mapping[str, Any] | None, **facts: Any) -> None:
        """Store a row and print its figures."""
        if row is None:
            print(kind, facts, "failed", flush=True)
            return
        with self.file.open("a") as file:
            file.write(json.dumps({"kind": kind, **facts, **row}) + "\n")
        shown = ("images_per_s", "seconds", "val_top1", "val_loss", "train_top1")
        print(
            f"{self.left():6.1f}", kind, facts, {k: row[k] for k in shown if k in row}, flush=True
        )

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.until - time.monotonic()


def hire(words: Mapping[str, list[str]], data: Path, out: Path) -> dict[str, Hired]:
    """Start a process for each network."""
    shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {
        name: Hired(name, [*each, "--data", str(data)], out / f"{name}.log", shared)
        for name, each in words.items()
    }


def pace(workers: Mapping[str, Hired], rows: Rows, images: int, wait: float) -> dict[str, float]:
    """Measure images per second of each worker that is compiled within `wait` seconds."""
    until = time.monotonic() + wait
    compiled = [name for name in workers if workers[name].wait(until - time.monotonic())]
    measured = {}
    for name in compiled:
        worker = workers[name]
        print(name, worker.ready, flush=True)
        short = Settings(epochs=1, images="all")
        worker.train(name, short)
        row = worker.train(name, replace(short, epochs=max(1, images // 50_000)))
        rows.add("pace", row, name=name)
        if row:
            measured[name] = row["images_per_s"]
    return measured


def variants(base: Settings) -> Iterable[tuple[str, Settings]]:
    """Return the base and settings that differ from it in one number, with the names of these."""
    yield "base", base
    for name, values in SWEPT.items():
        for value in values:
            yield f"{name}={value}", replace(base, **{name: value})


def sweep(worker: Hired, rows: Rows, base: Settings, reserve: float) -> None:
    """Train short runs until `reserve` seconds are left."""
    for name, settings in variants(base):
        if rows.left() < reserve:
            print("no time for", name, flush=True)
            break
        rows.add("sweep", worker.train(name, settings), name=name)


@dataclass
class Long:
    """The long trainings: choices at 30 epochs, a teacher, three networks alike, and the best one.

    Attributes:
        workers: `l`, `l_conv`, `s`, `m`, and, with a teacher, `teacher` and `l_taught`.
        rows: where rows go.
        out: folder of the weights.
        base: settings to begin with.
        short: epochs of the choices.
        patience: seconds left at which one way to compute is enough.
        pace: images per second of each network.
    """

    workers: Mapping[str, Hired]
    rows: Rows
    out: Path
    base: Settings
    short: int = 30
    patience: float = 430.0
    pace: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Train in order; what does not fit into the time is left out."""
        if not self._fastest():
            return
        settings, plain = self._chosen(self._tuned())
        taught = self._taught(settings, plain)
        self._alike(settings)
        name = "l_taught" if taught else "l"
        epochs = min(400, int(0.93 * self.rows.left() * self.pace[name] / 50_000))
        print("long", name, epochs, flush=True)
        if epochs >= 20:
            self._train("long", name, replace(taught or settings, epochs=epochs, images="all"))

    def _fastest(self) -> bool:
        """Let `l` be the faster of the two ways to compute its convolutions, if one is ready."""
        until = time.monotonic() + self.rows.left() / 3
        while time.monotonic() < until:
            ready = [name for name in ("l", "l_conv") if self.workers[name].ready]
            if len(ready) == 2 or (ready and self.rows.left() < self.patience):
                break
            time.sleep(0.5)
        paces = {}
        for name in ready:
            print(name, self.workers[name].ready, flush=True)
            row = self.workers[name].train(name, replace(self.base, epochs=1))
            row = self.workers[name].train(name, replace(self.base, epochs=2))
            self.rows.add("pace", row, name=name)
            if row:
                paces[name] = row["images_per_s"]
        if paces:
            best = max(paces, key=paces.get)
            self.workers["l"], self.pace["l"] = self.workers[best], paces[best]
        return bool(paces)

    def _tuned(self) -> Settings:
        """Choose the rates and the weight decay by trainings of eight epochs."""
        best = replace(self.base, epochs=8)
        top1 = self._train("sweep", "l", best, keep=False)["val_top1"]
        for name, factors in (
            ("learning_rate", (0.5, 2.0)),
            ("weight_decay", (0.5, 2.0)),
            ("adam_learning_rate", (0.5, 2.0)),
        ):
            for factor in factors:
                changed = replace(best, **{name: factor * getattr(best, name)})
                reached = self._train("sweep", "l", changed, keep=False)["val_top1"]
                if reached >= top1 + 0.002:
                    best, top1 = changed, reached
                    break
        print("tuned", best, flush=True)
        return best

    def _train(self, kind: str, name: str, settings: Settings, keep: bool = True) -> dict[str, Any]:
        out = self.out / f"{kind}-{name}-{settings.epochs}e-{settings.seed}.npz" if keep else None
        # A worker that hangs must not take all of the time.
        expected = settings.epochs * 50_000 / self.pace.get(name, SLOWEST)
        row = self.workers[name].train(
            f"{kind}-{name}", settings, out, trace=8, seconds=60.0 + 2 * expected
        )
        self.rows.add(kind, row, name=name)
        if row:
            self.pace[name] = row["images_per_s"]
        return row or {"val_top1": 0.0}

    def _chosen(self, tuned: Settings) -> tuple[Settings, float]:
        """Choose erasing and the like by trainings of `short` epochs; also return the top-1."""
        short = replace(tuned, epochs=self.short)
        best, top1 = short, self._train("choice", "l", short, keep=False)["val_top1"]
        # What is gained by erasing grows with the epochs.
        for name, value, needed in (
            ("erase", 0.5, -0.002),
            ("weight_decay", 2 * short.weight_decay, 0.002),
            ("momentum", 0.95, 0.002),
        ):
            changed = replace(best, **{name: value})
            reached = self._train("choice", "l", changed, keep=False)["val_top1"]
            if reached >= top1 + needed:
                best, top1 = changed, reached
        return best, top1

    def _taught(self, settings: Settings, plain: float) -> Settings | None:
        """Train a teacher; return the settings of teaching if the network gains by it."""
        teacher, student = (self.workers.get(name) for name in ("teacher", "l_taught"))
        if teacher is None or not (teacher.wait(5.0) and student.wait(self.rows.left() / 8)):
            print("no teacher", flush=True)
            return None
        wanted = replace(self.base, epochs=40, label_smoothing=0.0, erase=0.25)
        weights = self.out / "teacher.npz"
        row = teacher.train("teacher", wanted, weights, trace=8)
        self.rows.add("teacher", row, name="teacher")
        if not row:
            return None
        taught = replace(settings, teacher_weight=0.8, label_smoothing=0.0)
        reached = self._train("choice", "l_taught", taught, keep=False)["val_top1"]
        return taught if reached >= plain + 0.002 else None

    def _alike(self, settings: Settings) -> None:
        """Train the three networks for equal epochs, in less than half of the time left."""
        names = [n for n in ("l", "s", "m") if self.workers[n].wait(self.rows.left() / 6)]
        for name in names:
            if name not in self.pace:
                row = self.workers[name].train(name, replace(settings, epochs=2))
                self.rows.add("pace", row, name=name)
                self.pace[name] = row["images_per_s"] if row else 1.0
        each = 50_000 * sum(1 / self.pace[name] for name in names)
        fitting = int(0.5 * self.rows.left() / each)
        epochs = min(100, fitting // 5 * 5 if fitting >= 5 else fitting)
        print("alike", names, epochs, flush=True)
        for name in names if epochs else ():
            self._train("alike", name, replace(settings, epochs=epochs, images="all"))


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("pace", "long"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--wait", type=float, default=150.0, help="seconds for compiling")
    parser.add_argument("--epochs", type=int, default=16, help="of the sweep")
    parser.add_argument("--images", type=int, default=150_000, help="of a measurement of pace")
    parser.add_argument("--go", type=Path, help="file that gives the seconds, once all is there")
    parser.add_argument("--settings", default="{}", help="that differ from the defaults, as JSON")
    parser.add_argument("--networks", nargs="+", default=[*CANDIDATES])
    parser.add_argument("--teacher-arguments", default="{}", help="as JSON")
    parser.add_argument("--more", default="", help="further words for every worker")
    return parser.parse_args()


def main() -> None:
    """Do one job."""
    options = parsed()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = Rows(options.out / "rows.jsonl", time.monotonic() + options.seconds)
    words = {name: [*CANDIDATES[name], *options.more.split()] for name in options.networks}
    for name in words:
        if name.endswith("taught"):
            words[name] += ["--teacher", str(options.out / "teacher.npz")]
            words[name] += ["--teacher-arguments", options.teacher_arguments]
        elif name == "teacher":
            words[name] += ["--arguments", options.teacher_arguments]
    workers = hire(words, options.data, options.out)
    base = replace(Settings(epochs=options.epochs), **json.loads(options.settings))
    try:
        if options.job == "long":
            while options.go and not options.go.is_file():
                time.sleep(0.1)
            if options.go:
                rows.until = time.monotonic() + float(options.go.read_text())
            Long(workers, rows, options.out, base, options.epochs).run()
            return
        measured = pace(workers, rows, options.images, options.wait)
        swept = [name for name in measured if name in ("l", "l_conv", "l_1024")]
        fastest = max(swept, key=measured.get, default=None)
        if fastest == "l_1024":
            base = replace(base, learning_rate=base.learning_rate * 1.4)
        if fastest:
            print(
                "compiled:", [n for n in workers if workers[n].ready], "sweep:", fastest, flush=True
            )
            sweep(workers[fastest], rows, base, reserve=8.0)
    finally:
        for worker in workers.values():
            worker.dismiss()


if __name__ == "__main__":
    main()
