"""Compare .tflite files on test images: top-1, top-5 and agreement with float32."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn compare`."""
    from keras_lwcnn.cli.common import add_data_arguments, add_rows_argument

    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE.tflite",
        help="files that `lwcnn convert` wrote, the float32 one among them",
    )
    add_data_arguments(parser, required=False)
    parser.add_argument(
        "--samples", type=Path, metavar="FILE", help="write sample predictions for the report"
    )
    add_rows_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn compare`."""
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.cli.common import append_rows

    rows = compare_files(
        args.files, source=args.data, image_size=args.image_size, samples=args.samples
    )
    append_rows(args.rows, rows)
    table = Table(title=f"{rows[0]['images']} test images")
    table.add_column("mode")
    for column in ("size (kB)", "top-1", "top-5", "drop (points)", "agreement"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["mode"],
            f"{row['size'] / 1e3:,.0f}",
            f"{row['top1']:.2%}",
            "" if row["top5"] is None else f"{row['top5']:.2%}",
            f"{row['drop']:.2f}",
            f"{row['agreement']:.2%}",
        )
    Console().print(table)


def compare_files(
    files: Sequence[Path],
    *,
    source: str | None = None,
    image_size: int | None = None,
    samples: Path | None = None,
) -> list[dict[str, Any]]:
    """Run files over the test images of a source; give rows, and store sample predictions."""
    from convert import compare, read_sidecar
    from keras_lwcnn.data import load_data, scale_images
    from keras_lwcnn.report import write_samples

    sidecars = {path: read_sidecar(path) for path in files}
    by_mode: dict[str, Path] = {}
    for path, sidecar in sidecars.items():
        if sidecar["mode"] in by_mode:
            raise ValueError(
                f"{by_mode[sidecar['mode']]} and {path} both are {sidecar['mode']}; "
                "give one file a mode"
            )
        by_mode[sidecar["mode"]] = path
    ranges = {tuple(sidecar["input_range"] or ()) for sidecar in sidecars.values()}
    if len(ranges) > 1 or () in ranges:
        raise ValueError(f"the files' sidecars have to tell one input range; found {ranges}")
    (input_range,) = ranges
    source = source or _recorded_source(files[0], sidecars)
    height = next(iter(sidecars.values()))["inputs"][0]["shape"][1]
    dataset = load_data(source, image_size=image_size or height)
    with _progress(list(by_mode), len(dataset.test)) as advance:
        comparison = compare(
            by_mode,
            dataset.test.images,
            dataset.test.labels,
            preprocess=lambda pixels: scale_images(pixels, input_range),
            progress=advance,
        )
    if samples is not None:
        write_samples(
            samples,
            dataset.test.images,
            dataset.test.labels,
            comparison.scores,
            dataset.class_names,
        )
    return comparison.to_rows()


@contextmanager
def _progress(modes: Sequence[str], images: int) -> Iterator[Callable[[str, int], None]]:
    """Show a bar a mode; gives the function that moves one."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"Comparing {', '.join(modes)} on {images} images", highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {mode: progress.add_task(mode, total=images) for mode in modes}
        yield lambda mode, done: progress.advance(tasks[mode], done)


def _recorded_source(file: Path, sidecars: Mapping[Path, dict[str, Any]]) -> str:
    """Find what the model was trained on, in the record `NAME.json` beside NAME.MODE.tflite."""
    from keras_lwcnn.record import read_record

    stem = file.name.removesuffix(f".{sidecars[file]['mode']}.tflite")
    source = read_record(file.with_name(f"{stem}.keras")).get("dataset", {}).get("source")
    if source is None:
        raise ValueError(f"no training record beside {file} names its images: give --data")
    return source
