"""The state of an unfinished run on disk, so that a killed run goes on where it was."""

import errno
import json
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from keras_lwcnn.files import write_json
from keras_lwcnn.training.distributed import Part, from_first, written_by_first

WEIGHTS_FILE = "checkpoint.weights.h5"
SETTINGS_FILE = "checkpoint.json"


class TrainingDiverged(ValueError):
    """The loss became NaN or infinite; the last checkpoint is from before that."""


class Checkpoint(keras.callbacks.Callback):
    """Write weights, optimizer, masks and history after an epoch, each file whole or not at all.

    The epoch of a checkpoint is read from the optimizer's step count inside the weight file, so the
    two files cannot disagree.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        part: Part,
        every_seconds: float = 0.0,
    ) -> None:
        """Prepare a checkpoint.

        Args:
            folder: where the two files go.
            settings: JSON values that say what is trained; a checkpoint of others is refused.
            part: of this process: the first one reads and writes, for all.
            every_seconds: least time between two writings; 0 writes after each epoch.

        Raises:
            ValueError: a time below 0.
        """
        super().__init__()
        if every_seconds < 0:
            raise ValueError(
                f"checkpoint_seconds={every_seconds} is below 0; 0 (after each epoch) or more is "
                "allowed"
            )
        self.part = part
        self.folder = folder
        self.settings = json.loads(json.dumps(settings))
        self.every_seconds = every_seconds
        self.history: dict[str, list[float]] = {}
        self._written = time.monotonic()

    @staticmethod
    def stored_settings(folder: Path) -> dict[str, Any] | None:
        """Return the settings of the checkpoint in a folder; None where there is none."""
        if not (folder / WEIGHTS_FILE).is_file():
            return None
        return json.loads((folder / SETTINGS_FILE).read_text())["settings"]

    def check(self) -> bool:
        """Say whether there is a checkpoint to resume from.

        Raises:
            ValueError: when there is one of other settings.
        """
        stored = self.stored_settings(self.folder)
        if stored is None:
            return False
        different = sorted(
            key
            for key in stored.keys() | self.settings.keys()
            if stored.get(key) != self.settings.get(key)
        )
        if different:
            raise ValueError(
                f"{self.folder} holds the checkpoint of another run, which differs in "
                + "; ".join(
                    f"{key}: {stored.get(key)!r} there, {self.settings.get(key)!r} now"
                    for key in different
                )
                + ". Give another folder, or delete it"
            )
        return True

    def restore(self, model: keras.Model, steps_per_epoch: int) -> int:
        """Load the checkpoint into a compiled model and return the epoch to go on with, from 0."""
        found = self.part.index == 0 and self.check()
        weights, state = (
            from_first((self.folder / name).read_bytes() if found else b"", self.part)
            for name in (WEIGHTS_FILE, SETTINGS_FILE)
        )
        if not weights:
            return 0
        model.optimizer.build(model.trainable_variables)
        with TemporaryDirectory() as folder:
            path = Path(folder, WEIGHTS_FILE)
            path.write_bytes(weights)
            model.load_weights(path)
        epoch = self._step(model) // steps_per_epoch
        history = json.loads(state)["history"]
        self.history = {name: values[:epoch] for name, values in history.items()}
        return epoch

    @staticmethod
    def _step(model: keras.Model) -> int:
        return int(keras.ops.convert_to_numpy(model.optimizer.iterations))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop at once when the loss is no longer a number."""
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            kept = (
                f"the checkpoint of the last whole epoch is in {self.folder}"
                if (self.folder / WEIGHTS_FILE).is_file()
                else "no epoch was whole before: there is no checkpoint"
            )
            raise TrainingDiverged(
                f"the loss became {loss} at step {self._step(self.model)}; lower the learning "
                f"rate ({kept})"
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Store the state after an epoch."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._written < self.every_seconds:
            return
        if self.part.index == 0:
            self._check_space()
            state = {"settings": self.settings, "history": self.history}
            write_json(self.folder / SETTINGS_FILE, state)
        with written_by_first(self.folder / WEIGHTS_FILE, self.part) as temporary:
            self.model.save_weights(temporary)
        self._written = time.monotonic()

    def _check_space(self) -> None:
        """Raise an OSError where the disk is full: HDF5 would say it at length, and then crash."""
        variables = [*self.model.variables, *self.model.optimizer.variables]
        # HDF5 adds 900 bytes to each in large networks, more in small ones.
        needed = sum(4 * int(np.prod(v.shape)) + 2048 for v in variables)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: a checkpoint takes {needed:,} bytes, {free:,} are free; the "
                "run goes on after the last whole epoch when there is space",
                str(self.folder),
            )

    def remove(self) -> None:
        """Delete the files once the run is finished and its results are stored."""
        if self.part.index:
            return
        for name in (WEIGHTS_FILE, SETTINGS_FILE):
            (self.folder / name).unlink(missing_ok=True)
