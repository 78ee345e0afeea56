"""From images to a trained `.keras` file and the record of how it was made."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.files import write_json, written_beside
from keras_lwcnn.training.batches import SeededEpochs, ShuffledBatches, labels_for_loss
from keras_lwcnn.training.checkpoint import Checkpoint
from keras_lwcnn.training.preparation import with_preparation
from keras_lwcnn.training.progress import RichProgress
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.version import __version__

WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class TrainingResult:
    """The record of a finished run, as it stands in the JSON beside the `.keras` file.

    Attributes:
        model: name of the network.
        dataset: facts of the data set (`ImageDataset.to_dict`).
        input_range: what pixels 0 and 255 became for the network.
        output: `logits` or `probabilities`.
        recipe: settings of the run (`Recipe.to_dict`).
        val: loss and top1 of the finished network on the validation images.
        history: a value an epoch for loss, top1, val_loss and val_top1 (losses in nats, top1 in
            [0, 1]; training figures are running means over the augmented epoch).
        seconds: wall-clock time of the epochs run by the last call.
        versions: of Keras, its backend's name, and keras-lwcnn.
        date: of the end of the run, UTC, ISO 8601.
    """

    model: str
    dataset: dict[str, Any]
    input_range: tuple[float, float]
    output: str
    recipe: dict[str, Any]
    val: dict[str, float]
    history: dict[str, list[float]]
    seconds: float
    versions: dict[str, str]
    date: str

    def to_dict(self) -> dict[str, Any]:
        """Give the record as a row of kind `train`."""
        return {"kind": "train", **json.loads(json.dumps(asdict(self)))}

    def save(self, path: Path) -> Path:
        """Write the record as JSON."""
        return write_json(path, self.to_dict())


def train(
    model: keras.Model,
    dataset: ImageDataset,
    recipe: Recipe,
    out: str | Path,
    *,
    input_range: tuple[float, float] = (-1.0, 1.0),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    show_progress: bool = True,
) -> TrainingResult:
    """Train a classifier with `model.fit` and write `model.keras` and `model.json` into a folder.

    A run that was killed goes on after its last whole epoch when it is called again with the same
    model, data, recipe and folder; on one backend it then sees the same batches and the same
    augmentation as an unbroken run.

    Args:
        model: takes images of the data set's shape scaled to `input_range`; ends in one unit a
            class, with softmax or with no activation (logits).
        dataset: what to train on; `val` is measured after each epoch.
        recipe: settings.
        out: folder for the results and, while training, the checkpoint.
        input_range: what pixels 0 and 255 become for the model.
        callbacks: further ones, for example of a condensation.
        show_progress: show a bar, or lines where there is no terminal.

    Returns:
        The record that was also written.

    Raises:
        ValueError: when the model does not fit the data, or the folder holds a checkpoint of
            another run.
        TrainingDiverged: when the loss becomes NaN or infinite.
    """
    out = Path(out)
    output = _check_fit(model, dataset)
    classes = len(dataset.class_names)
    one_hot = classes if recipe.label_smoothing else None
    batches = ShuffledBatches(dataset.train, recipe.batch_size, recipe.seed, one_hot)
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "dataset": dataset.to_dict(),
        "recipe": recipe.to_dict(),
        "input_range": list(input_range),
    }
    checkpoint = Checkpoint(out, settings, steps_per_epoch=len(batches))
    resuming = checkpoint.check()

    keras.utils.set_random_seed(recipe.seed)
    whole = with_preparation(model, recipe.augmentation, input_range)
    whole.compile(
        optimizer=_optimizer(recipe, steps=recipe.epochs * len(batches)),
        loss=_loss(recipe, from_logits=output == "logits"),
        metrics=[keras.metrics.CategoricalAccuracy("top1")]
        if one_hot
        else [keras.metrics.SparseCategoricalAccuracy("top1")],
    )
    first_epoch = checkpoint.restore(whole) if resuming else 0
    progress = [RichProgress(model.name, recipe.epochs, len(batches))] if show_progress else []
    validation = (dataset.val.images, labels_for_loss(dataset.val, one_hot))
    started = time.perf_counter()
    try:
        whole.fit(
            batches,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            shuffle=False,
            validation_data=validation,
            validation_batch_size=256,
            callbacks=[SeededEpochs(batches, recipe.seed), *callbacks, checkpoint, *progress],
            verbose=0,
        )
    finally:
        for bar in progress:
            bar.close()
    seconds = time.perf_counter() - started
    # Measured once more, since a callback may change the network at the end of training.
    val = whole.evaluate(*validation, batch_size=256, verbose=0, return_dict=True)
    result = TrainingResult(
        model=model.name,
        dataset=dataset.to_dict(),
        input_range=input_range,
        output=output,
        recipe=recipe.to_dict(),
        val={name: float(value) for name, value in val.items()},
        history=checkpoint.history,
        seconds=seconds,
        versions={
            "keras": keras.version(),
            "backend": keras.backend.backend(),
            "keras_lwcnn": __version__,
        },
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    with written_beside(out / "model.keras") as temporary:
        model.save(temporary)
    result.save(out / "model.json")
    checkpoint.remove()
    return result


def _check_fit(model: keras.Model, dataset: ImageDataset) -> str:
    """Check that the model takes the images and tells the classes; say what its output is."""
    if not hasattr(model, "input_shape") or not isinstance(model.input_shape, tuple):
        raise ValueError(f"the model has to have one input, this one has {model.inputs}")
    expected = (None, *dataset.input_shape)
    shape = model.input_shape
    if len(shape) != 4 or any(
        a is not None and a != b for a, b in zip(shape[1:], expected[1:], strict=True)
    ):
        raise ValueError(
            f"the model takes {shape[1:]}, the images of {dataset.name} are {dataset.input_shape}"
        )
    if model.output_shape != (None, len(dataset.class_names)):
        raise ValueError(
            f"the model gives {model.output_shape}, but {dataset.name} has "
            f"{len(dataset.class_names)} classes: (None, {len(dataset.class_names)}) is needed"
        )
    activation = getattr(model.layers[-1], "activation", None)
    name = "linear" if activation is None else activation.__name__
    outputs = {"softmax": "probabilities", "linear": "logits"}
    if name not in outputs:
        raise ValueError(f"the model ends in {name!r}; allowed are softmax and None (logits)")
    return outputs[name]


def _loss(recipe: Recipe, *, from_logits: bool) -> keras.losses.Loss:
    if recipe.label_smoothing:
        return keras.losses.CategoricalCrossentropy(
            from_logits=from_logits, label_smoothing=recipe.label_smoothing
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    warmup = max(1, round(WARMUP_SHARE * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
    )
    decay = recipe.weight_decay or None
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=decay)
    else:
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
