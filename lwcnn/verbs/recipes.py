"""List the recipes: how each network is trained on each data set."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_lwcnn.training import Recipe

EXTRA = "train"
USES_KERAS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn recipes`."""
    parser.add_argument(
        "networks", nargs="*", metavar="MODEL", help="networks to list (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of a table")


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn recipes`."""
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.training import RECIPES

    known = {recipe.network for recipe in RECIPES.values()}
    unknown = [name for name in args.networks if name not in known]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} has no recipe; there are recipes for {', '.join(sorted(known))}"
        )
    chosen = [r for r in RECIPES.values() if not args.networks or r.network in args.networks]
    if args.json:
        for named in chosen:
            print(json.dumps(named.to_dict()))
        return
    table = Table()
    table.add_column("recipe", no_wrap=True)
    table.add_column("settings, and where they are from")
    for named in chosen:
        table.add_row(named.id, f"{_settings(named.recipe)}. {named.source}")
    Console().print(table)


def _settings(recipe: Recipe) -> str:
    from keras_lwcnn.training import Recipe

    parts = [
        f"{recipe.epochs} epochs of batch {recipe.batch_size}",
        f"{recipe.optimizer} {recipe.learning_rate:g} {recipe.schedule}",
        f"decay {recipe.weight_decay:g}",
        f"augmentation {recipe.augmentation}",
    ]
    if recipe.label_smoothing:
        parts.append(f"label smoothing {recipe.label_smoothing:g}")
    if recipe.ema:
        parts.append(f"EMA {recipe.ema:g}")
    usual = Recipe()
    parts += [
        getattr(recipe, name)
        for name in ("loss", "precision")
        if getattr(recipe, name) != getattr(usual, name)
    ]
    return ", ".join(parts)
