"""The pictures of the report, as SVG text inside the HTML."""

import io
import re

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lwcnn.report.summary import ModeSummary, Row

COLORS = ("#2563eb", "#0891b2", "#7c3aed", "#ea580c", "#64748b", "#16a34a", "#db2777", "#a16207")


def training_curve(train: Row) -> Figure:
    """Draw loss and top-1 of a run, for training and validation images, over the epochs."""
    history = train["history"]
    figure = Figure(figsize=(9.2, 3), layout="constrained")
    loss, top1 = figure.subplots(1, 2)
    for axes, name, label in ((loss, "loss", "loss (nats)"), (top1, "top1", "top-1 (%)")):
        scale = 100 if name == "top1" else 1
        for key, color, what in (
            (name, COLORS[4], "training, augmented"),
            (f"val_{name}", COLORS[0], "validation"),
        ):
            values = [scale * value for value in history[key]]
            axes.plot(range(1, len(values) + 1), values, color=color, label=what, linewidth=1.8)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(label)
        axes.legend(frameon=False, fontsize=8)
        plain(axes)
    return figure


def files(modes: list[ModeSummary]) -> Figure:
    """Draw top-1 against size, and latency on the host, of the files of a run.

    Args:
        modes: summaries with rows of kinds `convert`, `compare` and `bench`.
    """
    figure = Figure(figsize=(9.2, 3.2), layout="constrained")
    accuracy, latency = figure.subplots(1, 2)
    _draw_accuracy(accuracy, modes)
    _draw_latency(latency, modes)
    return figure


def _draw_accuracy(axes: Axes, modes: list[ModeSummary]) -> None:
    """Draw one point per mode at its size and top-1, with the sampling error of the images."""
    for mode, color in zip(modes, COLORS, strict=False):
        top1, images = mode.compare["top1"], mode.compare["images"]
        error = (top1 * (1 - top1) / images) ** 0.5
        size = mode.convert["size"] / 1e6
        axes.errorbar(
            size, 100 * top1, 100 * error, fmt="o", color=color, capsize=3, label=mode.mode
        )
    axes.set_xlabel("file size (MB)")
    axes.set_ylabel("top-1 on test images (%)")
    axes.set_xlim(left=0)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    plain(axes)


def _draw_latency(axes: Axes, modes: list[ModeSummary]) -> None:
    """Draw the host's median latency of each mode, with bars from p5 to p95."""
    medians = [mode.host["median_us"] / 1e3 for mode in modes]
    low = [(mode.host["median_us"] - mode.host["p5_us"]) / 1e3 for mode in modes]
    high = [(mode.host["p95_us"] - mode.host["median_us"]) / 1e3 for mode in modes]
    bars = axes.barh(
        [mode.mode for mode in modes],
        medians,
        xerr=(low, high),
        color=COLORS[: len(modes)],
        capsize=3,
    )
    axes.bar_label(bars, [f"{median:.2f} ms" for median in medians], padding=8, fontsize=8)
    axes.invert_yaxis()
    # Modes without fast kernels are tens of times slower: bars to a linear scale hide the others.
    log_scale(axes)
    axes.set_xlabel("median on the host, one thread (ms)")
    axes.set_xlim(min(medians) / 2, max(medians) * 8)
    plain(axes)


def log_scale(axes: Axes) -> None:
    """Make x logarithmic, with ticks at 1, 2 and 5 whose labels do not overlap."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(
        lambda x, _: f"{x / 1e6:g}M" if x >= 1e6 else f"{x:,.0f}" if x >= 1000 else f"{x:g}"
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def plain(axes: Axes) -> None:
    """Remove the upper and right edge of a plot, and draw a grid behind it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def svg(figure: Figure) -> str:
    """Render to SVG without the XML prologue, which has no place inside HTML."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.DOTALL)
