"""Write the table of trainings with different settings in docs/training.md.

    python -m benchmarks.many_trainings.write_table [ROWS]

Appends the rows of a plan's `rows.jsonl`, where one is named, to
benchmarks/results/many_trainings.jsonl, those of short trainings to compare settings by.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.many_trainings.settings import Settings
from benchmarks.pages import DOCS, fill_block, markdown_table
from benchmarks.stored import RESULTS, read_lines

STORED = RESULTS / "many_trainings.jsonl"
KINDS = ("choice", "sweep", "teacher")
NAMES = {"learning_rate": "rate", "adam_learning_rate": "rate of AdamW"}


def difference(row: dict[str, Any]) -> str:
    """Return the settings in which a row differs from the usual ones, in words."""
    usual = Settings().to_dict()
    changed = [
        f"{NAMES.get(name, name.replace('_', ' '))} {value}"
        for name, value in row["settings"].items()
        if name not in ("epochs", "seed", "images") and name in usual and value != usual[name]
    ]
    return ", ".join(changed) or "as in the recipe"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each training."""
    lines = [
        [
            f"`{row['network']}`",
            difference(row),
            str(row["settings"]["epochs"]),
            f"{row['train_top1']:.2%}",
            f"{row['val_top1']:.2%}",
            f"{row['val_loss']:.3f}",
            f"{row['images_per_s']:,}",
            f"{row['seconds']:.0f}",
        ]
        for row in rows
        if row["kind"] in KINDS
    ]
    header = ["network", "settings", "epochs", "top-1, training", "top-1, validation",
              "loss, validation", "images per second", "seconds"]  # fmt: skip
    return markdown_table(header, lines, 2)


def write_tables() -> None:
    """Write the table in docs/training.md."""
    fill_block("many trainings", table(read_lines(STORED)), DOCS / "training.md")


def main() -> None:
    """Store rows, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", type=Path, nargs="?")
    options = parser.parse_args()
    if options.rows is not None:
        with STORED.open("a") as file:
            file.write(options.rows.read_text())
    write_tables()


if __name__ == "__main__":
    main()
