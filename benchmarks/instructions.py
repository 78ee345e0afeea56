"""Instructions per inference on emulated ARM cores, for any `.tflite` files or for our networks.

    python -m benchmarks.instructions                       all networks and baselines
    python -m benchmarks.instructions runs/a.tflite b.tflite     these files

Without files, the networks are those of `benchmarks.architectures`, at 32 and 224 px, with random
weights (the count does not depend on them). Rows are appended to OUT/instructions.rows.jsonl as
they come; a run that was cut goes on where it stopped. The table is printed, and written to
OUT/instructions.md.
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from android_bench import benchmark
from android_bench.emulated import CORES, Emulated, setup_emulator
from benchmarks.pages import ROOT, markdown_table
from keras_lwcnn.files import write_bytes
from lwcnn.rows import append_rows, read_rows

DEFAULT_CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


def network_files(names: Sequence[str], folder: Path) -> list[Path]:
    """Return the files of networks at both sizes, in each mode; those that are missing are made.

    Args:
        names: of networks in `benchmarks.architectures.networks`; none: all.
        folder: where they are, shared with `benchmarks.architectures`.
    """
    from benchmarks.architectures.networks import REFERENCES, input_range, networks
    from benchmarks.architectures.timing import MODES, convert_all, file_of

    files, known = [], set()
    for size in REFERENCES:
        builds = networks(size)
        known |= set(builds)
        chosen = {name: builds[name] for name in builds if not names or name in names}
        convert_all(chosen, size, folder, input_range)
        files += [file_of(folder, name, size, mode) for name in chosen for mode in MODES]
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"unknown networks {unknown}; known are {', '.join(sorted(known))}")
    return files


def count(files: Sequence[Path], cores: Sequence[str], out: Path, progress: Progress) -> None:
    """Append a row for each file and core that has none yet."""
    rows = read_rows(out, "bench") if out.is_file() else []
    known = {(row["model"], row["sha256"], row["device"]) for row in rows}
    task = progress.add_task("", total=len(files) * len(cores))
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        for core in cores:
            progress.update(task, description=f"{file.name} on {core}")
            if (file.name, digest, f"emulated:{core}") not in known:
                with Emulated(core) as device:
                    append_rows(out, [benchmark(file, device).to_dict()])
            progress.advance(task)


def summary(
    rows: Sequence[dict[str, Any]], files: Sequence[Path], cores: Sequence[str]
) -> list[list[str]]:
    """Return a table's lines: each file with its million instructions on each core."""
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    found = {(row["model"], row["sha256"], row["device"]): row for row in rows}
    lines = []
    for name, digest in digests.items():
        measured = [found.get((name, digest, f"emulated:{core}")) for core in cores]
        totals = [row and row["instructions"] for row in measured]
        first = next(row for row in measured if row)
        ops = f"{first['delegated_nodes']}/{first['nodes']}, {first['partitions']}"
        lines.append([name, *(f"{total / 1e6:.2f}" if total else "-" for total in totals), ops])
    return lines


def ratios(
    rows: Sequence[dict[str, Any]], files: Sequence[Path], cores: Sequence[str]
) -> list[list[str]]:
    """Return a line for each claim of speed and mode whose two networks are among the files.

    On a core, it says how many times as many instructions the slower network executes.
    """
    from benchmarks.architectures.networks import CLAIMS
    from benchmarks.architectures.timing import file_of

    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    found = {(row["model"], row["sha256"], row["device"]): row["instructions"] for row in rows}
    lines = []
    for claim in CLAIMS:
        for mode in claim.modes:
            pair = [
                file_of(Path(), name, claim.size, mode).name
                for name in (claim.slower, claim.faster)
            ]
            if not set(pair) <= digests.keys():
                continue
            counts = [
                [found.get((name, digests[name], f"emulated:{core}")) for name in pair]
                for core in cores
            ]
            cells = [f"{a / b:.2f}x" if a and b else "-" for a, b in counts]
            claimed = f"`{claim.faster}` against `{claim.slower}`, {claim.size} px, {mode}"
            lines.append([claimed, f"{claim.at_least:.1f}x", *cells])
    return lines


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help=".tflite files; none: our networks")
    parser.add_argument("--networks", nargs="+", help="only these")
    parser.add_argument("--models", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--cores", nargs="+", default=DEFAULT_CORES, choices=list(CORES))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    missing = [str(file) for file in options.files if not file.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")

    setup_emulator()
    console = Console()
    options.out.mkdir(parents=True, exist_ok=True)
    options.models.mkdir(parents=True, exist_ok=True)
    files = options.files or network_files(options.networks or (), options.models)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    # TensorFlow's loggers keep the standard error that they meet: it must not be the bar's.
    with Progress(*columns, console=Console(stderr=True), redirect_stderr=False) as progress:
        count(files, options.cores, options.out / "instructions.rows.jsonl", progress)
    rows = read_rows(options.out / "instructions.rows.jsonl", "bench")
    header = ["model", *options.cores, "delegated/nodes, partitions"]
    lines = summary(rows, files, options.cores)
    table = Table(title="Million AArch64 instructions per inference (emulated, one thread)")
    for name in header:
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)
    text = markdown_table(header, lines)
    if compared := ratios(rows, files, options.cores):
        text += "\n" + markdown_table(
            ["times fewer instructions", "asked", *options.cores], compared
        )
    print(write_bytes(options.out / "instructions.md", text.encode()))


if __name__ == "__main__":
    main()
