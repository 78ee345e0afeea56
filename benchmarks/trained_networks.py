"""Accuracy against instructions: trained networks, float32 and int8, on emulated ARM cores.

    python -m benchmarks.trained_networks runs/architectures/*-cifar10-2

Takes folders that `lwcnn train` wrote. Each network is converted, compared on the test images of
the data it was trained on, and counted. Rows are appended to RESULTS/trained_networks.jsonl, a
picture for each core is drawn beside them; what is there already is not measured again.
"""

import argparse
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from android_bench import append_rows, read_rows
from android_bench.emulated import CORES, setup_emulator
from android_bench.reports.plots import accuracy_points, plot_accuracy
from benchmarks.instructions import DEFAULT_CORES, count
from benchmarks.pages import ROOT
from keras_lwcnn.cli.compare import compare_files
from keras_lwcnn.cli.conversion import convert_model

MODES = ("float32", "int8")


def files_of(folder: Path, out: Path) -> list[Path]:
    """Convert the network of a training's folder, unless that was done before."""
    model = out / f"{folder.name}.keras"
    for suffix in (".keras", ".json"):
        shutil.copyfile(folder / f"model{suffix}", model.with_suffix(suffix))
    rows = convert_model(model, out, modes=MODES, reuse=True)
    return [out / row["file"] for row in rows]


def measure(
    folders: Sequence[Path], cores: Sequence[str], out: Path, stored: Path
) -> list[dict[str, Any]]:
    """Append the rows that are missing; return all of them."""
    counted = []
    for folder in folders:
        files = files_of(folder, out)
        rows = read_rows(stored, "compare") if stored.is_file() else []
        digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        if not digests <= {row["sha256"] for row in rows}:
            found = compare_files(files)
            # The file's name is enough: where it lay on this machine tells nothing.
            append_rows(stored, [row | {"file": Path(row["file"]).name} for row in found])
        counted += files
    with Progress(console=Console(stderr=True), redirect_stderr=False) as progress:
        count(counted, cores, stored, progress)
    return read_rows(stored)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of trainings, with model.keras")
    parser.add_argument("--cores", nargs="+", default=DEFAULT_CORES, choices=list(CORES))
    parser.add_argument("--out", type=Path, default=Path("runs/trained_networks"))
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    unfinished = [str(path) for path in options.folders if not (path / "model.json").is_file()]
    if unfinished:
        parser.error(f"no finished training in {', '.join(unfinished)}")
    setup_emulator()
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.results / "trained_networks.jsonl"
    rows = measure(options.folders, options.cores, options.out, stored)
    for core in options.cores:
        points = accuracy_points(rows, f"emulated:{core}")
        millions = [(name, mode, cost / 1e6, top1) for name, mode, cost, top1 in points]
        picture = options.results / f"trained_networks.{core}.png"
        print(plot_accuracy(millions, picture, f"million AArch64 instructions, emulated {core}"))


if __name__ == "__main__":
    main()
