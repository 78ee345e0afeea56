"""Condensation inside `model.fit`."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lwcnn.condensation.schedule import CondensationSchedule
from keras_lwcnn.condensation.state import condensable_layers, condense_classifier


class Condensation(keras.callbacks.Callback):
    """Prune the learned groups of a model while it is trained.

    Masks and stages are weights of the model, so that a training that is resumed from a saved
    model or checkpoint, written at any step, goes on pruning where it was. A schedule of epochs
    counts the progress within an epoch, too, where the number of its steps is known. A schedule
    of steps counts the optimizer's iterations, which a checkpoint has to restore.

    Args:
        schedule: when to prune.
        classifier: whether to condense the classifier when training ends.
    """

    def __init__(self, schedule: CondensationSchedule, classifier: bool = True) -> None:
        super().__init__()
        self.schedule = schedule
        self.classifier = classifier
        self._stages: list[int] = []
        self._epoch = 0
        self._first_step = 0
        self._ready = False
        self._finished = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        self._ready = self._finished = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the model's state when training starts, after it was restored; prune if due."""
        if not self._ready:
            self._start()
        self._epoch = epoch
        self._first_step = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        self._prune(0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Prune if due."""
        self._prune(batch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Condense the classifier of a fully condensed model."""
        layers = condensable_layers(self.model)
        if self.classifier and all(layer.stage == layer.last_stage for layer in layers):
            condense_classifier(self.model)

    def _start(self) -> None:
        layers = condensable_layers(self.model)
        if not layers:
            raise ValueError(
                f"{self.model.name!r} has no learned group convolution to condense; layers of "
                "type LearnedGroupConv2D are needed. Leave the callback out."
            )
        unfinished = [layer for layer in layers if layer.stage < layer.last_stage]
        for layer in unfinished:
            self._claim(layer)
        self._set_lasso(layers, self.schedule.group_lasso if unfinished else 0.0)
        self._stages = [layer.stage for layer in layers]
        self._ready = True

    def _claim(self, layer: Any) -> None:
        numbers = np.asarray(self.schedule.fingerprint(), "float32")
        earlier = ops.convert_to_numpy(layer.schedule)
        if earlier.any() and not np.allclose(earlier, numbers):
            raise ValueError(
                f"{layer.name!r} cannot go on with {self.schedule}: it was condensed up to stage "
                f"{layer.stage} by {CondensationSchedule.from_fingerprint(earlier)}. Use that "
                "schedule, or a model that is not condensed."
            )
        layer.schedule.assign(numbers)

    def _progress(self, batch: int) -> float:
        if self.schedule.unit == "steps":
            return (self._first_step + batch) / self.schedule.total
        steps = self.params.get("steps")
        return (self._epoch + (batch / steps if steps else 0.0)) / self.schedule.total

    def _prune(self, batch: int) -> None:
        if self._finished:
            return
        progress = self._progress(batch)
        layers = condensable_layers(self.model)
        due = [self.schedule.stage(progress, layer.condensation_factor) for layer in layers]
        if any(stage > now for stage, now in zip(due, self._stages, strict=True)):
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            for layer, stage in zip(layers, due, strict=True):
                layer.drop_to_stage(stage)
            self._stages = [layer.stage for layer in layers]
            if all(layer.stage == layer.last_stage for layer in layers):
                self._set_lasso(layers, 0.0)
        self._finished = all(
            stage == layer.last_stage for stage, layer in zip(self._stages, layers, strict=True)
        )

    def _set_lasso(self, layers: list[Any], weight: float) -> None:
        for layer in layers:
            layer.lasso.assign(weight)
