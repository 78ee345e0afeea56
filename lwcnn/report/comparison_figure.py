"""What each mode costs and saves, as one picture of rows of kind `compare`."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_lwcnn.files import written_beside
from lwcnn.report.figures import COLORS, log_scale, plain
from lwcnn.report.summary import Row

SPREAD = 10
"""Latencies further apart than this factor are drawn to a logarithmic scale."""


def plot_comparison(rows: Sequence[Row], path: str | Path) -> Path:
    """Draw drop of top-1 with its interval, size, and latency where it was measured.

    Args:
        rows: rows of kind `compare` of one comparison.
        path: the picture, in the format that its suffix names; written whole or not at all.

    Returns:
        The path.
    """
    timed = all(row["host_median_us"] is not None for row in rows)
    panels = [_drop, _size, *([_latency] if timed else [])]
    figure = Figure(figsize=(3.7 * len(panels), 1.3 + 0.42 * len(rows)), layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        draw(axes, rows)
        axes.set_yticks(range(len(rows)), [row["mode"] for row in rows])
        plain(axes)
    figure.axes[0].invert_yaxis()
    figure.suptitle(f"{rows[0]['images']} test images", x=0.01, ha="left", fontsize=10)
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return Path(path)


def _drop(axes: Axes, rows: Sequence[Row]) -> None:
    axes.axvline(0, color=COLORS[4], linewidth=1, linestyle="--")
    for place, row in enumerate(rows):
        reach = [[row["drop"] - row["drop_low"]], [row["drop_high"] - row["drop"]]]
        axes.errorbar(row["drop"], place, xerr=reach, fmt="o", color=_color(place), capsize=4)
        axes.annotate(f"{row['drop']:.2f}", (row["drop"], place), xytext=(0, 6),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.set_xlabel(f"points of top-1 lost against {rows[0]['reference']}\nbars: 95 % interval")
    axes.margins(x=0.1)


def _size(axes: Axes, rows: Sequence[Row]) -> None:
    sizes = [row["size"] / 1e3 for row in rows]
    _bars(axes, sizes, [f"{size:,.0f}" for size in sizes])
    squeezed = [row["gzip_size"] / 1e3 for row in rows]
    axes.plot(squeezed, range(len(rows)), "|", color="black", markersize=11)
    axes.set_xlabel("file size in kB\nblack: after gzip")
    axes.set_xlim(0, 1.25 * max(sizes))


def _latency(axes: Axes, rows: Sequence[Row]) -> None:
    medians = [row["host_median_us"] / 1e3 for row in rows]
    _bars(axes, medians, [f"{median:.3g}" for median in medians])
    axes.set_xlabel("median latency in ms\non this host, one thread: not a phone's")
    if max(medians) > SPREAD * min(medians):
        log_scale(axes)
        axes.set_xlim(min(medians) / 2, 4 * max(medians))
    else:
        axes.set_xlim(0, 1.25 * max(medians))


def _bars(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    bars = axes.barh(
        range(len(values)), values, height=0.6, color=[_color(i) for i in range(len(values))]
    )
    axes.bar_label(bars, texts, padding=4, fontsize=8)


def _color(place: int) -> str:
    return COLORS[place % len(COLORS)]
