"""Networks converted, timed in turns, and compared with the references."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from android_bench import benchmark_interleaved
from android_bench.statistics import paired_ratio
from benchmarks.architectures.networks import Claim, input_range, networks
from keras_lwcnn.costs import costs
from keras_lwcnn.files import write_json
from lwcnn.rows import append_rows

MODES = ("float32", "int8")


def network_files(size: int, names: Sequence[str], folder: Path) -> list[Path]:
    """Return the files of networks at an image size, in each mode; missing ones are converted."""
    builds = networks(size)
    convert_all({name: builds[name] for name in names}, size, folder)
    return [file_of(folder, name, size, mode) for name in names for mode in MODES]


def convert_all(builds: Mapping[str, Any], size: int, folder: Path) -> None:
    """Write each network's files and costs into `folder`; files that exist are kept."""
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
        images = np.random.default_rng(0).uniform(low, high, (32, size, size, 3)).astype("float32")
        settle(model, images[:8])
        files = to_tflites(
            model,
            MODES,
            images,
            paths={mode: file_of(folder, name, size, mode) for mode in MODES},
            input_range=(low, high),
            # With random weights the classes lie so close that rounding changes many of them.
            verify=False,
        )
        partitions = {mode: files[mode].facts["partitions"] for mode in MODES}
        write_json(facts, {"name": name, **costs(model).to_dict(), "partitions": partitions})
        keras.backend.clear_session()


def settle(model: Any, images: np.ndarray) -> None:
    """Let batch normalizations take the statistics of images, as a training would.

    Without them, activations of random weights shrink from layer to layer until int8 files need
    requantizations by factors that no trained network needs and that the delegate does not take.
    """
    import keras

    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def file_of(folder: Path, name: str, size: int, mode: str) -> Path:
    """Return where a network's file of a mode is."""
    return folder / f"{name}@{size}.{mode}.tflite"


def time_all(
    names: Sequence[str], size: int, folder: Path, rows: Path, sessions: int, seconds: float
) -> dict[tuple[str, str], list[float]]:
    """Time all files in one run, in which they take turns; append rows; give session medians."""
    keys = [(name, mode) for name in names for mode in MODES]
    results = benchmark_interleaved(
        [file_of(folder, name, size, mode) for name, mode in keys],
        sessions=sessions,
        num_runs=5,
        min_secs=seconds,
        warmup_min_secs=0.1,
    )
    append_rows(rows, [result.to_dict() for result in results])
    return {key: result.session_medians_us for key, result in zip(keys, results, strict=True)}


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


def judge(
    claims: Sequence[Claim], size: int, medians: Mapping[tuple[str, str], list[float]]
) -> list[dict[str, Any]]:
    """Return a row for each claim and mode at a size whose two networks were timed in this run."""
    names = {name for name, _ in medians}
    rows = []
    for claim in claims:
        for mode in claim.modes:
            if claim.size == size and {claim.faster, claim.slower} <= names:
                ratio = paired_ratio(medians[claim.faster, mode], medians[claim.slower, mode])
                row = asdict(claim) | {"mode": mode, **ratio.to_dict()}
                del row["modes"]
                rows.append(row | {"holds": ratio.ratio >= claim.at_least})
    return rows
