"""Teach a trained network the classes of other images."""

from __future__ import annotations

import argparse
from pathlib import Path

EXTRA = "train"
USES_KERAS = True

DESCRIPTION = """Put a new head on a trained network and train it in two steps: first the head alone
(with --frozen, also the layers after STAGE), then all layers at a lower learning rate with batch
normalization in inference mode. Recipe options are for the first step. A killed run goes on when
the same command is given again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn transfer`."""
    from lwcnn.common import add_data_arguments, add_rows_argument
    from lwcnn.verbs.train import add_recipe_arguments

    parser.description = DESCRIPTION
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a MODEL.keras that `lwcnn train` wrote, with its record beside it; or NETWORK-DATA "
        "of weights that `lwcnn weights list` shows, as l_mobilenet-cifar10",
    )
    add_data_arguments(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--frozen",
        metavar="STAGE",
        help="the last stage or layer that the first step does not train, with all before it, as "
        "middle8 (default: base, which is all but the head)",
    )
    parser.add_argument(
        "--tuning-epochs", type=int, help="of the second step (default: a third of --epochs)"
    )
    parser.add_argument(
        "--tuning-learning-rate",
        type=float,
        help="of the second step (default: a tenth of --learning-rate)",
    )
    add_recipe_arguments(parser)
    add_rows_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn transfer`."""
    from dataclasses import replace

    from keras_lwcnn.training.numerics import make_deterministic
    from keras_lwcnn.training.transfer import open_source, transfer, tuning_of
    from lwcnn.common import append_rows, data_from, loaded
    from lwcnn.verbs.train import recipe_from

    if args.deterministic:
        make_deterministic()
    source = open_source(args.source)
    recipe = recipe_from(args, source.network)
    changes = {"epochs": args.tuning_epochs, "learning_rate": args.tuning_learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    tuning = replace(tuning_of(recipe), **changes)
    size = args.image_size or source.input_shape[0]
    dataset = loaded(data_from(args), size)
    results = transfer(source, dataset, recipe, args.out, tuning=tuning)
    append_rows(args.rows, [result.to_dict() for result in results])
    for what, result in zip(("head", "all layers"), results, strict=True):
        print(
            f"{result.model}, {what}: top-1 {result.val['top1']:.2%} on the {len(dataset.val)} "
            f"validation images of {dataset.name}"
        )
    print(f"wrote {args.out / 'model.keras'}")
