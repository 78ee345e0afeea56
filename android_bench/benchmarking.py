"""The measurement: options in, results out, on any device."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench.devices import Device, open_device
from android_bench.options import BenchmarkOptions
from android_bench.result import BenchmarkResult, now
from android_bench.statistics import Summary, merge, summarize
from android_bench.worker import check_identifier


def benchmark(file: str | Path, device: str | Device = "host", **options: Any) -> BenchmarkResult:
    """Measure one `.tflite` file.

    Args:
        file: the model.
        device: a device's name (see `android_bench.devices.DEVICES`) or an open device, which
            stays open.
        **options: fields of `BenchmarkOptions`.

    Returns:
        The result; `to_dict()` is its row.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no TFLite model or cannot be run, or an option or the device's name
            is not allowed.
        DeviceError: the device cannot be reached, or the run crashed, hung or was cut.
    """
    return benchmark_interleaved([file], device, **options)[0]


def benchmark_interleaved(
    files: Sequence[str | Path], device: str | Device = "host", **options: Any
) -> list[BenchmarkResult]:
    """Measure several `.tflite` files in one run, in which they take turns session by session.

    Ratios between models are meaningful only from such a run (`statistics.paired_ratio` of their
    `session_medians_us`). Arguments and errors as `benchmark`; one result per file, in order.
    """
    chosen = BenchmarkOptions.of(options)
    paths = [Path(file) for file in files]
    if not paths:
        raise ValueError("there is no file to measure. Name one or more .tflite files")
    check_files(paths, chosen.input_files)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    opened = open_device(device) if isinstance(device, str) else device
    try:
        document = opened.engine.measure(opened, paths, chosen)
    finally:
        if opened is not device:
            opened.close()
    facts = document["facts"]
    common = {
        "date": now(),
        "run": uuid.uuid4().hex[:12],
        "device": opened.name,
        "engine": opened.engine.name,
        **{name: facts.get(name) for name in ("os", "cpu", "core", "runtime", "affinity_mask")},
        "num_threads": chosen.num_threads,
        "use_xnnpack": chosen.use_xnnpack,
        "before": document["before"],
        "after": document["after"],
        "options": chosen.to_dict(),
    }
    return [
        BenchmarkResult(
            model=path.name, sha256=digest, mode=sidecar_mode(path), **common, **_figures(report)
        )
        for path, digest, report in zip(paths, digests, document["models"], strict=True)
    ]


def check_files(models: Sequence[Path], input_files: Sequence[str]) -> None:
    """Refuse what is no TFLite file and inputs that are missing, before anything is sent anywhere.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a model does not carry TFLite's identifier.
    """
    for path in (*models, *map(Path, input_files)):
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    for path in models:
        with path.open("rb") as file:
            check_identifier(path, file.read(8))


def sidecar_mode(path: Path) -> str | None:
    """Return the conversion mode that the file's JSON sidecar names, or None."""
    try:
        mode = json.loads(Path(f"{path}.json").read_text()).get("mode")
    except (OSError, ValueError, AttributeError):
        return None
    return mode if isinstance(mode, str) else None


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one model's result, from its part of the engine's document."""
    sessions, warmup = report["sessions_us"], report["warmup_us"]
    times = [time for session in sessions for time in session]
    # Native tools print a summary per session, not its times.
    summaries: list[Summary] = report.get("summaries") or [summarize(each) for each in sessions]
    summary = summarize(times) if times else merge(summaries) if summaries else None
    statistics = ("median", "mean", "min", "max", "std", "p5", "p95")
    copied = ("nodes", "delegated_nodes", "partitions", "memory_init_mb", "memory_peak_mb",
            "instructions", "instruction_classes", "instruction_kernels")  # fmt: skip
    return {
        "init_us": report["init_us"],
        "first_us": report["first_us"],
        "warmup_us": sum(warmup) / len(warmup) if warmup else None,
        **{f"{name}_us": getattr(summary, name, None) for name in statistics},
        "session_medians_us": [each.median for each in summaries if each.median is not None],
        "runs": summary.count if summary else report["runs"],
        **{name: report.get(name) for name in copied},
        "sessions_us": sessions,
        "not_delegated": report.get("not_delegated", []),
        "outputs": report.get("outputs", []),
    }
