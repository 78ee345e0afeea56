"""Write one HTML page from the rows of a run."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn report`."""
    parser.add_argument("rows", type=Path, metavar="ROWS.jsonl")
    parser.add_argument("--out", type=Path, help="the page (default: report.html beside the rows)")
    parser.add_argument(
        "--samples", type=Path, help="sample predictions (default: samples.json beside the rows)"
    )


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn report`."""
    from android_bench import read_rows
    from keras_lwcnn.report import write_report

    page = write_report(
        read_rows(args.rows),
        args.out or args.rows.with_name("report.html"),
        samples=args.samples or args.rows.with_name("samples.json"),
    )
    print(f"wrote {page}")
