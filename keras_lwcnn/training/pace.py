"""How long an epoch takes on this machine, and how many fit into a time."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from keras_lwcnn.training.batches import SeededEpochs
from keras_lwcnn.training.freezing import frozen
from keras_lwcnn.training.running import Plan, Run

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
CALLS = 12
"""Calls of a measurement at most; the first two compile and warm up."""
LONGEST = 20.0
"""Seconds after which a measurement ends once it has three calls."""
MARGIN = 0.95
"""Share of the time that is planned for."""


def seconds_of(time_budget: str | float) -> float:
    """Return the seconds that a duration means: a number of them, or `90s`, `8m`, `1h`, `1h30m`.

    Raises:
        ValueError: no such duration, or none above 0.
    """
    text = str(time_budget).strip()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if "".join(number + unit for number, unit in parts) == text and parts:
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    else:
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(
            f"time_budget={time_budget!r} is no duration; a number of seconds, or one with a unit "
            "(90s, 8m, 1h, 1h30m) is allowed"
        )
    return seconds


@dataclass(frozen=True)
class Pace:
    """What a training takes on this machine.

    Attributes:
        start_s: seconds until the first step is taken, compilation included.
        epoch_s: seconds of an epoch's steps.
        validation_s: seconds of measuring the validation images.
        images_per_s: images trained per second.
    """

    start_s: float
    epoch_s: float
    validation_s: float
    images_per_s: float

    def epochs_in(self, seconds: float) -> int:
        """Return how many epochs fit into so many seconds; 0 where not one does."""
        each = self.epoch_s + self.validation_s
        # The finished network is measured once more.
        left = MARGIN * (seconds - self.start_s - self.validation_s)
        return max(0, int(left / each))


def measured_pace(plan: Plan, clock: Callable[[], float] = time.perf_counter) -> Pace:
    """Train a copy of the plan's model for a few calls, and measure them; the model stays.

    Args:
        plan: what is trained, and how.
        clock: returns seconds; `time.process_time` measures what a shared machine gave.
    """
    model = keras.models.clone_model(plan.model)
    model.set_weights(plan.model.get_weights())
    run = Run(Plan(**{**vars(plan), "model": model}))
    timer = _Timer(clock)
    with frozen(run.working, plan.recipe.frozen, plan.recipe.frozen_normalization):
        run.compile()
        seeding = SeededEpochs(run.batches, plan.recipe.seed)
        run.whole.fit(run.stacks, epochs=1, shuffle=False, callbacks=[seeding, timer], verbose=0)
        run.whole.evaluate(run.validation, steps=1, verbose=0)
        began = clock()
        measured = min(4, len(run.validation))
        run.whole.evaluate(run.validation, steps=measured, verbose=0)
        validation = (clock() - began) * len(run.validation) / measured
    each = timer.seconds_per_call()
    images = len(run.batches) * run.batches.batch_size
    return Pace(timer.start, each * len(run.stacks), validation, images / (each * len(run.stacks)))


def plan_for(plan: Plan, seconds: float, began: float) -> tuple[Plan, dict[str, Any]]:
    """Return a plan whose epochs fit into a time, and the facts of that choice.

    Args:
        plan: of any number of epochs.
        seconds: the time for all of the training.
        began: when the time began, of `time.perf_counter`.

    Raises:
        ValueError: not one epoch fits.
    """
    pace = measured_pace(plan)
    left = seconds - (time.perf_counter() - began)
    epochs = pace.epochs_in(left)
    if epochs < 1:
        needed = seconds - left + pace.start_s + (pace.epoch_s + 2 * pace.validation_s) / MARGIN
        raise ValueError(
            f"time_budget={seconds:g} s is too short for one epoch of {plan.model.name}, which "
            f"takes {pace.epoch_s:.0f} s here; at least {needed:.0f} s are allowed. Take a longer "
            "time, or fewer or smaller images"
        )
    facts = {"seconds": seconds, "epochs": epochs, "images_per_s": round(pace.images_per_s, 1)}
    return plan.with_epochs(epochs), facts


class _Timer(keras.callbacks.Callback):
    """Measure the calls of `fit`, and stop it after a few."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._began = clock()
        self._ends: list[float] = []
        self.start = 0.0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # An accelerator that is still computing has no loss yet.
        float((logs or {}).get("loss", 0.0))
        now = self._clock()
        self._ends.append(now)
        if len(self._ends) == 1:
            self.start = now - self._began
        if len(self._ends) >= CALLS or (len(self._ends) >= 3 and now - self._began > LONGEST):
            self.model.stop_training = True

    def seconds_per_call(self) -> float:
        """Return the mean of the calls that no compilation is in, where there are such."""
        if len(self._ends) == 1:
            return self.start
        ends = self._ends[1:] if len(self._ends) > 2 else self._ends
        return (ends[-1] - ends[0]) / (len(ends) - 1)
