"""Convert networks, time them in turns, and tell how many times faster than the references."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from android_bench import append_rows, benchmark_interleaved
from android_bench.statistics import paired_ratio
from keras_lwcnn.costs import costs
from keras_lwcnn.files import write_json

MODES = ("float32", "int8")


def convert_all(builds: Mapping[str, Any], size: int, folder: Path, input_range: Any) -> None:
    """Write each network's files and costs into `folder`; those that are there are kept."""
    import keras

    from convert import to_tflites

    for name, build in builds.items():
        facts = folder / f"{name}@{size}.json"
        if facts.is_file():
            continue
        print(f"{name}: building and converting", flush=True)
        keras.utils.set_random_seed(0)
        model = build()
        low, high = input_range(name)
        images = np.random.default_rng(0).uniform(low, high, (32, size, size, 3))
        files = to_tflites(
            model,
            MODES,
            images.astype("float32"),
            paths={mode: file_of(folder, name, size, mode) for mode in MODES},
            input_range=(low, high),
        )
        partitions = {mode: files[mode].facts["partitions"] for mode in MODES}
        write_json(facts, {"name": name, **costs(model).to_dict(), "partitions": partitions})
        keras.backend.clear_session()


def file_of(folder: Path, name: str, size: int, mode: str) -> Path:
    """Return where a network's file of a mode is."""
    return folder / f"{name}@{size}.{mode}.tflite"


def time_all(
    names: Sequence[str], size: int, folder: Path, rows: Path, sessions: int, seconds: float
) -> dict[tuple[str, str], list[float]]:
    """Time all files in one run, in which they take turns; append rows; give session medians."""
    asked = [(name, mode) for name in names for mode in MODES]
    results = benchmark_interleaved(
        [file_of(folder, name, size, mode) for name, mode in asked],
        sessions=sessions,
        num_runs=5,
        min_secs=seconds,
        warmup_min_secs=0.1,
    )
    append_rows(rows, [result.to_dict() for result in results])
    return {key: result.session_medians_us for key, result in zip(asked, results, strict=True)}


def summarize(
    names: Sequence[str],
    references: Sequence[str],
    size: int,
    folder: Path,
    medians: Mapping[tuple[str, str], list[float]],
) -> list[dict[str, Any]]:
    """Return a row for each network: costs, milliseconds, and ratios to the references."""
    table = []
    for name in names:
        row = json.loads((folder / f"{name}@{size}.json").read_bytes())
        row["size"] = size
        for mode in MODES:
            own = medians[name, mode]
            row[f"{mode}_ms"] = float(np.median(own)) / 1e3
            row[f"{mode}_bytes"] = file_of(folder, name, size, mode).stat().st_size
            for reference in references:
                ratio = paired_ratio(own, medians[reference, mode])
                row[f"{mode}_faster_than_{reference}"] = ratio.to_dict()
        table.append(row)
    return table


def markdown(table: Sequence[dict[str, Any]], references: Sequence[str]) -> str:
    """Return the table as it stands on the page: ratios with their 95 % interval."""
    header = ["network", "parameters", "M MACs"]
    for mode in MODES:
        header += [f"{mode} ms", *(f"times faster than {name}" for name in references)]
    header += ["int8 partitions"]
    if any("top1" in row for row in table):
        header += ["top-1 after short training"]
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for row in table:
        line = [
            row["name"],
            f"{row['trainable_parameters']:,}",
            f"{row['macs'] / 1e6:,.1f}",
        ]
        for mode in MODES:
            line.append(f"{row[f'{mode}_ms']:.2f}")
            line += [_interval(row[f"{mode}_faster_than_{name}"]) for name in references]
        line.append(str(row["partitions"]["int8"]))
        if "top-1 after short training" in header:
            line.append(f"{row['top1']:.2%}" if row.get("top1") is not None else "-")
        lines.append(line)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _interval(ratio: Mapping[str, float | None]) -> str:
    if ratio["low"] is None:
        return f"{ratio['ratio']:.2f}"
    return f"{ratio['ratio']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def plot(table: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw accuracy (parameters, where nothing was trained) against milliseconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    trained = any(row.get("top1") is not None for row in table)
    figure, axes = pyplot.subplots(1, len(MODES), figsize=(12, 5), sharey=True, squeeze=False)
    for axis, mode in zip(axes[0], MODES, strict=True):
        for row in table:
            y = row.get("top1") if trained else row["trainable_parameters"] / 1e6
            if y is None:
                continue
            color = "tab:blue" if row["name"].startswith("l_mobilenet") else "tab:gray"
            axis.plot(row[f"{mode}_ms"], y, "o", color=color)
            axis.annotate(
                row["name"],
                (row[f"{mode}_ms"], y),
                textcoords="offset points",
                xytext=(4, 4),
                fontsize=7,
            )
        axis.set_xscale("log")
        axis.set_xlabel(f"{mode}, ms per image, one thread of the host")
        axis.grid(True, alpha=0.3)
    axes[0][0].set_ylabel("top-1 after short training" if trained else "million parameters")
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
