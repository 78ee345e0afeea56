"""Whether our host latencies agree with litert-benchmark's, the tool in the LiteRT wheel.

    python -m benchmarks.host_agreement                  MobileNetV2 at 224 and our networks
    python -m benchmarks.host_agreement runs/a.tflite    these files

Both tools measure the same file in turns, each in a process of its own and in an order that turns
by one from round to round, so that a drift of the machine's speed meets both alike. The ratio
ours / theirs of the rounds' medians has to lie within 0.95 and 1.05. One thread, XNNPACK, the
same numbers of warm-up and measured inferences. Writes OUT/host_agreement.{json,md}; exit code 1
when a ratio lies outside.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from android_bench import benchmark
from android_bench.statistics import paired_ratio, percentile
from android_bench.worker import machine_facts
from benchmarks.pages import ROOT, markdown_table
from lwcnn.rows import now

NETWORKS = {32: ("l_mobilenet", "condensenext-masked"), 224: ("mobilenet_v2", "xception_lite")}
LOW, HIGH = 0.95, 1.05
WARMUP = 10


def ours(file: Path, runs: int) -> float:
    """Return our median in ms."""
    result = benchmark(file, num_runs=runs, min_secs=0.0, warmup_runs=WARMUP, warmup_min_secs=0.0)
    return result.median_us / 1000


def theirs(file: Path, runs: int) -> float:
    """Return litert-benchmark's median in ms."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        words = {"model": file, "num_threads": 1, "num_runs": runs, "warmup_runs": WARMUP,
                 "result_json": output}  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"]
            + [f"--{name}={value}" for name, value in words.items()],
            check=True,
            capture_output=True,
        )
        return json.loads(output.read_text())["latency"]["median_ms"]


def measure(file: Path, rounds: int, runs: int, progress: Progress) -> dict[str, Any]:
    """Let the two tools take turns on one file; return their medians and the ratio."""
    medians: dict[str, list[float]] = {"ours": [], "theirs": []}
    tools = [("ours", ours), ("theirs", theirs)]
    task = progress.add_task(file.name, total=rounds)
    for turn in range(rounds):
        for name, tool in tools[:: 1 if turn % 2 == 0 else -1]:
            medians[name].append(tool(file, runs))
        progress.advance(task)
    pairs = [x / y for x, y in zip(medians["ours"], medians["theirs"], strict=True)]
    ratio = paired_ratio(medians["theirs"], medians["ours"])
    # The median round: one disturbed by another program does not decide.
    return {"model": file.name, **medians, "ratio": percentile(pairs, 50), **{
        "low": ratio.low, "high": ratio.high, "rounds": rounds, "runs": runs}}  # fmt: skip


def main() -> int:
    """Measure, print and write the table; return 1 when a ratio lies outside."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help=".tflite files; none: our networks")
    parser.add_argument("--rounds", type=int, default=9, help="odd; default 9")
    parser.add_argument("--runs", type=int, default=100, help="inferences a round; default 100")
    parser.add_argument("--models", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    missing = [str(file) for file in options.files if not file.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")
    files = options.files or _networks(options.models)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        results = [measure(file, options.rounds, options.runs, progress) for file in files]
    _write(results, options.out)
    return 0 if all(LOW <= result["ratio"] <= HIGH for result in results) else 1


def _networks(folder: Path) -> list[Path]:
    """Return the networks' files; those that are missing are made, with random weights."""
    from benchmarks.architectures.networks import input_range, networks
    from benchmarks.architectures.timing import MODES, convert_all, file_of

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for size, names in NETWORKS.items():
        convert_all({name: networks(size)[name] for name in names}, size, folder, input_range)
        files += [file_of(folder, name, size, mode) for name in names for mode in MODES]
    return files


def _write(results: Sequence[dict[str, Any]], out: Path) -> None:
    header = ("model", "ours (ms)", "litert-benchmark (ms)", "ratio", "95 % interval")
    lines = [
        (
            result["model"],
            f"{percentile(result['ours'], 50):.3f}",
            f"{percentile(result['theirs'], 50):.2f}",
            f"{result['ratio']:.3f}",
            f"{result['low']:.3f} - {result['high']:.3f}" if result["low"] else "",
        )
        for result in results
    ]
    table = Table(*header, title="Host latency, medians of the rounds")
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    out.mkdir(parents=True, exist_ok=True)
    facts = machine_facts()
    document = {"date": now(), "machine": facts, "results": list(results)}
    (out / "host_agreement.json").write_text(json.dumps(document, indent=1) + "\n")
    text = f"{markdown_table(header, lines)}\n{facts['core']}, {facts['os']}\n"
    (out / "host_agreement.md").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
