"""Reading what the native benchmark tools print.

Two formats: TensorFlow Lite's `benchmark_model` (`count=50 first=... avg=...` and
`Inference timings in us: ...`), and LiteRT's tool of the same name and `litert-benchmark`
(`Inference (avg): 1.23 ms (50 runs)`). Both may carry any prefix on each line (`INFO: `, logcat's).
"""

import re
from dataclasses import dataclass

from android_bench.statistics import Summary


@dataclass(frozen=True)
class NativeOutput:
    """What one run of a native tool says; times in us, memory in MB, None where it does not say."""

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


def parse_native_output(text: str) -> NativeOutput:
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
    raise ValueError("neither benchmark_model's timings nor LiteRT's results are in the output")


def _parse_tflite(text: str) -> NativeOutput:
    timings = [float(number) for number in _TIMINGS.search(text).groups()]
    # Each loop prints one line: the warm-up, if there is one, and the measurement.
    counts = [(int(m[1]), m[2]) for m in _COUNT.finditer(text[: _TIMINGS.search(text).start()])]
    if not counts:
        raise ValueError("benchmark_model's output has no 'count=' line")
    count, rest = counts[-1]
    found = {name: float(number) for name, number in _PAIR.findall(rest)}
    # Where all values are the same, only the last one is printed.
    same = found.get("curr") if "avg" not in found else None
    memory = _MEMORY.search(text)
    init, first, warmup, mean = timings
    return NativeOutput(
        init_us=init,
        first_us=first,
        warmup_us=warmup if len(counts) > 1 else None,
        warmup_runs=counts[0][0] if len(counts) > 1 else None,
        summary=Summary(
            count=count,
            median=found.get("median", same),
            mean=found.get("avg", mean),
            min=found.get("min", same),
            max=found.get("max", same),
            std=found.get("std", None if same is None else 0.0),
            p5=found.get("p5", same),
            p95=found.get("p95", same),
        ),
        memory_init_mb=float(memory[1]) if memory else None,
        memory_peak_mb=float(memory[2]) if memory else None,
    )


def _parse_litert(text: str) -> NativeOutput:
    found, runs = {}, {}
    for name, number, count in _LITERT.findall(text.rpartition("BENCHMARK RESULTS")[2]):
        found[name] = float(number) * 1000
        if count:
            runs[name] = int(count)
    mean, count = found.get("Inference (avg)"), runs.get("Inference (avg)")
    if mean is None or count is None:
        raise ValueError("LiteRT's results end before 'Inference (avg): ... ms (n runs)'")
    return NativeOutput(
        init_us=found.get("Model initialization"),
        first_us=found.get("Warmup (first)"),
        warmup_us=found.get("Warmup (avg)"),
        warmup_runs=runs.get("Warmup (avg)"),
        summary=Summary(
            count=count,
            mean=mean,
            **{
                name: found.get(f"Inference ({name})")
                for name in ("median", "min", "max", "std", "p5", "p95")
            },
        ),
        memory_init_mb=None,
        memory_peak_mb=None,
    )
