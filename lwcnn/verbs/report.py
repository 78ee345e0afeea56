"""Write one HTML page from the rows of a run."""

import argparse
from pathlib import Path
from typing import Any

EXTRA = "report"
USES_KERAS = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn report`."""
    parser.add_argument("rows", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--out", type=Path, help="the page (default: report.html beside the rows)")
    parser.add_argument(
        "--samples", type=Path, help="sample predictions (default: samples.json beside the rows)"
    )


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn report`."""
    from lwcnn.rows import read_rows

    page = write_page(
        read_rows(args.rows),
        args.out or args.rows.with_name("report.html"),
        args.samples or args.rows.with_name("samples.json"),
    )
    print(f"wrote {page}")


def write_page(rows: list[dict[str, Any]], path: Path, samples: Path) -> Path:
    """Write the report, with a section about all bench rows."""
    from lwcnn.report.bench_fragment import bench_fragment
    from lwcnn.report.page import write_report

    measured = bench_fragment([row for row in rows if row["kind"] == "bench"])
    return write_report(rows, path, samples=samples, measurements=measured)
