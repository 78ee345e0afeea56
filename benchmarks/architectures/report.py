"""The measured networks as Markdown tables and pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.architectures.networks import CLASSES, REFERENCES
from benchmarks.architectures.timing import MODES
from benchmarks.pages import DOCS, RESULTS_PAGE, fill_block, markdown_table
from keras_lwcnn.files import written_beside
from lwcnn.report.figures import log_scale, plain

RESULTS = Path(__file__).parent / "results"
OURS = ("l_mobilenet", "condensenext", "xception_lite")
COLORS = {"float32": "#94a3b8", "int8": "#2563eb"}


def read_networks(results: Path = RESULTS) -> dict[int, dict[str, Any]]:
    """Return what was measured of all networks, by image size, as `measure` wrote it."""
    return {
        size: json.loads((results / f"networks@{size}.json").read_bytes()) for size in REFERENCES
    }


def write_tables(results: Path = RESULTS) -> None:
    """Write the tables of docs/results.md."""
    measured = read_networks(results)
    parts = [
        f"At {size} px, {CLASSES[size]} classes:\n\n{ratios(each['networks'], REFERENCES[size])}"
        for size, each in measured.items()
    ]
    judged = [claim for each in measured.values() for claim in each["claims"]]
    fill_block("architectures", "\n".join(parts), RESULTS_PAGE)
    fill_block("ratios asked", claims(judged), RESULTS_PAGE)


def write_search(results: Path = RESULTS) -> None:
    """Write the table of L-Mobilenet's candidates into docs/networks.md."""
    measured = json.loads((results / "search.json").read_bytes())
    fill_block("search", markdown(measured, REFERENCES[32]), DOCS / "networks.md")


def markdown(measured: Mapping[str, Any], references: Sequence[str]) -> str:
    """Return all that was measured at a size: milliseconds, ratios with 95 % interval, claims."""
    table = measured["networks"]
    header = ["network", "parameters", "M MACs"]
    for mode in MODES:
        header += [f"{mode} ms", *(f"times faster than {name}" for name in references)]
    header += ["int8 partitions"]
    trained = any(row.get("top1") is not None for row in table)
    if trained:
        header += ["top-1 after short training"]
    lines = []
    for row in table:
        line = [row["name"], f"{row['trainable_parameters']:,}", f"{row['macs'] / 1e6:,.1f}"]
        for mode in MODES:
            line.append(f"{row[f'{mode}_ms']:.2f}")
            line += [_interval(row[f"{mode}_faster_than_{name}"]) for name in references]
        line.append(str(row["partitions"]["int8"]))
        if trained:
            line.append(f"{row['top1']:.2%}" if row.get("top1") is not None else "-")
        lines.append(line)
    text = markdown_table(header, lines)
    return f"{text}\n{claims(measured['claims'])}" if measured["claims"] else text


def ratios(table: Sequence[dict[str, Any]], references: Sequence[str]) -> str:
    """Return the short table of docs/results.md: sizes and ratios, no absolute times."""
    header = ["network", "parameters", "M MACs", "int8 kB"]
    header += [f"{mode}, against {name}" for name in references for mode in MODES]
    header += ["int8 partitions"]
    lines = []
    for row in table:
        line = [f"`{row['name']}`", f"{row['trainable_parameters']:,}",
                f"{row['macs'] / 1e6:,.1f}", f"{row['int8_bytes'] / 1e3:,.0f}"]  # fmt: skip
        line += [
            f"{row[f'{mode}_faster_than_{name}']['ratio']:.2f}x"
            for name in references
            for mode in MODES
        ]
        lines.append([*line, str(row["partitions"]["int8"])])
    return markdown_table(header, lines)


def claims(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of claims about speed: what was asked and what was measured."""
    header = ["claim", "px", "mode", "asked", "measured (95 % interval)", "holds"]
    lines = [
        [
            f"`{row['faster']}` against `{row['slower']}`",
            str(row["size"]),
            row["mode"],
            f"{row['at_least']:.1f}x",
            _interval(row),
            "yes" if row["holds"] else "no",
        ]
        for row in rows
    ]
    return markdown_table(header, lines)


def _interval(ratio: Mapping[str, float | None]) -> str:
    if ratio["low"] is None:
        return f"{ratio['ratio']:.2f}"
    return f"{ratio['ratio']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def draw_search(table: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw accuracy (parameters, where nothing was trained) against milliseconds."""
    trained = any(row.get("top1") is not None for row in table)
    figure = Figure(figsize=(12, 5), layout="constrained")
    panels = figure.subplots(1, len(MODES), sharey=True)
    heights = {
        row["name"]: 100 * row["top1"] if trained else row["trainable_parameters"] / 1e6
        for row in table
        if not trained or row.get("top1") is not None
    }
    near = 0.04 * (max(heights.values()) - min(heights.values()))
    for axes, mode in zip(panels, MODES, strict=True):
        labelled: list[tuple[float, float]] = []
        for row in table:
            if row["name"] not in heights:
                continue
            x, y = row[f"{mode}_ms"], heights[row["name"]]
            chosen = row["name"] == "l_mobilenet-default"
            ours = row["name"].startswith(OURS)
            axes.plot(
                x,
                y,
                marker="*" if chosen else "o" if ours else "s",
                markersize=13 if chosen else 6,
                color=COLORS["int8"] if ours else COLORS["float32"],
            )
            # Beside a point that is nearly the same, the label goes below.
            close = any(abs(y - b) < near and 0.8 < x / a < 1.25 for a, b in labelled)
            labelled.append((x, y))
            axes.annotate(
                row["name"].removeprefix("l_mobilenet-"),
                (x, y),
                textcoords="offset points",
                xytext=(6, -11 if close else 4),
                fontsize=8,
            )
        axes.margins(x=0.15)
        _times(axes, mode)
    panels[0].set_ylabel("top-1 after short training (%)" if trained else "million parameters")
    figure.suptitle(title)
    _save(figure, path)


def draw_networks(results: Path = RESULTS, path: Path = DOCS / "architectures.png") -> None:
    """Draw milliseconds of every network as bars, one panel per image size."""
    measured = read_networks(results)
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    panels = figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, (size, each) in zip(panels, measured.items(), strict=True):
        rows = sorted(each["networks"], key=lambda row: row["int8_ms"])
        for offset, mode in ((-0.2, "float32"), (0.2, "int8")):
            bars = axes.barh(
                [index + offset for index in range(len(rows))],
                [row[f"{mode}_ms"] for row in rows],
                height=0.38,
                color=COLORS[mode],
                label=mode,
            )
            axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if row["name"].startswith(OURS) else "normal")
        axes.invert_yaxis()
        axes.set_title(f"{size} px")
        axes.margins(x=0.2)
        axes.legend(frameon=False)
        _times(axes, "median")
    _save(figure, path)


def _times(axes: Axes, what: str) -> None:
    log_scale(axes)
    axes.set_xlabel(f"{what}, ms per image, one thread of the host")
    plain(axes)


def _save(figure: Figure, path: Path) -> None:
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=110)
