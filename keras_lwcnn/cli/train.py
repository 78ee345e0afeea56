"""Train a network on images, and write model.keras with its record."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.cli.common import DataSource
    from keras_lwcnn.data import ImageDataset
    from keras_lwcnn.training import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn train`."""
    from keras_lwcnn.cli.common import add_data_arguments, add_rows_argument

    parser.add_argument("model", metavar="MODEL", help="a name that `lwcnn models` lists")
    add_data_arguments(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    add_recipe_arguments(parser)
    add_rows_argument(parser)


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the settings of a recipe; what is not given keeps the recipe's default."""
    parser.add_argument("--epochs", type=int, help="passes over the training images (default 15)")
    parser.add_argument("--batch-size", type=int, help="images a step (default 64)")
    parser.add_argument("--optimizer", help="adamw (default) or sgd")
    parser.add_argument("--learning-rate", type=float, help="peak learning rate (default 0.003)")
    parser.add_argument("--weight-decay", type=float, help="decoupled weight decay (default 0.01)")
    parser.add_argument("--augmentation", help="none, shift (default) or shift_flip")
    parser.add_argument("--label-smoothing", type=float, help="in [0, 1) (default 0)")
    parser.add_argument("--seed", type=int, help="of everything random (default 0)")


def recipe_from(args: argparse.Namespace) -> Recipe:
    """Make the recipe that the options describe."""
    from dataclasses import fields

    from keras_lwcnn.training.recipe import Recipe

    given = {field.name: getattr(args, field.name) for field in fields(Recipe)}
    return Recipe(**{name: value for name, value in given.items() if value is not None})


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn train`."""
    from keras_lwcnn.cli.common import append_rows, data_from, import_keras

    import_keras()
    recipe = recipe_from(args)
    row = train_model(args.model, data_from(args), args.image_size, recipe, args.out)
    append_rows(args.rows, [row])


def train_model(
    name: str,
    data: str | DataSource | ImageDataset,
    image_size: int | None,
    recipe: Recipe,
    out: Path,
) -> dict[str, Any]:
    """Build and train a network; give the row, after saying where the results are.

    `image_size` is for the images of a source, not for those that are loaded already.
    """
    import keras

    from keras_lwcnn.cli.common import loaded
    from keras_lwcnn.condensation import Condensation, CondensationSchedule, condensable_layers
    from keras_lwcnn.models import build, model_named
    from keras_lwcnn.training import train

    entry = model_named(name)
    dataset = loaded(data, image_size)
    keras.utils.set_random_seed(recipe.seed)
    model = build(
        name,
        input_shape=dataset.input_shape,
        classes=len(dataset.class_names),
        classifier_activation=None,
    )
    callbacks = []
    if condensable_layers(model):
        callbacks.append(Condensation(CondensationSchedule(total=recipe.epochs)))
    result = train(model, dataset, recipe, out, input_range=entry.input_range, callbacks=callbacks)
    print(
        f"{name}: top-1 {result.val['top1']:.2%} on the {len(dataset.val)} validation "
        f"images of {dataset.name}; wrote {out / 'model.keras'}"
    )
    return result.to_dict()
