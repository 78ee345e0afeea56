"""Bench rows and changes as rich tables."""

from collections.abc import Sequence
from typing import Any

from android_bench.statistics import Ratio, paired_ratio
from lwcnn.report.bench_changes import Change
from lwcnn.rows import Row

COLORS = {"faster": "green", "slower": "red", "unknown": "yellow", "missing": "yellow"}


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows, one table for measured times and one for counted instructions."""
    timed = [row for row in rows if not row["device"].startswith("emulated:")]
    counted = [row for row in rows if row["device"].startswith("emulated:")]
    if timed:
        _console().print(_time_table(timed))
    if counted:
        _console().print(_count_table(counted))


def print_changes(changes: Sequence[Change]) -> None:
    """Print what changed, with the interval of the ratio."""
    from rich.table import Table

    table = Table(title="later / earlier")
    table.add_column("measurement")
    for column in ("before", "after", "ratio", "95 % interval"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for change in changes:
        figure = milliseconds if change.quantity == "median_us" else millions
        ratio = change.ratio
        notes = change.verdict
        if change.delegated:
            notes += ", delegated ops {} -> {}".format(*change.delegated)
        if change.verdict == "unknown":
            notes += ": measure with --sessions 3 or more"
        table.add_row(
            change.name,
            figure(change.before),
            figure(change.after),
            f"{ratio.ratio:.3f}" if ratio else "",
            f"{ratio.low:.3f} - {ratio.high:.3f}" if ratio and ratio.low is not None else "",
            notes,
            style=COLORS.get(change.verdict),
        )
    _console().print(table)


def ratio_to_first(rows: Sequence[Row], row: Row) -> Ratio | None:
    """Return a row's ratio to the first row of its run, None for the first row itself."""
    first = next(other for other in rows if other["run"] == row["run"])
    x, y = first["session_medians_us"], row["session_medians_us"]
    if first is row or len(x) != len(y) or not x or min(x + y) <= 0:
        return None
    return paired_ratio(x, y)


def milliseconds(time_us: float | None) -> str:
    """Return a time in ms with its unit; "" for None."""
    if time_us is None:
        return ""
    return f"{time_us / 1000:.3f} ms" if time_us < 100_000 else f"{time_us / 1000:.1f} ms"


def millions(count: float | None) -> str:
    """Return an instruction count in millions, with an M; "" for None."""
    return "" if count is None else f"{count / 1e6:.3f} M"


def _console() -> Any:
    from rich.console import Console

    console = Console()
    # A file or a pipe has no width of its own.
    return console if console.is_terminal else Console(width=max(console.width, 100))


def _time_table(rows: Sequence[Row]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Latency (ms)", title_justify="left")
    table.add_column("model", overflow="fold")
    columns = ("median\np5 - p95", "first", "init", "memory\nMB", "delegated\nin partitions",
               "ratio to first\n95 % interval")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        ratio = ratio_to_first(rows, row)
        memory = row["memory_peak_mb"]
        threads = f"{row['num_threads']} thread{'s' * (row['num_threads'] != 1)}"
        words = [row["mode"], row["device"], threads, None if row["use_xnnpack"] else "no XNNPACK"]
        middle = row["mean_us"] if row["median_us"] is None else row["median_us"]
        tail = ""
        if row["p5_us"] is not None:
            tail = f"{row['p5_us'] / 1000:.3f} - {row['p95_us'] / 1000:.3f}"
        table.add_row(
            f"{escape(row['model'])}\n[dim]{escape(', '.join(filter(None, words)))}[/]",
            f"{_in_ms(middle)}\n{tail}",
            _in_ms(row["first_us"]),
            _in_ms(row["init_us"]),
            "" if memory is None else f"{memory:.1f}",
            delegated_ops(row),
            "" if ratio is None else _ratio_cell(ratio),
        )
    return table


def _count_table(rows: Sequence[Row]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    classes = list(dict.fromkeys(name for row in rows for name in row["instruction_classes"] or ()))
    title = "AArch64 instructions per inference (millions, emulated: no times)"
    table = Table(title=title, title_justify="left")
    table.add_column("model", overflow="fold")
    for column in ("all", *classes, "delegated\nin partitions"):
        table.add_column(column.replace("_", "/"), justify="right", no_wrap=True)
    for row in rows:
        parts = row["instruction_classes"] or {}
        words = filter(None, [row["mode"], row["device"].partition(":")[2]])
        table.add_row(
            f"{escape(row['model'])}\n[dim]{escape(', '.join(words))}[/]",
            _in_millions(row["instructions"]) or "not counted",
            *(_in_millions(parts.get(name)) for name in classes),
            delegated_ops(row),
        )
    return table


def delegated_ops(row: Row) -> str:
    """Return how much of the graph the delegate runs: "64/66 in 2" partitions."""
    if row["nodes"] is None:
        return ""
    return f"{row['delegated_nodes']}/{row['nodes']} in {row['partitions']}"


def _in_millions(count: float | None) -> str:
    return "" if count is None else f"{count / 1e6:.3f}"


def _in_ms(time_us: float | None) -> str:
    return "" if time_us is None else f"{time_us / 1000:.3f}"


def _ratio_cell(ratio: Ratio) -> str:
    if ratio.low is None:
        return f"{ratio.ratio:.3f}"
    return f"{ratio.ratio:.3f}\n{ratio.low:.3f} - {ratio.high:.3f}"
