"""What `make demo` ends with: the table in README.md and the picture docs/demo.png.

    make demo
    python -m benchmarks.demo_readme [runs/demo/rows.jsonl]

Stores the rows in benchmarks/results/demo.jsonl, writes the README's block `demo` and draws the
picture. Without a file it does so from the stored rows.
"""

import shutil
import sys

from benchmarks.pages import DOCS, README, fill_block
from benchmarks.stored import RESULTS
from keras_lwcnn.files import written_beside
from lwcnn.report import figures
from lwcnn.report.summary import RunSummary, summarize
from lwcnn.rows import read_rows

STORED = RESULTS / "demo.jsonl"


def table(summary: RunSummary) -> str:
    """Return a line on the run, and a table of its files."""
    train = summary.train
    lines = [
        f"{train['model']} on {train['dataset']['name']}, {train['recipe']['epochs']} epochs, "
        f"{train['dataset']['images']['test']} test images:",
        "",
        "| mode | size | top-1 | change | agrees with float32 | median on the host |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for mode in summary.modes:
        lines.append(
            f"| {mode.mode} | {mode.convert['size'] / 1e3:,.0f} kB "
            f"| {mode.compare['top1']:.2%} | {_points(-mode.compare['drop'])} "
            f"| {mode.compare['agreement']:.2%} | {mode.host['median_us'] / 1e3:.3f} ms |"
        )
    return "\n".join(lines) + "\n"


def _points(change: float) -> str:
    return f"{change:+.2f}" if round(change, 2) else "0.00"


def write_tables() -> None:
    """Write the table of the stored rows into README.md."""
    fill_block("demo", table(summarize(read_rows(STORED))), README)


def main() -> None:
    """Store the rows of the file that was named, write the table and draw the picture."""
    if len(sys.argv) > 1:
        shutil.copyfile(sys.argv[1], STORED)
    write_tables()
    with written_beside(DOCS / "demo.png") as temporary:
        figures.files(list(summarize(read_rows(STORED)).modes)).savefig(temporary, dpi=110)


if __name__ == "__main__":
    main()
