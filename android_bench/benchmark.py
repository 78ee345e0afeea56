"""The measurement: options in, results out, on any device."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from android_bench.devices import Device, open_device
from android_bench.result import BenchmarkResult, now
from android_bench.statistics import merge, summarize


@dataclass(frozen=True)
class BenchmarkOptions:
    """How to measure; names, meaning and defaults are those of `benchmark_model`.

    A run loop goes on while (its runs are fewer than `num_runs` or it has lasted less than
    `min_secs`) and it has not lasted more than `max_secs`. Inputs are random: floats in -0.5..0.5,
    int8 -127..127, uint8 0..254.

    Args:
        num_threads: threads of the CPU kernels, 1 or more (LiteRT's own default is 1).
        use_xnnpack: whether the XNNPACK delegate may take part of the graph.
        num_runs: least number of measured inferences in a session, 1 or more.
        min_secs: least seconds of a session.
        max_secs: seconds after which a session (or the warm-up) ends in any case.
        warmup_runs: least number of warm-up inferences.
        warmup_min_secs: least seconds of warm-up.
        run_delay: seconds of sleep between inferences; -1 for none.
        sessions: how often the measured loop is repeated; each gives a median, and two or more
            give intervals. Several models take turns within each session.
        session_pause: seconds of sleep between sessions, for the device to cool.
        input_range: (low, high) of the random inputs in place of the defaults.
        input_files: one `.npy` or raw file per input in place of random inputs.
        seed: seed of the random inputs.
        affinity: "big" (the CPUs with the highest maximum frequency), a hexadecimal mask such as
            "0xf0", or None for the system's choice.
        timeout: seconds after which the run counts as hung; None for what the options can take
            at most, and a minute more.

    Raises:
        ValueError: a value is out of its range.
    """

    num_threads: int = 1
    use_xnnpack: bool = True
    num_runs: int = 50
    min_secs: float = 1.0
    max_secs: float = 150.0
    warmup_runs: int = 1
    warmup_min_secs: float = 0.5
    run_delay: float = -1.0
    sessions: int = 1
    session_pause: float = 0.0
    input_range: tuple[float, float] | None = None
    input_files: tuple[str, ...] = ()
    seed: int = 0
    affinity: str | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("num_threads", "num_runs", "sessions"):
            self._check(name, getattr(self, name) >= 1, "1 or more")
        for name in ("min_secs", "warmup_runs", "warmup_min_secs", "session_pause"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        self._check("max_secs", self.max_secs > 0, "more than 0")
        self._check("run_delay", self.run_delay >= 0 or self.run_delay == -1, "-1 or 0 or more")
        self._check("timeout", self.timeout is None or self.timeout > 0, "more than 0, or None")
        self._check("seed", 0 <= self.seed < 2**32, "0 to 2**32 - 1")
        if self.input_range is not None:
            fits = len(self.input_range) == 2 and self.input_range[0] <= self.input_range[1]
            self._check("input_range", fits, "(low, high) with low <= high")
        if self.affinity not in (None, "big"):
            self._check("affinity", _is_mask(self.affinity), '"big" or a mask such as "0xf0"')

    def _check(self, name: str, right: bool, allowed: str) -> None:
        if not right:
            raise ValueError(f"{name} is {getattr(self, name)!r}; allowed: {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON's types."""
        return json.loads(json.dumps(asdict(self)))

    def time_limit(self, models: int) -> float:
        """Return the seconds after which a run of so many models counts as hung."""
        if self.timeout is not None:
            return self.timeout
        return (
            models * (1 + self.sessions) * self.max_secs + self.sessions * self.session_pause + 60
        )


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
    `session_medians_us`). Arguments and errors as `benchmark`; one result a file, in order.
    """
    known = [item.name for item in fields(BenchmarkOptions)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"unknown options {', '.join(unknown)}; allowed: {', '.join(known)}")
    chosen = BenchmarkOptions(**options)
    paths = [Path(file) for file in files]
    if not paths:
        raise ValueError("no file to measure")
    for path in paths:
        check_model(path)
    for name in chosen.input_files:
        if not Path(name).is_file():
            raise FileNotFoundError(f"no such input file: {name}")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    settings = chosen.to_dict()
    del settings["timeout"]
    opened = open_device(device) if isinstance(device, str) else device
    try:
        document = opened.measure(paths, settings, chosen.time_limit(len(paths)))
    finally:
        if opened is not device:
            opened.close()
    run, date = uuid.uuid4().hex[:12], now()
    return [
        _result(document, i, path, digest, opened.name, chosen, run, date)
        for i, (path, digest) in enumerate(zip(paths, digests, strict=True))
    ]


def check_model(path: Path) -> None:
    """Refuse what is no TFLite file, before anything is sent anywhere.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not carry TFLite's identifier.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] != b"TFL3":
        raise ValueError(
            f"{path} is not a TFLite model: it starts with {head!r}, "
            "where b'TFL3' is expected after four bytes"
        )


def sidecar_mode(path: Path) -> str | None:
    """Return the conversion mode that the file's JSON sidecar names, or None."""
    try:
        mode = json.loads(Path(f"{path}.json").read_text()).get("mode")
    except (OSError, ValueError, AttributeError):
        return None
    return mode if isinstance(mode, str) else None


def _result(
    document: dict[str, Any],
    index: int,
    path: Path,
    digest: str,
    device: str,
    options: BenchmarkOptions,
    run: str,
    date: str,
) -> BenchmarkResult:
    """Build one model's result from the worker's document."""
    facts, measured = document["facts"], document["models"][index]
    sessions = measured["sessions_us"]
    warmup = measured["warmup_us"]
    times = [time for session in sessions for time in session]
    # Native tools tell each session's summary alone.
    summaries = measured.get("summaries") or [summarize(session) for session in sessions]
    summary = summarize(times) if times else merge(summaries) if summaries else None
    names = ("median", "mean", "min", "max", "std", "p5", "p95")
    return BenchmarkResult(
        date=date,
        run=run,
        model=path.name,
        sha256=digest,
        mode=sidecar_mode(path),
        device=device,
        engine=document["engine"],
        **{name: facts.get(name) for name in ("os", "cpu", "core", "runtime", "affinity_mask")},
        num_threads=options.num_threads,
        use_xnnpack=options.use_xnnpack,
        before=document["before"],
        after=document["after"],
        options=options.to_dict(),
        **{name: measured.get(name) for name in ("nodes", "delegated_nodes", "partitions")},
        init_us=measured["init_us"],
        first_us=measured["first_us"],
        warmup_us=sum(warmup) / len(warmup) if warmup else None,
        **{f"{name}_us": getattr(summary, name, None) for name in names},
        session_medians_us=[item.median for item in summaries if item.median is not None],
        runs=summary.count if summary else measured["runs"],
        **{name: measured.get(name) for name in ("memory_init_mb", "memory_peak_mb")},
        instructions=measured.get("instructions"),
        instruction_classes=measured.get("instruction_classes"),
        instruction_kernels=measured.get("instruction_kernels"),
        sessions_us=sessions,
        not_delegated=measured.get("not_delegated", []),
        outputs=measured.get("outputs", []),
    )


def _is_mask(text: str) -> bool:
    try:
        return int(text, 16) > 0
    except (TypeError, ValueError):
        return False
