"""From images to a trained `.keras` file and the record of how it was made."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.condensation import Condensation, CondensationSchedule, condensable_layers
from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.training.advice import advice, computes_bfloat16, has_accelerator
from keras_lwcnn.training.augmentation import with_preparation
from keras_lwcnn.training.batches import SeededEpochs
from keras_lwcnn.training.checkpoint import Checkpoint
from keras_lwcnn.training.checks import check_fit, warn_of_unaveraged, warn_of_unsettled
from keras_lwcnn.training.distributed import Part, this_part, written_by_first
from keras_lwcnn.training.freezing import frozen
from keras_lwcnn.training.pace import plan_for, seconds_of
from keras_lwcnn.training.progress import RichProgress, say
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.running import Plan, Run
from keras_lwcnn.training.scanning import check_steps_per_call
from keras_lwcnn.training.settling import settle_statistics
from keras_lwcnn.version import __version__


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
    time_budget: str | float | None = None,
    all_images: bool = False,
    checkpoint_seconds: float = 0.0,
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
            unit per class, with softmax or with no activation (logits).
        dataset: what to train on; `val` is measured after each epoch.
        recipe: settings.
        out: folder for the results and, while training, the checkpoint.
        input_range: what pixels 0 and 255 become for the model.
        callbacks: further Keras callbacks.
        show_progress: show a bar, or lines where there is no terminal.
        origin: facts of the weights that the model comes with, for the record.
        steps_per_call: steps that an accelerator makes in one call, at least 1; callbacks then see
            these steps as one batch. More than 1 works on the JAX backend with one process, keeps
            all training images on the device, and is faster where a step takes few milliseconds.
        time_budget: time for the whole training, in seconds or as `90s`, `8m` or `1h`: the pace is
            measured over the first steps and sets the epochs in place of the recipe's. A run that
            goes on keeps the epochs that were set.
        all_images: train on the validation images too; accuracy on them then tells nothing.
        checkpoint_seconds: least time between two checkpoints; 0 writes one after each epoch.

    Returns:
        The record that was also written.

    Raises:
        ValueError: when the model does not fit the data or the recipe, the folder holds a
            checkpoint of another run, or not one epoch fits into the time.
        TrainingDiverged: when the loss becomes NaN or infinite.

    Warns:
        UserWarning: when the moving averages of batch normalization, or those of the weights,
            cannot settle in so few steps.
    """
    out, began, part = Path(out), time.perf_counter(), this_part()
    output = check_fit(model, dataset, recipe)
    _check_processes(recipe, part, steps_per_call, time_budget)
    plan = Plan(
        model, dataset, recipe, output, input_range, steps_per_call, all_images, part
    )  # fmt: skip
    if show_progress and part.index == 0:
        backend = keras.backend.backend()
        for sentence in advice(recipe, backend, has_accelerator(), computes_bfloat16()):
            say(sentence)
    budget = None
    if time_budget is not None:
        plan, budget = _within(plan, seconds_of(time_budget), out, began)
        if show_progress:
            say(
                f"{budget['epochs']} epochs of {model.name} fit into {budget['seconds']:g} s at "
                f"{budget['images_per_s']:g} images per second"
            )
    settings = _settings(plan, origin, budget)
    checkpoint = Checkpoint(out, settings, part=part, every_seconds=checkpoint_seconds)
    checkpoint.check()
    run = Run(plan)
    started = time.perf_counter()
    _fit(run, checkpoint, callbacks, show_progress)
    seconds = time.perf_counter() - started
    result = _record(plan, checkpoint, _measured(run), seconds, origin, budget)
    with written_by_first(out / "model.keras", part) as temporary:
        model.save(temporary)
    if part.index == 0:
        result.save(out / "model.json")
        checkpoint.remove()
    return result


def _record(
    plan: Plan,
    checkpoint: Checkpoint,
    val: dict[str, float],
    seconds: float,
    origin: dict[str, Any] | None,
    budget: dict[str, Any] | None,
) -> TrainingResult:
    """Return the record of a finished run."""
    return TrainingResult(
        model=plan.model.name,
        dataset=plan.dataset.to_dict(),
        input_range=plan.input_range,
        output=plan.output,
        recipe=plan.recipe.to_dict(),
        val=val,
        history=checkpoint.history,
        seconds=seconds,
        versions={
            "keras": keras.version(),
            "backend": keras.backend.backend(),
            "keras_lwcnn": __version__,
        },
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        origin=origin,
        time_budget=budget,
        all_images=plan.all_images,
    )


def _check_processes(
    recipe: Recipe, part: Part, steps_per_call: int, time_budget: str | float | None
) -> None:
    """Refuse what several processes cannot do together."""
    for name, value, none in (
        ("settle_batches", recipe.settle_batches, 0),
        ("time_budget", time_budget, None),
    ):
        if value != none and part.count > 1:
            raise ValueError(
                f"{name}={value} works in one process only; these are {part.count}. Use {none}"
            )
    check_steps_per_call(steps_per_call, part.count)


def _within(plan: Plan, seconds: float, out: Path, began: float) -> tuple[Plan, dict[str, Any]]:
    """Return the plan with as many epochs as fit into a time, or as an unfinished run has."""
    stored = Checkpoint.stored_settings(out) or {}
    budget = stored.get("time_budget") or {}
    if budget.get("seconds") == seconds:
        return plan.with_epochs(budget["epochs"]), budget
    return plan_for(plan, seconds, began)


def _settings(
    plan: Plan, origin: dict[str, Any] | None, budget: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what a checkpoint says of its run; settings of later versions only where used."""
    further = {"time_budget": budget, "all_images": plan.all_images}
    return {
        "model": plan.model.name,
        "parameters": plan.model.count_params(),
        "dataset": plan.dataset.to_dict(),
        "recipe": plan.recipe.to_dict(),
        "input_range": list(plan.input_range),
        "origin": origin,
        **{name: value for name, value in further.items() if value},
    }


def _fit(
    run: Run,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback],
    show_progress: bool,
) -> None:
    """Train, or go on with a training, to its end."""
    plan, recipe, whole = run.plan, run.plan.recipe, run.whole
    with ExitStack() as stack:
        stack.enter_context(frozen(run.working, recipe.frozen, recipe.frozen_normalization))
        steps = recipe.epochs * len(run.batches)
        if not recipe.settle_batches:
            warn_of_unsettled(run.working, steps)
        warn_of_unaveraged(recipe.ema, steps)
        run.compile()
        whole = run.whole
        first_epoch = checkpoint.restore(whole, len(run.batches))
        shown = []
        if show_progress and plan.part.index == 0:
            shown.append(RichProgress(plan.model.name, recipe.epochs, len(run.stacks)))
            stack.callback(shown[0].close)
            if first_epoch:
                shown[0].say(
                    f"going on after epoch {first_epoch}/{recipe.epochs}, from {checkpoint.folder}"
                )
        seeding = SeededEpochs(run.batches, recipe.seed)
        whole.fit(
            run.stacks,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            shuffle=False,
            validation_data=run.validation,
            callbacks=[
                seeding,
                *_condensation(plan.model, recipe, callbacks),
                *([keras.callbacks.SwapEMAWeights()] if recipe.ema else []),
                *callbacks,
                checkpoint,
                *shown,
            ],
            verbose=0,
        )
        if recipe.settle_batches:
            seeding.on_epoch_begin(recipe.epochs)
            batches = run.batches
            chosen = (batches[i % len(batches)][0] for i in range(recipe.settle_batches))
            settle_statistics(whole, chosen)


def _measured(run: Run) -> dict[str, float]:
    """Bring the weights into the plan's model, and measure it on the validation images.

    Once more, since the end of training changes the network (averaged weights, settled statistics,
    a condensed classifier, float32).
    """
    plan, whole = run.plan, run.whole
    if run.working is not plan.model:
        plan.model.set_weights(run.working.get_weights())
        whole = with_preparation(plan.model, "none", plan.input_range)
        # With measures of its own: Keras would go on with the counts of those of `working`.
        whole.compile(**plan.measures())
    val = whole.evaluate(run.validation, verbose=0, return_dict=True)
    return {name: float(value) for name, value in val.items()}


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
