"""What training a network costs: memory and seconds of a few steps, measured in processes."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from statistics import fmean, median
from typing import Any

import keras
import psutil

from keras_lwcnn.models import build
from keras_lwcnn.training.memory import SLOTS, TrainingMemory, estimate_memory

# Load per CPU beyond which other work takes part of the CPUs.
QUIET_LOAD = 0.2

COMMAND = (sys.executable, "-m", "keras_lwcnn.training.cost_worker")


@dataclass(frozen=True)
class TrainingSetup:
    """What is trained on in a measurement: random images, float32.

    Attributes:
        batch_size: images per step, at least 1.
        image_size: side of the images in pixels, at least 1; networks refuse what is too small.
        classes: of the labels, at least 2.
        optimizer: `adamw` or `sgd` (with momentum).
        steps: timed steps per round, at least 1; a first step, which also compiles, comes before.
    """

    batch_size: int = 16
    image_size: int = 224
    classes: int = 101
    optimizer: str = "adamw"
    steps: int = 5

    def __post_init__(self) -> None:
        """Check every setting.

        Raises:
            ValueError: quoting the setting, its value and what is allowed.
        """
        for name, least in (("batch_size", 1), ("image_size", 1), ("classes", 2), ("steps", 1)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name}={value} is too small; allowed is {least} or more")
        if self.optimizer not in SLOTS:
            raise ValueError(
                f"optimizer={self.optimizer!r} is unknown; allowed are {', '.join(SLOTS)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingCost:
    """Memory and time of training one network, measured in one process per round.

    Memory is the resident set of a process on this machine beyond what the same process had once
    the network was built. It leaves out the weights, and includes the framework's graph and
    workspaces: a phone or a board takes another amount.

    Attributes:
        model: name of the network.
        setup: what it was trained on.
        estimate: bytes by part, for comparison.
        baseline_bytes: resident set after imports and building, median of the rounds.
        peak_bytes: most above the baseline, of all rounds.
        mean_bytes: mean above the baseline after the first step, over all rounds.
        gpu_peak_bytes: most that the backend's allocator held on the GPU, weights included; None
            without a GPU or where the backend does not tell (TensorFlow).
        first_step_seconds: the first step, which also compiles; median of the rounds.
        step_seconds: median of the rounds' medians of the later steps.
        round_peak_bytes: peak of each round.
        round_step_seconds: median seconds per step of each round. Networks that are measured
            together take turns in each round, so that ratios hold round by round.
        backend: of Keras.
        cpus: logical ones of the machine.
        load_before: load average of the last minute before the first round.
        loaded: whether that is above 0.2 per CPU: other work then took part of the CPUs, and the
            seconds should not be quoted.
        date: of the end, UTC, ISO 8601.
    """

    model: str
    setup: TrainingSetup
    estimate: TrainingMemory
    baseline_bytes: int
    peak_bytes: int
    mean_bytes: int
    gpu_peak_bytes: int | None
    first_step_seconds: float
    step_seconds: float
    round_peak_bytes: tuple[int, ...]
    round_step_seconds: tuple[float, ...]
    backend: str
    cpus: int
    load_before: float
    loaded: bool
    date: str

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a row of kind `training_cost`."""
        return {"kind": "training_cost", **json.loads(json.dumps(asdict(self)))}


def measure_training(
    names: Sequence[str],
    setup: TrainingSetup,
    rounds: int = 3,
    progress: Callable[[str], Any] = lambda step: None,
) -> list[TrainingCost]:
    """Train networks for a few steps on random images, in turn, and measure memory and time.

    Every round starts a fresh process for each network, one at a time.

    Args:
        names: names in `keras_lwcnn.models.MODELS`, one or more.
        setup: what to train on.
        rounds: how often each network has its turn, at least 1.
        progress: is told what is measured next.

    Returns:
        The costs, in the order of the names.

    Raises:
        ValueError: no names, an unknown or repeated one, or a setting out of range, before
            anything is measured.
        RuntimeError: a process was killed, as happens when memory runs out, or failed.
    """
    if not names or len(set(names)) < len(names):
        raise ValueError(f"names={list(names)}; allowed are one or more different networks")
    if rounds < 1:
        raise ValueError(f"rounds={rounds} is too small; allowed is 1 or more")
    estimates = {name: _estimate(name, setup) for name in names}
    load = psutil.getloadavg()[0]
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names:
            progress(f"round {number}/{rounds}, {name}")
            measured[name].append(_measure(name, setup, estimates[name]))
    return [_cost(name, setup, estimates[name], measured[name], load) for name in names]


def _estimate(name: str, setup: TrainingSetup) -> TrainingMemory:
    shape = (setup.image_size, setup.image_size, 3)
    model = build(name, input_shape=shape, classes=setup.classes)
    return estimate_memory(model, setup.batch_size, setup.optimizer)


def _measure(name: str, setup: TrainingSetup, estimate: TrainingMemory) -> dict[str, Any]:
    """Run one round of one network in a process of its own."""
    available = psutil.virtual_memory().available
    done = subprocess.run(
        [*COMMAND, json.dumps(setup.to_dict()), name],
        capture_output=True,
        text=True,
        errors="replace",
        env=dict(
            os.environ,
            KERAS_BACKEND=keras.backend.backend(),
            PYTHONPATH=os.pathsep.join(entry or os.getcwd() for entry in sys.path),
        ),
    )
    if done.returncode:
        raise RuntimeError(
            f"the process that trained {name!r} {_ending(done)} (batch size {setup.batch_size}, "
            f"{setup.image_size} px: at least {estimate.total / 1e9:.2f} GB are needed, "
            f"{available / 1e9:.2f} GB were available)"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _ending(done: subprocess.CompletedProcess) -> str:
    if done.returncode == -signal.SIGKILL:
        return "was killed (SIGKILL), as the kernel does when memory runs out"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    said = [line for line in done.stderr.splitlines() if line.strip()]
    # What was raised, even where hints follow it, as after TensorFlow's errors.
    raised = [line for line in said if re.match(r"[\w.]+(Error|Exception)\b", line)]
    message = (raised or said or ["no message"])[-1]
    return f"ended with exit code {done.returncode}: {message}"


def _cost(
    name: str,
    setup: TrainingSetup,
    estimate: TrainingMemory,
    rounds: Sequence[dict[str, Any]],
    load: float,
) -> TrainingCost:
    peaks = tuple(row["peak_bytes"] for row in rounds)
    seconds = tuple(median(row["step_seconds"]) for row in rounds)
    gpu = [row["gpu_peak_bytes"] for row in rounds]
    return TrainingCost(
        model=name,
        setup=setup,
        estimate=estimate,
        baseline_bytes=round(median(row["baseline_bytes"] for row in rounds)),
        peak_bytes=max(peaks),
        mean_bytes=round(fmean(row["mean_bytes"] for row in rounds)),
        gpu_peak_bytes=None if None in gpu else max(gpu),
        first_step_seconds=median(row["first_step_seconds"] for row in rounds),
        step_seconds=median(seconds),
        round_peak_bytes=peaks,
        round_step_seconds=seconds,
        backend=rounds[0]["backend"],
        cpus=os.cpu_count(),
        load_before=load,
        loaded=load > QUIET_LOAD * os.cpu_count(),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
