"""Put rows of `lwcnn train-cost` into docs/training.md.

    lwcnn train-cost xception_lite xception keras_mobilenet_v2 efficientnet_v2_b1 --rows costs.jsonl
    python -m benchmarks.training_cost [costs.jsonl]

Stores the rows in benchmarks/results/training_cost.jsonl and rewrites the page's block. Seconds are
shown when the machine was quiet.
"""

import shutil
import sys

from benchmarks.pages import ROOT, fill_block, markdown_table
from lwcnn.rows import read_rows

STORED = ROOT / "benchmarks" / "results" / "training_cost.jsonl"


def table(rows: list[dict]) -> str:
    """Give the setting and the Markdown table of the networks' costs."""
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
    return setting + markdown_table(header + ["seconds a step"] * quiet, lines)


def main() -> None:
    """Update the page."""
    if len(sys.argv) > 1:
        shutil.copyfile(sys.argv[1], STORED)
    rows = read_rows(STORED, "training_cost")
    fill_block("training cost", table(rows), ROOT / "docs" / "training.md")


if __name__ == "__main__":
    main()
