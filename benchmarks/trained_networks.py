"""Accuracy against cost: trained networks, float32 and int8, on emulated ARM cores and the host.

    python -m benchmarks.trained_networks runs/seeds/*-cifar10-l_mobilenet-cifar10-ours-30e-0

Takes folders that `lwcnn train` wrote, one for each network. Each network is converted and compared
on the test images of its data, and the instructions of its files are counted; at the end all files
are timed on the host, in turns in one run. Rows are appended to
benchmarks/results/trained_networks.jsonl; one picture per core and one of the host are drawn beside
them. What has rows is not measured again.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from android_bench import benchmark_interleaved
from android_bench.emulated import CORES, setup_emulator
from benchmarks.commands import progress_bar, read_trainings
from benchmarks.instructions import DEFAULT_CORES, count
from benchmarks.stored import RESULTS, sha256
from lwcnn.conversion import convert_model
from lwcnn.report.bench_plots import accuracy_points, plot_accuracy
from lwcnn.rows import append_rows, read_rows
from lwcnn.verbs.compare import compare_files

MODES = ("float32", "int8")
HOST = "host"


def files_of(folder: Path, network: str, out: Path) -> list[Path]:
    """Return the files of a training's network; what was converted before is kept."""
    model = out / f"{network}.keras"
    for suffix in (".keras", ".json"):
        shutil.copyfile(folder / f"model{suffix}", model.with_suffix(suffix))
    rows = convert_model(model, out, modes=MODES, reuse=True)
    return [out / row["file"] for row in rows]


def measure(
    trainings: Mapping[Path, Mapping[str, Any]], cores: Sequence[str], out: Path, stored: Path
) -> list[dict[str, Any]]:
    """Append the rows that are missing; return all of them.

    Args:
        trainings: their records, by folder.
        cores: names of emulated cores.
        out: where the converted files are put.
        stored: the rows.
    """
    measured = []
    for folder, record in trainings.items():
        files = files_of(folder, record["model"], out)
        rows = read_rows(stored, "compare") if stored.is_file() else []
        if not _digests(files) <= {row["sha256"] for row in rows}:
            epochs = record["recipe"]["epochs"]
            # The file's name is enough: where it lay on this machine tells nothing.
            append_rows(stored, [row | {"file": Path(row["file"]).name, "epochs": epochs}
                                 for row in compare_files(files)])  # fmt: skip
        measured += files
    with progress_bar() as progress:
        count(measured, cores, stored, progress)
    timed = {row["sha256"] for row in read_rows(stored, "bench") if row["device"] == HOST}
    if not _digests(measured) <= timed:
        append_rows(stored, [each.to_dict() for each in benchmark_interleaved(measured)])
    return read_rows(stored)


def _digests(files: Sequence[Path]) -> set[str]:
    return {sha256(file) for file in files}


def draw(rows: Sequence[dict[str, Any]], device: str, picture: Path) -> Path:
    """Draw top-1 against the cost on a device; the networks' names say how long they trained."""
    epochs = {row["file"].partition(".")[0]: row["epochs"] for row in rows
              if row["kind"] == "compare"}  # fmt: skip
    scale, quantity = 1e6, f"million AArch64 instructions, {device.replace(':', ' ')}"
    if device == HOST:
        scale, quantity = 1.0, "median ms, one thread of the host"
    points = [
        (f"{name}, {epochs[name]} epochs", mode, cost / scale, top1)
        for name, mode, cost, top1 in accuracy_points(rows, device)
    ]
    return plot_accuracy(points, picture, quantity)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of trainings, with model.keras")
    parser.add_argument("--cores", nargs="+", default=DEFAULT_CORES, choices=list(CORES))
    parser.add_argument("--out", type=Path, default=Path("runs/trained_networks"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    trainings = read_trainings(parser, options.folders)
    networks = [record["model"] for record in trainings.values()]
    if len(set(networks)) < len(networks):
        parser.error(f"{', '.join(networks)}: one training per network is allowed")
    setup_emulator()
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.results / "trained_networks.jsonl"
    rows = measure(trainings, options.cores, options.out, stored)
    for device in (*(f"emulated:{core}" for core in options.cores), HOST):
        name = f"trained_networks.{device.removeprefix('emulated:')}.png"
        print(draw(rows, device, options.results / name))


if __name__ == "__main__":
    main()
