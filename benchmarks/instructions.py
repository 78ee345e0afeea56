"""Instructions per inference on emulated ARM cores, for any `.tflite` files or for our networks.

    python -m benchmarks.instructions                            all networks and baselines
    python -m benchmarks.instructions runs/a.tflite b.tflite     these files

Without files, the networks are those of `benchmarks.architectures`, at 32 and 224 px, with random
weights (the count does not depend on them). Rows are appended to
benchmarks/results/instructions.rows.jsonl as they come; a run that was cut goes on where it
stopped. The table is printed, and written to instructions.md beside the rows.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from android_bench import benchmark
from android_bench.devices.emulated import Emulated
from android_bench.emulated import CORES, setup_emulator
from benchmarks.commands import check_files, progress_bar
from benchmarks.pages import markdown_table
from benchmarks.stored import RESULTS, sha256
from keras_lwcnn.files import write_bytes
from lwcnn.rows import append_rows, read_rows

DEFAULT_CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


def chosen_files(names: Sequence[str], folder: Path) -> list[Path]:
    """Return the files of networks at both sizes, in each mode; missing ones are converted.

    Args:
        names: of networks in `benchmarks.architectures.networks`; none: all.
        folder: where the files are, shared with `benchmarks.architectures`.
    """
    from benchmarks.architectures.networks import REFERENCES, networks
    from benchmarks.architectures.timing import network_files

    known = {size: list(networks(size)) for size in REFERENCES}
    if unknown := sorted(set(names).difference(*known.values())):
        allowed = ", ".join(sorted(set().union(*known.values())))
        raise SystemExit(f"unknown networks {', '.join(unknown)}; allowed are {allowed}.")
    return [
        file
        for size, all_names in known.items()
        for file in network_files(
            size, [name for name in all_names if not names or name in names], folder
        )
    ]


def count(files: Sequence[Path], cores: Sequence[str], out: Path, progress: Progress) -> None:
    """Append a row for each file and core that has none yet."""
    rows = read_rows(out, "bench") if out.is_file() else []
    known = {(row["model"], row["sha256"], row["device"]) for row in rows}
    task = progress.add_task("", total=len(files) * len(cores))
    for file in files:
        digest = sha256(file)
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
    known = {(row["model"], row["sha256"], row["device"]): row for row in rows}
    lines = []
    for name, digest in ((file.name, sha256(file)) for file in files):
        measured = [known.get((name, digest, f"emulated:{core}")) for core in cores]
        totals = [row and row["instructions"] for row in measured]
        first = next(row for row in measured if row)
        ops = f"{first['delegated_nodes']}/{first['nodes']}, {first['partitions']}"
        lines.append([name, *(f"{total / 1e6:.2f}" if total else "-" for total in totals), ops])
    return lines


def ratios(
    rows: Sequence[dict[str, Any]], files: Sequence[Path], cores: Sequence[str]
) -> list[list[str]]:
    """Return a line for each claim of speed and mode whose two networks are among the files.

    A cell is how many times as many instructions the slower network executes on a core.
    """
    from benchmarks.architectures.networks import CLAIMS
    from benchmarks.architectures.timing import file_of

    digests = {file.name: sha256(file) for file in files}
    known = {(row["model"], row["sha256"], row["device"]): row["instructions"] for row in rows}
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
                [known.get((name, digests[name], f"emulated:{core}")) for name in pair]
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
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    check_files(parser, options.files)

    setup_emulator()
    console = Console()
    options.out.mkdir(parents=True, exist_ok=True)
    options.models.mkdir(parents=True, exist_ok=True)
    files = options.files or chosen_files(options.networks or (), options.models)
    with progress_bar() as progress:
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
