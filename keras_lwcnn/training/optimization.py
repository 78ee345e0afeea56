"""Optimizer, schedule and loss that a recipe describes."""

import keras
import numpy as np

from keras_lwcnn.losses import ClassBalancedFocalLoss
from keras_lwcnn.optimizers import KernelMuon, depthwise_paths
from keras_lwcnn.training.recipe import Recipe


def optimizer_of(
    recipe: Recipe,
    steps: int,
    model: keras.Model | None = None,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.optimizers.Optimizer:
    """Make the optimizer of a run.

    Args:
        recipe: the settings.
        steps: of the whole run.
        model: what is trained, for `muon`: it tells which variables AdamW takes (depthwise kernels
            and the last layer).
        schedule: takes the place of the recipe's.
    """
    shared = {
        "learning_rate": schedule or _schedule(recipe, steps),
        "weight_decay": recipe.weight_decay or None,
        "use_ema": recipe.ema > 0,
        "ema_momentum": recipe.ema or 0.99,
    }
    if recipe.optimizer == "muon":
        depthwise = depthwise_paths(model) if model else []
        classifier = [v.path for v in model.layers[-1].trainable_variables] if model else []
        return KernelMuon(
            adamw_paths=[*depthwise, *classifier],
            undecayed_paths=depthwise,
            adam_lr_ratio=recipe.adam_learning_rate / recipe.learning_rate,
            adam_weight_decay=recipe.adam_weight_decay or None,
            **shared,
        )
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=0.9, nesterov=True, **shared)
    elif recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**shared)
    else:
        optimizer = keras.optimizers.AdamW(**shared)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _schedule(recipe: Recipe, steps: int) -> float | keras.optimizers.schedules.CosineDecay:
    if recipe.schedule == "constant" and not recipe.warmup:
        return recipe.learning_rate
    warmup = max(1, round(recipe.warmup * steps)) if recipe.warmup else 0
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        # A cosine that falls to the whole of the peak is constant.
        alpha=1.0 if recipe.schedule == "constant" else 0.0,
    )


def learning_rates(recipe: Recipe, steps: int) -> np.ndarray:
    """Return the learning rate of each step of a run of `steps` steps, float32 (steps,)."""
    warmup = max(1, round(recipe.warmup * steps)) if recipe.warmup else 0
    step = np.arange(steps)
    rates = np.ones(steps)
    if recipe.schedule == "cosine":
        rates = 0.5 * (1 + np.cos(np.pi * (step - warmup) / max(1, steps - warmup)))
    if warmup:
        rates = np.where(step < warmup, step / warmup, rates)
    return (recipe.learning_rate * rates).astype(np.float32)


def loss_of(recipe: Recipe, labels: np.ndarray, classes: int, from_logits: bool) -> keras.Loss:
    """Make the loss.

    Args:
        recipe: the settings.
        labels: class indices of the training images, which the class-balanced loss counts.
        classes: number of classes.
        from_logits: whether the network gives logits.

    Raises:
        ValueError: a class without training images, for the class-balanced loss.
    """
    if recipe.loss == "class_balanced_focal":
        return ClassBalancedFocalLoss(
            np.bincount(labels, minlength=classes).tolist(), from_logits=from_logits
        )
    if recipe.label_smoothing:
        return keras.losses.CategoricalCrossentropy(
            from_logits=from_logits, label_smoothing=recipe.label_smoothing
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
