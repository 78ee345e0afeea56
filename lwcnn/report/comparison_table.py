"""Rows of kind `compare` as tables for the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lwcnn.report.summary import Row

WIDTH = 100
CHANGES = 3


def print_comparison(rows: Sequence[Row]) -> None:
    """Print what each file costs, and which predicted classes change.

    Args:
        rows: rows of kind `compare` of one comparison.
    """
    console = Console()
    if not console.is_terminal:
        # Files and pipes have no width of their own.
        console = Console(width=max(console.width, WIDTH))
    console.print(_costs(rows))
    if any(row["confusion_changes"] for row in rows):
        console.print(_changes(rows))


def _costs(rows: Sequence[Row]) -> Table:
    timed = any(row["host_median_us"] is not None for row in rows)
    table = Table(
        title=f"{rows[0]['images']} test images, against {rows[0]['reference']}",
        caption="Drop in points with its 95 % interval and McNemar's exact p; shift of the "
        "confidence in the reference's class, in points."
        + (" Latency is this host's, one thread: it is not a phone's." if timed else ""),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("mode", no_wrap=True)
    columns = ["size kB\ngzip", "top-1\ntop-5", "drop\n95 % interval", "p", "agrees\nshift",
               "made in\ns"]  # fmt: skip
    for column in [*columns, *(["host\nms"] if timed else [])]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        own = row["mode"] == row["reference"]
        top5 = "" if row["top5"] is None else f"{row['top5']:.2%}"
        interval = f"{row['drop_low']:.2f} to {row['drop_high']:.2f}"
        shift = f"{100 * row['confidence_shift']:+.2f}"
        seconds = row["conversion_seconds"]
        cells = [
            f"{row['size'] / 1e3:,.0f}\n{row['gzip_size'] / 1e3:,.0f}",
            f"{row['top1']:.2%}\n{top5}",
            "" if own else f"{row['drop']:.2f}\n{interval}",
            "" if own else f"{row['p_value']:.2g}",
            "" if own else f"{row['agreement']:.2%}\n{shift}",
            "" if seconds is None else f"{seconds:.1f}",
        ]
        if timed:
            median = row["host_median_us"]
            cells.append("" if median is None else f"{median / 1e3:.3f}")
        table.add_row(escape(row["mode"]), *cells)
    return table


def _changes(rows: Sequence[Row]) -> Table:
    table = Table(
        title=f"Changed classes, the {CHANGES} most frequent of each mode", title_justify="left"
    )
    table.add_column("mode", no_wrap=True)
    for column in ("true class", f"{rows[0]['reference']} says", "the mode says"):
        table.add_column(column, overflow="fold")
    table.add_column("images", justify="right", no_wrap=True)
    for row in rows:
        changes = row["confusion_changes"]
        for place, change in enumerate(changes[:CHANGES]):
            named = (
                str(change.get(f"{role}_name", change[role]))
                for role in ("label", "reference", "other")
            )
            total = sum(each["images"] for each in changes)
            table.add_row(
                "" if place else escape(row["mode"]),
                *map(escape, named),
                f"{change['images']} of {total}",
                end_section=place == min(CHANGES, len(changes)) - 1,
            )
    return table
