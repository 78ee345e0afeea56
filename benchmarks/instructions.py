"""Instructions per inference on emulated ARM cores, for any `.tflite` files or for our networks.

    python benchmarks/instructions.py                       all networks and baselines
    python benchmarks/instructions.py runs/a.tflite b.tflite     these files

Without files, every network of `keras_lwcnn.models.MODELS` is built at its default size with random
weights (the count does not depend on them), condensed where it can be, in each deployment form, and
converted. Rows are appended to OUT/rows.jsonl as they come; a run that was cut goes on where it
stopped. The table is printed, and written to OUT/instructions.md.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from android_bench import append_rows, benchmark, read_rows
from android_bench.emulated import CORES, Emulated, setup_emulator

DEFAULT_CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


def make_networks(names: Sequence[str], modes: Sequence[str], folder: Path) -> Iterator[Path]:
    """Build and convert networks that are not in the folder yet; yield the files in order."""
    for name in names:
        done = sorted(folder.glob(f"{name}@*.tflite"))
        if not (folder / f"{name}.done").is_file():
            done = sorted(_make_network(name, modes, folder))
            (folder / f"{name}.done").touch()
        yield from (path for path in done if path.stem.rpartition(".")[2] in modes)


def _make_network(name: str, modes: Sequence[str], folder: Path) -> Iterator[Path]:
    import keras
    import numpy as np

    from convert import to_tflites
    from keras_lwcnn.condensation.deployment import deploy
    from keras_lwcnn.condensation.state import condensable_layers, condense
    from keras_lwcnn.models import MODELS, build

    keras.utils.set_random_seed(0)
    entry = MODELS[name]
    shape = (entry.default_size, entry.default_size, 3)
    model = build(name, input_shape=shape, classifier_activation=None)
    forms = {"": model}
    if condensable_layers(model):
        # Slices are for the variant that selects neighbouring channels, and too many for others.
        settings = {"input_shape": shape, "classifier_activation": None, "selection": "slices"}
        forms = {"masked": model, "gather": model, "sliced": build(name, **settings)}
        for form, built in forms.items():
            condense(built)
            forms[form] = deploy(built, form)
    images = np.random.default_rng(0).uniform(*entry.input_range, (128, *shape)).astype("float32")
    for form, deployed in forms.items():
        stem = f"{name}@{entry.default_size}{form and ','}{form}"
        paths = {mode: folder / f"{stem}.{mode}.tflite" for mode in modes}
        to_tflites(deployed, modes, images, paths=paths, input_range=entry.input_range)
        yield from paths.values()


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


def write_markdown(path: Path, header: Sequence[str], lines: Sequence[Sequence[str]]) -> Path:
    """Write the table for a page."""
    aligned = ["---"] + ["---:"] * (len(header) - 1)
    text = "".join(f"| {' | '.join(line)} |\n" for line in (header, aligned, *lines))
    path.write_text(text)
    return path


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help=".tflite files; none: our networks")
    parser.add_argument("--networks", nargs="+", help="names in keras_lwcnn.models.MODELS")
    parser.add_argument("--modes", nargs="+", default=["float32", "int8"])
    parser.add_argument("--cores", nargs="+", default=DEFAULT_CORES, choices=list(CORES))
    parser.add_argument("--out", type=Path, default=Path("runs/instructions"))
    options = parser.parse_args()
    missing = [str(file) for file in options.files if not file.is_file()]
    if missing:
        parser.error(f"no such file: {', '.join(missing)}")

    setup_emulator()
    console = Console()
    options.out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    # TensorFlow's loggers keep the standard error that they meet: it must not be the bar's.
    with Progress(*columns, console=Console(stderr=True), redirect_stderr=False) as progress:
        files = options.files
        if not files:
            from keras_lwcnn.models import MODELS, model_named

            names = options.networks or list(MODELS)
            for name in names:
                model_named(name)
            folder = options.out / "models"
            folder.mkdir(exist_ok=True)
            task = progress.add_task("converting", total=len(names))
            files = []
            for name in names:
                progress.update(task, description=f"converting {name}")
                files += make_networks([name], options.modes, folder)
                progress.advance(task)
        count(files, options.cores, options.out / "rows.jsonl", progress)
    rows = read_rows(options.out / "rows.jsonl", "bench")
    header = ["model", *options.cores, "delegated/nodes, partitions"]
    lines = summary(rows, files, options.cores)
    table = Table(title="Million AArch64 instructions per inference (emulated, one thread)")
    for name in header:
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"Written: {write_markdown(options.out / 'instructions.md', header, lines)}")


if __name__ == "__main__":
    main()
