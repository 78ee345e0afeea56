"""Whether our host latencies agree with those of litert-benchmark, the tool in the LiteRT wheel.

    python -m benchmarks.host_agreement                  MobileNetV2 at 224 px and our networks
    python -m benchmarks.host_agreement runs/a.tflite    these files

Both tools measure the same file in turns, each in a process of its own. Which one begins changes
from round to round, so that a drift of the machine's speed affects both alike. The median ratio
ours / theirs of the rounds has to lie within 0.95 and 1.05. Both use one thread, XNNPACK and the
same numbers of warm-up and measured inferences. Writes host_agreement.json and host_agreement.md
into benchmarks/results/; the exit code is 1 when a ratio lies outside.
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
from rich.progress import Progress
from rich.table import Table

from android_bench import benchmark
from android_bench.statistics import paired_ratio, percentile
from android_bench.worker import machine_facts
from benchmarks.commands import check_files, progress_bar
from benchmarks.pages import markdown_table
from benchmarks.stored import RESULTS
from keras_lwcnn.files import write_bytes, write_json
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
    parser.add_argument("--runs", type=int, default=100, help="inferences per round; default 100")
    parser.add_argument("--models", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    check_files(parser, options.files)
    files = options.files or _networks(options.models)
    with progress_bar() as progress:
        results = [measure(file, options.rounds, options.runs, progress) for file in files]
    _write(results, options.out)
    return 0 if all(LOW <= result["ratio"] <= HIGH for result in results) else 1


def _networks(folder: Path) -> list[Path]:
    """Return the networks' files, with random weights; missing ones are converted."""
    from benchmarks.architectures.timing import network_files

    folder.mkdir(parents=True, exist_ok=True)
    return [file for size, names in NETWORKS.items() for file in network_files(size, names, folder)]


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
    facts = machine_facts()
    document = {"date": now(), "machine": facts, "results": list(results)}
    write_json(out / "host_agreement.json", document)
    text = f"{markdown_table(header, lines)}\n{facts['core']}, {facts['os']}\n"
    write_bytes(out / "host_agreement.md", text.encode())


if __name__ == "__main__":
    sys.exit(main())
