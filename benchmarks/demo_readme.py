"""Put the demo's figures into the README: python -m benchmarks.demo_readme [runs/demo/rows.jsonl]

Stores the rows in benchmarks/results/demo.jsonl, rewrites the README's block between
`<!-- demo: begin -->` and `<!-- demo: end -->`, and draws docs/demo.png.
"""

import shutil
import sys

from benchmarks.pages import ROOT, fill_block
from keras_lwcnn.files import written_beside
from lwcnn.report import figures
from lwcnn.report.summary import RunSummary, summarize
from lwcnn.rows import read_rows

STORED = ROOT / "benchmarks" / "results" / "demo.jsonl"


def table(summary: RunSummary) -> str:
    """Give the Markdown table of a run's files."""
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


def main() -> None:
    """Update the README."""
    if len(sys.argv) > 1:
        STORED.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sys.argv[1], STORED)
    summary = summarize(read_rows(STORED))
    fill_block("demo", table(summary))
    with written_beside(ROOT / "docs" / "demo.png") as temporary:
        figures.files(list(summary.modes)).savefig(temporary, dpi=110)


if __name__ == "__main__":
    main()
