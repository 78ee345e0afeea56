"""The result of one benchmark of one model; its fields are those of a row."""

from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any


def now() -> str:
    """Return the present time in UTC as ISO 8601 with whole seconds, as rows have it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


_RAW = {"in_row": False}  # kept on the result, too long for a row


@dataclass(frozen=True, repr=False)
class BenchmarkResult:
    """One model measured on one device.

    Times are in microseconds, each None on emulated cores, where time means nothing; statistics
    are over all measured inferences, as TensorFlow Lite's `benchmark_model` defines them. Memory is
    the growth of the maximum resident set since before the model was opened, in MB of 10^6 bytes,
    None where several models share the process or the figure is unknown. Where engine is
    "benchmark_model" and there are several sessions, the median is that of the sessions' medians.
    """

    # What ran.
    date: str  # ISO 8601, UTC
    run: str  # the same in all rows of one run, between which ratios are meaningful
    model: str  # file name
    sha256: str
    mode: str | None  # from the file's sidecar: "float32", "int8", ...
    # Where it ran.
    device: str  # "host", "ssh:pi@board", "adb:SERIAL", "emulated:cortex-a72"
    engine: str  # what measured: "worker", "runner", "benchmark_model"
    os: str | None
    cpu: str | None
    core: str | None
    runtime: str | None  # "ai-edge-litert 2.3.0"
    # How it ran.
    num_threads: int
    use_xnnpack: bool
    affinity_mask: str | None  # hexadecimal
    before: dict[str, Any]  # {"governor", "frequencies_mhz", "temperatures_c"}
    after: dict[str, Any]
    options: dict[str, Any]
    # The graph as the runtime sees it.
    nodes: int | None
    delegated_nodes: int | None
    partitions: int | None
    # Times, us.
    init_us: float | None
    first_us: float | None  # the first inference, a warm-up one where there is a warm-up
    warmup_us: float | None  # mean of the warm-up
    median_us: float | None
    mean_us: float | None
    min_us: float | None
    max_us: float | None
    std_us: float | None  # of the population
    p5_us: float | None
    p95_us: float | None
    session_medians_us: list[float]
    runs: int
    # Memory, MB.
    memory_init_mb: float | None
    memory_peak_mb: float | None
    # Executed AArch64 instructions per inference, on emulated cores: all, by class, by kernel.
    instructions: int | None = None
    instruction_classes: dict[str, int] | None = None
    instruction_kernels: dict[str, int] | None = None
    # Raw facts.
    sessions_us: list[list[int]] = field(default_factory=list, metadata=_RAW)
    not_delegated: list[str] = field(default_factory=list, metadata=_RAW)
    outputs: list[dict[str, Any]] = field(default_factory=list, metadata=_RAW)

    def __repr__(self) -> str:
        """Return one line: what ran where, and how fast."""
        threads = f"{self.num_threads} thread{'s' * (self.num_threads != 1)}"
        figures = []
        if self.instructions is not None:
            figures.append(f"{self.instructions:,} instructions")
        time = self.mean_us if self.median_us is None else self.median_us
        if time is not None:
            figures.append(f"{'mean' if self.median_us is None else 'median'} {time:.0f} us")
        figures.append(f"{self.runs} runs")
        if self.nodes is not None:
            figures.append(f"{self.delegated_nodes} of {self.nodes} ops delegated")
        where = f"{self.model} on {self.device}, {threads}, {self.engine}"
        return f"<BenchmarkResult {where}: {', '.join(figures)}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the row: kind "bench" and every field but the raw ones."""
        return {"kind": "bench"} | {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.metadata.get("in_row", True)
        }
