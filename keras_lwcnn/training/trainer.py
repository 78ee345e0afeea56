"""From images to a trained `.keras` file and the record of how it was made."""

import math
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.condensation import Condensation, CondensationSchedule, condensable_layers
from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.training.batches import OrderedBatches, SeededEpochs, ShuffledBatches
from keras_lwcnn.training.checkpoint import Checkpoint
from keras_lwcnn.training.distributed import this_part, written_by_first
from keras_lwcnn.training.freezing import frozen
from keras_lwcnn.training.numerics import training_copy
from keras_lwcnn.training.optimization import learning_rates, loss_of, optimizer_of
from keras_lwcnn.training.preparation import with_preparation
from keras_lwcnn.training.progress import RichProgress
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.scanning import (
    GivenRate,
    ScannedModel,
    StackedSteps,
    check_steps_per_call,
)
from keras_lwcnn.training.statistics import settle_statistics, unsettled_share
from keras_lwcnn.version import __version__

UNSETTLED = 1e-3
"""Share of initial statistics that a network may be left with before a warning."""
UNAVERAGED = 1e-2
"""Share of initial weights that averaged ones may be left with before a warning."""


def train(
    model: keras.Model,
    dataset: ImageDataset,
    recipe: Recipe,
    out: str | Path,
    *,
    input_range: tuple[float, float] = (-1.0, 1.0),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    show_progress: bool = True,
    origin: dict[str, Any] | None = None,
    steps_per_call: int = 1,
) -> TrainingResult:
    """Train a classifier with `model.fit` and write `model.keras` and `model.json` into a folder.

    A run that was killed, at whatever moment, goes on after its last whole epoch when it is called
    again with the same model, data, recipe and folder; on one backend it then sees the same batches
    and the same augmentation as an unbroken run; after `make_deterministic` it gives the same bits.

    Learned groups are condensed as the recipe says, unless `callbacks` has a `Condensation`.
    Processes that joined (`distributed.join`) train together: each computes its part of every
    batch, and process 0 writes the files.

    Args:
        model: float32; takes images of the data set's shape scaled to `input_range`; ends in one
            unit a class, with softmax or with no activation (logits).
        dataset: what to train on; `val` is measured after each epoch.
        recipe: settings.
        out: folder for the results and, while training, the checkpoint.
        input_range: what pixels 0 and 255 become for the model.
        callbacks: further ones.
        show_progress: show a bar, or lines where there is no terminal.
        origin: facts of the weights that the model comes with, for the record.
        steps_per_call: steps that an accelerator makes in one call, at least 1; callbacks then see
            so many as one batch. More than 1 is for the JAX backend and one process, and fast where
            a step takes few milliseconds.

    Returns:
        The record that was also written.

    Raises:
        ValueError: when the model does not fit the data or the recipe, or the folder holds a
            checkpoint of another run.
        TrainingDiverged: when the loss becomes NaN or infinite.

    Warns:
        UserWarning: when the moving averages of batch normalization, or those of the weights,
            cannot settle in so few steps.
    """
    out = Path(out)
    output = _check_fit(model, dataset, recipe)
    part = this_part()
    if recipe.settle_batches and part.count > 1:
        raise ValueError(
            f"settle_batches={recipe.settle_batches} is for one process, these are {part.count}: "
            "0 is allowed"
        )
    check_steps_per_call(steps_per_call, part.count)
    one_hot = len(dataset.class_names) if recipe.label_smoothing else None
    batches = ShuffledBatches(dataset.train, recipe.batch_size, recipe.seed, one_hot, part)
    validation = OrderedBatches(dataset.val, one_hot, part)
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        "dataset": dataset.to_dict(),
        "recipe": recipe.to_dict(),
        "input_range": list(input_range),
        "origin": origin,
    }
    checkpoint = Checkpoint(out, settings, len(batches), part)
    checkpoint.check()

    keras.utils.set_random_seed(recipe.seed)
    working = training_copy(model, recipe.precision)
    whole = with_preparation(working, recipe.augmentation, input_range)
    stacks: keras.utils.PyDataset = batches
    if steps_per_call > 1:
        whole = ScannedModel(whole.input, whole.output, name=whole.name)
        stacks = StackedBatches(batches, steps_per_call)
    with ExitStack() as stack:
        stack.enter_context(frozen(working, recipe.frozen, recipe.frozen_normalization))
        steps = recipe.epochs * len(batches)
        if not recipe.settle_batches:
            _warn_of_unsettled(working, steps)
        _warn_of_unaveraged(recipe.ema, steps)
        whole.compile(
            optimizer=optimizer_of(recipe, steps, working), **_measures(recipe, dataset, output)
        )
        if steps_per_call > 1:
            # Measures are built from a batch; `fit` would build them from a stack.
            whole.test_on_batch(*validation[0])
        first_epoch = checkpoint.restore(whole)
        shown = []
        if show_progress and part.index == 0:
            shown.append(RichProgress(model.name, recipe.epochs, len(stacks)))
            stack.callback(shown[0].close)
            if first_epoch:
                shown[0].say(f"going on after epoch {first_epoch}/{recipe.epochs}, from {out}")
        seeding = SeededEpochs(batches, recipe.seed)
        started = time.perf_counter()
        whole.fit(
            stacks,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            shuffle=False,
            validation_data=validation,
            callbacks=[
                seeding,
                *_condensation(model, recipe, callbacks),
                *([keras.callbacks.SwapEMAWeights()] if recipe.ema else []),
                *callbacks,
                checkpoint,
                *shown,
            ],
            verbose=0,
        )
        if recipe.settle_batches:
            seeding.on_epoch_begin(recipe.epochs)
            chosen = (batches[i % len(batches)][0] for i in range(recipe.settle_batches))
            settle_statistics(whole, chosen)
        seconds = time.perf_counter() - started
    if working is not model:
        model.set_weights(working.get_weights())
        whole = with_preparation(model, "none", input_range)
        # With measures of its own: Keras would go on with the counts of those of `working`.
        whole.compile(**_measures(recipe, dataset, output))
    # Measured once more: the end of training changes the network (averaged weights, settled
    # statistics, a condensed classifier, float32).
    val = whole.evaluate(validation, verbose=0, return_dict=True)
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
        origin=origin,
    )
    with written_by_first(out / "model.keras", part) as temporary:
        model.save(temporary)
    if part.index == 0:
        result.save(out / "model.json")
        checkpoint.remove()
    return result


def _measures(recipe: Recipe, dataset: ImageDataset, output: str) -> dict[str, Any]:
    """Make loss and accuracy, as `compile` takes them, for the form of labels that the loss has."""
    from_logits = output == "logits"
    accuracy = (
        keras.metrics.CategoricalAccuracy
        if recipe.label_smoothing
        else keras.metrics.SparseCategoricalAccuracy
    )
    loss = loss_of(recipe, dataset.train.labels, len(dataset.class_names), from_logits)
    return {"loss": loss, "metrics": [accuracy("top1")]}


def _condensation(
    model: keras.Model, recipe: Recipe, callbacks: Sequence[keras.callbacks.Callback]
) -> list[Condensation]:
    """Prune learned groups as the recipe says, where the caller brings no schedule of its own."""
    if not condensable_layers(model) or any(isinstance(c, Condensation) for c in callbacks):
        return []
    schedule = CondensationSchedule(
        recipe.epochs, pruning_share=recipe.pruning_share, group_lasso=recipe.group_lasso
    )
    return [Condensation(schedule)]


def _check_fit(model: keras.Model, dataset: ImageDataset, recipe: Recipe) -> str:
    """Check that model, images and recipe fit each other; say what the model's output is."""
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
    if recipe.group_lasso and not condensable_layers(model):
        raise ValueError(
            f"group_lasso={recipe.group_lasso} is for networks with learned groups, "
            f"{model.name} has none: 0 is allowed"
        )
    if recipe.pruning_share != Recipe.pruning_share and not condensable_layers(model):
        raise ValueError(
            f"pruning_share={recipe.pruning_share} is for networks with learned groups, "
            f"{model.name} has none: leave it at {Recipe.pruning_share}"
        )
    activation = getattr(model.layers[-1], "activation", None)
    name = "linear" if activation is None else activation.__name__
    outputs = {"softmax": "probabilities", "linear": "logits"}
    if name not in outputs:
        raise ValueError(f"the model ends in {name!r}; allowed are softmax and None (logits)")
    return outputs[name]


def _warn_of_unsettled(model: keras.Model, steps: int) -> None:
    share = unsettled_share(model, steps)
    if share > UNSETTLED:
        warnings.warn(
            f"after the {steps} steps of this training {share:.1%} of the statistics of batch "
            "normalization will still be the initial ones, so that the network may classify far "
            "worse than it did in training: measure them anew at the end with settle_batches=100 "
            "(--settle-batches 100), or train longer",
            stacklevel=3,
        )


def _warn_of_unaveraged(momentum: float, steps: int) -> None:
    share = momentum**steps
    if share > UNAVERAGED:
        fitting = math.floor(1000 * UNAVERAGED ** (1 / steps)) / 1000
        warnings.warn(
            f"after the {steps} steps of this training {share:.1%} of the averaged weights will "
            f"still be the initial ones, with ema={momentum}: take at most {fitting} "
            f"(--ema {fitting}) or 0, or train longer",
            stacklevel=3,
        )
