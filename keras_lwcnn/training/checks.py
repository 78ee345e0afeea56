"""What is refused, or warned of, before a network is trained."""

import math
import warnings

import keras

from keras_lwcnn.condensation import condensable_layers
from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.settling import unsettled_share

UNSETTLED = 1e-3
"""Share of initial statistics that a network may be left with before a warning."""
UNAVERAGED = 1e-2
"""Share of initial weights that averaged ones may be left with before a warning."""


def check_fit(model: keras.Model, dataset: ImageDataset, recipe: Recipe) -> str:
    """Check that model, images and recipe fit each other; return what the model's output is.

    Raises:
        ValueError: they do not fit.
    """
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


def warn_of_unsettled(model: keras.Model, steps: int) -> None:
    """Warn where so few steps leave much of the initial statistics of normalization."""
    share = unsettled_share(model, steps)
    if share > UNSETTLED:
        warnings.warn(
            f"after the {steps} steps of this training {share:.1%} of the statistics of batch "
            "normalization will still be the initial ones, so that the network may classify far "
            "worse than it did in training: measure them anew at the end with settle_batches=100 "
            "(--settle-batches 100), or train longer",
            stacklevel=3,
        )


def warn_of_unaveraged(momentum: float, steps: int) -> None:
    """Warn where so few steps leave much of the initial weights in their average."""
    share = momentum**steps
    if share > UNAVERAGED:
        fitting = math.floor(1000 * UNAVERAGED ** (1 / steps)) / 1000
        warnings.warn(
            f"after the {steps} steps of this training {share:.1%} of the averaged weights will "
            f"still be the initial ones, with ema={momentum}: take at most {fitting} "
            f"(--ema {fitting}) or 0, or train longer",
            stacklevel=3,
        )
