"""Reading what the benchmark tools of TensorFlow Lite and LiteRT print.

Two formats: TensorFlow Lite's `benchmark_model` (`count=50 first=... avg=...` and
`Inference timings in us: ...`), and LiteRT's tool of the same name and `litert-benchmark`
(`Inference (avg): 1.23 ms (50 runs)`). Both may carry any prefix on each line (`INFO: `, logcat's).
"""

import re
from dataclasses import dataclass

from android_bench.statistics import Summary


@dataclass(frozen=True)
class ToolOutput:
    """What one run of a tool says; times in us, memory in MB, None where it prints none."""

    init_us: float | None
    first_us: float | None
    warmup_us: float | None
    warmup_runs: int | None
    summary: Summary
    memory_init_mb: float | None
    memory_peak_mb: float | None


_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
_COUNT = re.compile(r"\bcount=(\d+)((?: \w+=[-+.\deE]+)*)")
_PAIR = re.compile(rf"(\w+)={_NUMBER}")
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
_MEMORY = re.compile(
    rf"Memory footprint delta from the start of the tool \(MB\): init={_NUMBER} overall={_NUMBER}"
)
_LITERT = re.compile(
    rf"(Model initialization|Warmup \(\w+\)|Inference \(\w+\)):\s+{_NUMBER} ms(?: \((\d+) runs\))?"
)


def parse_tool_output(text: str) -> ToolOutput:
    """Read the output of `benchmark_model` (TensorFlow Lite's or LiteRT's) or `litert-benchmark`.

    Args:
        text: what the tool printed, standard output and standard error together.

    Raises:
        ValueError: the text ends before the results, or is of another tool.
    """
    if _TIMINGS.search(text):
        return _parse_tflite(text)
    if "BENCHMARK RESULTS" in text:
        return _parse_litert(text)
    raise ValueError("it has neither benchmark_model's timings nor LiteRT's results")


def _parse_tflite(text: str) -> ToolOutput:
    timings = [float(number) for number in _TIMINGS.search(text).groups()]
    # Each loop prints one line: the warm-up, if there is one, and the measurement.
    counts = [(int(m[1]), m[2]) for m in _COUNT.finditer(text[: _TIMINGS.search(text).start()])]
    if not counts:
        raise ValueError("it has no 'count=' line before benchmark_model's timings")
    count, rest = counts[-1]
    values = {name: float(number) for name, number in _PAIR.findall(rest)}
    # Where all values are the same, only the last one is printed.
    same = values.get("curr") if "avg" not in values else None
    memory = _MEMORY.search(text)
    init, first, warmup, mean = timings
    return ToolOutput(
        init_us=init,
        first_us=first,
        warmup_us=warmup if len(counts) > 1 else None,
        warmup_runs=counts[0][0] if len(counts) > 1 else None,
        summary=Summary(
            count=count,
            median=values.get("median", same),
            mean=values.get("avg", mean),
            min=values.get("min", same),
            max=values.get("max", same),
            std=values.get("std", None if same is None else 0.0),
            p5=values.get("p5", same),
            p95=values.get("p95", same),
        ),
        memory_init_mb=float(memory[1]) if memory else None,
        memory_peak_mb=float(memory[2]) if memory else None,
    )


def _parse_litert(text: str) -> ToolOutput:
    values, runs = {}, {}
    for name, number, count in _LITERT.findall(text.rpartition("BENCHMARK RESULTS")[2]):
        values[name] = float(number) * 1000
        if count:
            runs[name] = int(count)
    mean, count = values.get("Inference (avg)"), runs.get("Inference (avg)")
    if mean is None or count is None:
        raise ValueError("LiteRT's results end before 'Inference (avg): ... ms (n runs)'")
    return ToolOutput(
        init_us=values.get("Model initialization"),
        first_us=values.get("Warmup (first)"),
        warmup_us=values.get("Warmup (avg)"),
        warmup_runs=runs.get("Warmup (avg)"),
        summary=Summary(
            count=count,
            mean=mean,
            **{
                name: values.get(f"Inference ({name})")
                for name in ("median", "min", "max", "std", "p5", "p95")
            },
        ),
        memory_init_mb=None,
        memory_peak_mb=None,
    )
