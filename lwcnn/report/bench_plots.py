"""Bench rows as pictures."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from android_bench.files import write_whole
from lwcnn.rows import Row

#: Medians further apart than this factor need a logarithmic scale, or the small ones vanish.
SPREAD = 10


def plot_latency(rows: Sequence[Row], path: str | Path) -> Path:
    """Draw the median latency by model and mode, one bar per number of threads.

    The whiskers are p5 and p95. Of several rows of the same measurement the last one is drawn.

    Args:
        rows: bench rows with times; rows of emulated cores have none and are left out.
        path: the picture, PNG or SVG by its suffix.

    Raises:
        ValueError: no row has a median.
    """
    rows = _timed(rows)
    bars = {(_label(row), _setting(row)): row for row in rows}
    labels, settings = (list(dict.fromkeys(key[i] for key in bars)) for i in (0, 1))

    def draw(axes: Any) -> None:
        width = 0.8 / len(settings)
        for i, setting in enumerate(settings):
            drawn = {x: bars[label, setting] for x, label in enumerate(labels)
                     if (label, setting) in bars}  # fmt: skip
            medians = [row["median_us"] / 1000 for row in drawn.values()]
            whiskers = zip(*map(_whiskers, drawn.values()), strict=True)
            places = [x + (i - (len(settings) - 1) / 2) * width for x in drawn]
            axes.bar(places, medians, width, yerr=[*whiskers], capsize=3, label=setting)
        axes.set_xticks(range(len(labels)), labels, rotation=20, ha="right")
        every = [row["median_us"] for row in rows]
        if max(every) > SPREAD * min(every):
            axes.set_yscale("log")
        axes.set_ylabel("median latency (ms), p5 to p95")
        axes.legend()

    return _save(draw, path, width=max(5.0, 1.3 * len(labels) * max(1, len(settings) / 2)))


def _whiskers(row: Row) -> tuple[float, float]:
    """Return how far p5 lies below the median and p95 above it, in ms; 0 where not known."""
    median = row["median_us"]
    below, above = row["p5_us"] or median, row["p95_us"] or median
    return (median - below) / 1000, (above - median) / 1000


def plot_tail(rows: Sequence[Row], path: str | Path) -> Path:
    """Draw p95 / median of each measurement: how much slower the slow inferences are.

    Arguments and errors as `plot_latency`.
    """
    rows = [row for row in _timed(rows) if row["p95_us"] and row["median_us"]]
    if not rows:
        raise ValueError("no row has a p95 to draw. Give rows with times of single inferences")
    names = [f"{_label(row)}, {_setting(row)}" for row in rows]
    ratios = [row["p95_us"] / row["median_us"] for row in rows]

    def draw(axes: Any) -> None:
        axes.barh(names, [ratio - 1 for ratio in ratios], left=1)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.invert_yaxis()
        axes.set_xlabel("p95 / median")

    return _save(draw, path, height=max(2.5, 0.35 * len(rows) + 1))


def plot_kernels(rows: Sequence[Row], path: str | Path, top: int = 8) -> Path:
    """Draw each model's instructions by kernel, the largest `top` kernels by name.

    Args:
        rows: bench rows of emulated cores.
        path: the picture, PNG or SVG by its suffix.
        top: kernels to name, 1 or more; the others are drawn together.

    Raises:
        ValueError: no row has instructions by kernel.
    """
    rows = [row for row in rows if row.get("instruction_kernels")]
    if not rows:
        raise ValueError("no row has instructions by kernel to draw. Give rows of emulated cores")
    totals: dict[str, int] = {}
    for row in rows:
        for name, count in row["instruction_kernels"].items():
            totals[name] = totals.get(name, 0) + count
    named = sorted(totals, key=totals.get, reverse=True)[:top]
    labels = [f"{_label(row)}, {row['device'].partition(':')[2]}" for row in rows]

    def draw(axes: Any) -> None:
        left = [0.0] * len(rows)
        for name in (*named, "others"):
            counts = [_kernel_count(row["instruction_kernels"], name, named) / 1e6 for row in rows]
            color = "lightgray" if name == "others" else None
            axes.barh(labels, counts, left=left, label=name, color=color)
            left = [x + count for x, count in zip(left, counts, strict=True)]
        axes.invert_yaxis()
        axes.set_xlabel("AArch64 instructions per inference (millions, emulated)")
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))

    return _save(draw, path, width=10, height=max(3.0, 0.5 * len(rows) + 1))


def _kernel_count(kernels: dict[str, int], name: str, named: Sequence[str]) -> int:
    """Return the instructions of a kernel, or of all that are not `named` for "others"."""
    if name != "others":
        return kernels.get(name, 0)
    return sum(count for kernel, count in kernels.items() if kernel not in named)


def accuracy_points(rows: Sequence[Row], device: str) -> list[tuple[str, str, float, float]]:
    """Join the cost of each model with its accuracy, for `plot_accuracy`.

    Args:
        rows: rows of kinds "bench" and "compare", which are joined by the file's sha256.
        device: whose bench rows to take; the cost is in instructions on an emulated core, and the
            median in ms elsewhere.

    Returns:
        (model, mode, cost, top-1) of each compared file that was measured there, the last row of
        each file; the model is the file's name up to the mode.
    """
    costs = {}
    for row in rows:
        if row["kind"] == "bench" and row["device"] == device:
            median = None if row["median_us"] is None else row["median_us"] / 1000
            costs[row["sha256"]] = (row["model"], row["instructions"] or median)
    points = {}
    for row in rows:
        if row["kind"] == "compare" and costs.get(row["sha256"], (None, None))[1] is not None:
            name, cost = costs[row["sha256"]]
            model = name.removesuffix(".tflite").removesuffix(row["mode"]).rstrip("._-")
            points[row["sha256"]] = (model, row["mode"], cost, row["top1"])
    return list(points.values())


def plot_accuracy(
    points: Sequence[tuple[str, str, float, float]], path: str | Path, quantity: str
) -> Path:
    """Draw top-1 accuracy against a cost, the modes of one model joined by a line.

    Args:
        points: (model, mode, cost, top-1 in 0..1).
        path: the picture, PNG or SVG by its suffix.
        quantity: the cost in words, with its unit ("AArch64 instructions per inference, A72").

    Raises:
        ValueError: no points.
    """
    if not points:
        raise ValueError("no points to draw. Give bench and compare rows of the same files")
    models = list(dict.fromkeys(point[0] for point in points))

    def draw(axes: Any) -> None:
        for model in models:
            own = sorted((cost, top1, mode) for name, mode, cost, top1 in points if name == model)
            axes.plot([p[0] for p in own], [100 * p[1] for p in own], "o-", label=model)
            for cost, top1, mode in own:
                axes.annotate(mode, (cost, 100 * top1), fontsize="x-small",
                              xytext=(3, 3), textcoords="offset points")  # fmt: skip
        axes.margins(x=0.12)  # room for the names of the modes
        axes.set_xlabel(quantity)
        axes.set_ylabel("top-1 (%)")
        axes.grid(alpha=0.3)
        axes.legend()

    return _save(draw, path, width=8, height=5)


def _timed(rows: Sequence[Row]) -> list[Row]:
    timed = [row for row in rows if row["median_us"] is not None]
    if not timed:
        raise ValueError("no row has a median latency to draw. Give rows of real devices")
    return timed


def _label(row: Row) -> str:
    name = row["model"].removesuffix(".tflite")
    return name if not row["mode"] or name.endswith(row["mode"]) else f"{name} {row['mode']}"


def _setting(row: Row) -> str:
    words = [row["device"], f"{row['num_threads']} thread{'s' * (row['num_threads'] != 1)}"]
    return ", ".join(words + ["no XNNPACK"] * (not row["use_xnnpack"]))


def check_picture(path: str | Path) -> str:
    """Return the format of a picture by its suffix: "png" or "svg".

    Raises:
        ValueError: it has another suffix.
    """
    kind = Path(path).suffix[1:].lower()
    if kind not in ("png", "svg"):
        raise ValueError(f"picture={Path(path).name!r} has another suffix; allowed are .png, .svg")
    return kind


def _save(
    draw: Callable[[Any], None], path: str | Path, width: float = 7, height: float = 4
) -> Path:
    """Draw one pair of axes into a file, whole or not at all."""
    from matplotlib.figure import Figure

    kind = check_picture(path)
    figure = Figure(figsize=(min(width, 20), min(height, 20)), layout="constrained")
    draw(figure.subplots())
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=120)
    return write_whole(Path(path), content.getvalue())
