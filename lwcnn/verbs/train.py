"""Train a network on images, and write model.keras with its record."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.data import ImageDataset
    from keras_lwcnn.training import Recipe
    from lwcnn.common import DataSource

EXTRA = "train"
USES_KERAS = True

# Those of keras_lwcnn.training.recipe, which takes seconds to import; a test compares them.
OPTIMIZERS = ("adamw", "adam", "sgd", "muon")
SCHEDULES = ("cosine", "constant")
AUGMENTATIONS = ("none", "shift", "shift_flip", "shift_flip_erase", "rotate_shift_flip_contrast")
LOSSES = ("cross_entropy", "class_balanced_focal")
PRECISIONS = ("float32", "mixed_bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn train`."""
    from lwcnn.common import add_data_arguments, add_rows_argument

    parser.add_argument("model", metavar="MODEL", help="a name that `lwcnn models` lists")
    add_data_arguments(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    add_recipe_arguments(parser)
    add_rows_argument(parser)
    parser.add_argument(
        "--steps-per-call",
        type=int,
        default=1,
        metavar="N",
        help="steps that a GPU makes in one call, on the JAX backend (KERAS_BACKEND=jax): faster "
        "where a step takes few milliseconds (default: 1)",
    )
    parser.add_argument(
        "--time-budget",
        metavar="TIME",
        help="time for the whole training, as 90s, 8m or 1h: the pace is measured over the first "
        "steps, and as many epochs are trained as fit",
    )
    parser.add_argument(
        "--all-images",
        action="store_true",
        help="train on the validation images too, for a last training whose settings stand",
    )
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="least time between two checkpoints, where epochs are short (default: 0, after each)",
    )
    _add_process_arguments(parser)


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the settings of a recipe; without an option, the setting is the recipe's."""
    group = parser.add_argument_group(
        "recipe", "how to train; each option replaces a setting of the recipe"
    )
    group.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="a recipe for the network and the data that `lwcnn recipes` lists, any of those as "
        "NETWORK/DATA/NAME, or the model.json of an earlier training (default: 15 epochs of AdamW)",
    )
    group.add_argument("--epochs", type=int, help="passes over the training images")
    group.add_argument("--batch-size", type=int, help="images per step")
    group.add_argument("--optimizer", choices=OPTIMIZERS)
    group.add_argument("--learning-rate", type=float, help="peak learning rate")
    group.add_argument(
        "--adam-learning-rate", type=float, help="of muon: peak rate of what AdamW trains"
    )
    group.add_argument(
        "--adam-weight-decay", type=float, help="of muon: weight decay of the classifier"
    )
    group.add_argument("--schedule", choices=SCHEDULES, help="of the rate, after the warm-up")
    group.add_argument("--warmup", type=float, help="share of the steps, in [0, 1)")
    group.add_argument("--weight-decay", type=float, help="decoupled weight decay")
    group.add_argument("--augmentation", choices=AUGMENTATIONS)
    group.add_argument("--label-smoothing", type=float, help="in [0, 1)")
    group.add_argument("--loss", choices=LOSSES)
    group.add_argument("--ema", type=float, help="momentum of averaged weights, in [0, 1)")
    group.add_argument(
        "--settle-batches",
        type=int,
        help="batches over which batch normalization's statistics are measured anew at the end",
    )
    group.add_argument("--precision", choices=PRECISIONS, help="mixed_bfloat16 is for GPUs")
    group.add_argument("--pruning-share", type=float, help="of the epochs, for learned groups")
    group.add_argument("--group-lasso", type=float, help="weight of it, for learned groups")
    group.add_argument("--seed", type=int, help="of everything random")
    group.add_argument(
        "--deterministic",
        action="store_true",
        help="the same bits in every run on one backend, where that is slower",
    )


def _add_process_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "several processes",
        "train on several machines or processes together, on the JAX backend (KERAS_BACKEND=jax): "
        "start the same command on each, with its own --process-id; process 0 writes the results",
    )
    group.add_argument("--processes", type=int, metavar="N", help="how many there are")
    group.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 listens")
    group.add_argument("--process-id", type=int, metavar="I", help="of this one, 0 to N - 1")


def recipe_from(args: argparse.Namespace, model: str) -> Recipe:
    """Make the recipe that the options describe for a network."""
    from dataclasses import fields, replace

    from keras_lwcnn.training.recipe import OF_MUON, Recipe

    given = {field.name: getattr(args, field.name, None) for field in fields(Recipe)}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("optimizer", "muon") != "muon":
        # Another optimizer than the recipe's does not take over the settings of Muon.
        given = {name: getattr(Recipe, name) for name in OF_MUON} | given
    return replace(_base_recipe(args.recipe, model, args.data), **given)


def _base_recipe(name: str | None, model: str, data: str) -> Recipe:
    from convert.source.keras_file import read_record
    from keras_lwcnn.training.recipe import Recipe
    from keras_lwcnn.training.recipes import recipe_named

    if name is None:
        return Recipe()
    if name.endswith(".json"):
        record = read_record(name)
        if not record:
            raise ValueError(f"--recipe {name}: there is no such file")
        return Recipe.from_dict(record["recipe"])
    return recipe_named(name, model, Path(data).name.removesuffix(".npz")).recipe


def join_processes(args: argparse.Namespace) -> bool:
    """Join the processes that the options name; say whether this one is to print and write."""
    given = {
        "--processes": args.processes,
        "--coordinator": args.coordinator,
        "--process-id": args.process_id,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return True
    if missing:
        raise ValueError(f"{', '.join(given)} go together; {', '.join(missing)} is missing")
    from keras_lwcnn.training.distributed import join

    join(args.processes, args.coordinator, args.process_id)
    return args.process_id == 0


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn train`."""
    from keras_lwcnn.training.numerics import make_deterministic
    from lwcnn.common import append_rows, data_from

    recipe = recipe_from(args, args.model)
    if args.deterministic:
        make_deterministic()
    first = join_processes(args)
    row = train_model(
        args.model,
        data_from(args),
        args.image_size,
        recipe,
        args.out,
        says=first,
        steps_per_call=args.steps_per_call,
        time_budget=args.time_budget,
        all_images=args.all_images,
        checkpoint_seconds=args.checkpoint_seconds,
    )
    if first:
        append_rows(args.rows, [row])


def train_model(
    name: str,
    data: str | DataSource | ImageDataset,
    image_size: int | None,
    recipe: Recipe,
    out: Path,
    says: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Build and train a network; give the row, after saying where the results are.

    `image_size` is for the images of a source, not for those that are loaded already.
    """
    import keras

    from keras_lwcnn.models import build, model_named
    from keras_lwcnn.training import train
    from lwcnn.common import loaded

    entry = model_named(name)
    dataset = loaded(data, image_size)
    keras.utils.set_random_seed(recipe.seed)
    model = build(
        name,
        input_shape=dataset.input_shape,
        classes=len(dataset.class_names),
        classifier_activation=None,
    )
    result = train(
        model,
        dataset,
        recipe,
        out,
        input_range=entry.input_range,
        **options,
    )
    if says:
        print(
            f"{name}: top-1 {result.val['top1']:.2%} on the {len(dataset.val)} validation "
            f"images of {dataset.name}; wrote {out / 'model.keras'}"
        )
    return result.to_dict()
