"""Bench rows as a fragment of an HTML page."""

import base64
import tempfile
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from lwcnn.report import bench_plots as plots
from lwcnn.report.bench_table import delegated_ops, millions, milliseconds
from lwcnn.rows import Row

TIME_COLUMNS = ("model", "mode", "device", "core", "threads", "median", "p5", "p95", "first",
                "init", "memory (MB)", "delegated")  # fmt: skip
COUNT_COLUMNS = ("model", "mode", "core", "instructions", "delegated")


def bench_fragment(rows: Sequence[Row]) -> str:
    """Return tables and pictures of bench rows, self-contained, to be put into a page.

    Measured times and emulated instruction counts stand in sections of their own.

    Args:
        rows: bench rows; with none, the fragment is empty.
    """
    timed = [row for row in rows if row["mean_us"] is not None]
    counted = [row for row in rows if row["instructions"] is not None]
    parts = []
    if timed:
        parts += [
            "<h3>Latency</h3>",
            _html_table(TIME_COLUMNS, [_time_cells(row) for row in timed]),
        ]
        parts += [_picture(plots.plot_latency, timed, "latency by mode and threads")]
        parts += [_picture(plots.plot_tail, timed, "p95 / median")]
    if counted:
        parts += [
            "<h3>AArch64 instructions per inference (emulated cores, no times)</h3>",
            _html_table(COUNT_COLUMNS, [_count_cells(row) for row in counted]),
            _picture(plots.plot_kernels, counted, "instructions by kernel"),
        ]
    return "\n".join(part for part in parts if part)


def _time_cells(row: Row) -> list[str]:
    memory = row["memory_peak_mb"]
    times = (row[f"{name}_us"] for name in ("median", "p5", "p95", "first", "init"))
    return [
        *(row["model"], row["mode"] or "", row["device"], row["core"] or ""),
        str(row["num_threads"]),
        *map(milliseconds, times),
        "" if memory is None else f"{memory:.1f}",
        delegated_ops(row),
    ]


def _count_cells(row: Row) -> list[str]:
    core = row["device"].partition(":")[2]
    return [
        row["model"],
        row["mode"] or "",
        core,
        millions(row["instructions"]),
        delegated_ops(row),
    ]


def _html_table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _picture(draw: Callable[[Sequence[Row], Path], Path], rows: Sequence[Row], title: str) -> str:
    """Return a picture as an <img> with its data inside; "" where there is nothing to draw."""
    with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
        try:
            content = draw(rows, Path(folder, "plot.png")).read_bytes()
        except ValueError:
            return ""
    data = base64.b64encode(content).decode()
    return f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}"></figure>'
