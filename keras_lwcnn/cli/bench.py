"""Measure .tflite files: latency, memory and delegation, on the host or a device."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn bench`."""
    from keras_lwcnn.cli.common import add_rows_argument

    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.tflite")
    parser.add_argument("--device", default="host", help="where to run (default host)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--runs", type=int, default=50, help="least number of runs (default 50)")
    parser.add_argument("--no-xnnpack", action="store_true", help="turn the delegate off")
    add_rows_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn bench`."""
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.cli.common import append_rows

    rows = bench_files(
        args.files,
        args.device,
        num_threads=args.threads,
        num_runs=args.runs,
        use_xnnpack=not args.no_xnnpack,
    )
    append_rows(args.rows, rows)
    table = Table(title=f"{args.device}, {args.threads} thread(s)")
    table.add_column("file")
    columns = ("median (ms)", "p5", "p95", "mean", "std", "first", "init", "partitions")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        times = (row[f"{name}_us"] for name in ("median", "p5", "p95", "mean", "std"))
        table.add_row(
            row["model"],
            *(f"{time / 1e3:.3f}" for time in (*times, row["first_us"], row["init_us"])),
            str(row["partitions"]),
        )
    Console().print(table)


def bench_files(files: Sequence[Path], device: str, **options: Any) -> list[dict[str, Any]]:
    """Measure files in one run, in which they take turns; give rows."""
    from android_bench import benchmark_interleaved
    from keras_lwcnn.cli.common import working

    with working(f"Measuring {len(files)} file(s) on {device}"):
        return [result.to_dict() for result in benchmark_interleaved(files, device, **options)]
