"""What training costs, as `lwcnn train-cost` measured it: the table of docs/training.md.

    lwcnn train-cost xception_lite xception keras_mobilenet_v2 efficientnet_v2_b1 --rows costs.jsonl
    python -m benchmarks.training_cost [costs.jsonl]

Stores the rows in benchmarks/results/training_cost.jsonl and writes the table. Seconds are shown
only when no row was measured on a loaded machine.
"""

import shutil
import sys

from benchmarks.pages import DOCS, fill_block, markdown_table
from benchmarks.stored import RESULTS
from lwcnn.rows import read_rows

STORED = RESULTS / "training_cost.jsonl"


def table(rows: list[dict]) -> str:
    """Return the setting of the rows, and a table of the networks' costs."""
    setup = rows[0]["setup"]
    rounds = len(rows[0]["round_peak_bytes"])
    setting = (
        f"Batch {setup['batch_size']}, {setup['image_size']} px, {setup['optimizer']}, "
        f"{setup['classes']} classes, {rows[0]['backend']} backend, {rounds} round(s) of "
        f"{setup['steps']} steps:\n\n"
    )
    quiet = not any(row["loaded"] for row in rows)
    header = ["network", "weights", "estimate", "of it feature maps", "peak", "mean"]
    lines = []
    for row in rows:
        parts = row["estimate"]
        sizes = [parts["weights"], parts["gradients"] + parts["slots"] + parts["activations"],
                 parts["activations"], row["peak_bytes"], row["mean_bytes"]]  # fmt: skip
        seconds = [f"{row['step_seconds']:.2f}"] * quiet
        lines.append([row["model"], *(f"{size / 1e6:,.0f} MB" for size in sizes), *seconds])
    return setting + markdown_table(header + ["seconds per step"] * quiet, lines)


def write_tables() -> None:
    """Write the table of the stored rows into docs/training.md."""
    rows = read_rows(STORED, "training_cost")
    fill_block("training cost", table(rows), DOCS / "training.md")


def main() -> None:
    """Store the rows of the file that was named, and write the table."""
    if len(sys.argv) > 1:
        shutil.copyfile(sys.argv[1], STORED)
    write_tables()


if __name__ == "__main__":
    main()
