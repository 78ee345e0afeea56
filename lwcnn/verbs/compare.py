"""Compare a model's TFLite modes on test images: accuracy, size, conversion time, latency."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert import Comparison
    from keras_lwcnn.data import ImageDataset
    from lwcnn.common import DataSource

EXTRA = "convert"
USES_KERAS = False

EXAMPLES = """examples:
  lwcnn compare model.keras --modes float32,int8      converts what is missing
  lwcnn compare model.*.tflite --rows rows.jsonl      files that lwcnn convert wrote
  lwcnn compare model.keras --plot costs.png --pages disagreements
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn compare`."""
    from lwcnn.common import add_data_arguments, add_rows_argument
    from lwcnn.verbs.convert import add_input_range_argument, add_mode_arguments

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="one MODEL.keras, or .tflite files that `lwcnn convert` wrote, float32 among them",
    )
    add_data_arguments(parser, required=False)
    parser.add_argument(
        "--no-latency", action="store_true", help="do not measure latency on this host"
    )
    parser.add_argument("--plot", type=Path, metavar="PICTURE", help="draw drop, size and latency")
    parser.add_argument(
        "--pages",
        type=Path,
        metavar="FOLDER",
        help="write one page per mode, of the images on which it and float32 disagree",
    )
    parser.add_argument(
        "--samples", type=Path, metavar="FILE", help="write sample predictions for the report"
    )
    add_rows_argument(parser)
    conversion = parser.add_argument_group("conversion of a MODEL.keras")
    add_mode_arguments(conversion)
    add_input_range_argument(conversion)
    conversion.add_argument("--out", type=Path, help="folder for the files (default: the model's)")


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn compare`."""
    from lwcnn.common import append_rows, data_from
    from lwcnn.compare_inputs import lone_model
    from lwcnn.report.bench_plots import check_picture
    from lwcnn.report.comparison_figure import plot_comparison
    from lwcnn.report.comparison_table import print_comparison

    if args.plot:
        check_picture(args.plot)
    files, data = args.files, data_from(args)
    model_file = lone_model(files)
    if model_file is None:
        _refuse_conversion_options(args)
    else:
        files, data = _converted(model_file, args)
    rows = compare_files(
        files,
        data=data,
        image_size=args.image_size,
        samples=args.samples,
        pages=args.pages,
        latency=not args.no_latency,
    )
    append_rows(args.rows, rows)
    print_comparison(rows)
    if args.plot:
        print(f"wrote {plot_comparison(rows, args.plot)}")


def _refuse_conversion_options(args: argparse.Namespace) -> None:
    for name in ("modes", "out", "input_range", "calibration_images"):
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise ValueError(
                f"--{option} is for the conversion of a MODEL.keras; {args.files[0]} is converted "
                f"already. Leave --{option} out, or give the model"
            )


def _converted(model_file: Path, args: argparse.Namespace) -> tuple[list[Path], ImageDataset]:
    """Convert a model, as far as its files are not there; return them and the loaded images."""
    from convert.source.keras_file import input_shape
    from lwcnn.common import data_from, loaded
    from lwcnn.compare_inputs import check_classes, recorded_source
    from lwcnn.conversion import TrainedModel, compared_modes, convert_model

    modes = compared_modes(args.modes)
    class_names = TrainedModel.read(model_file).class_names
    size = args.image_size or (input_shape(model_file) or [None])[0]
    dataset = loaded(data_from(args) or recorded_source(model_file), size)
    if class_names is not None:
        check_classes(dataset, len(class_names), class_names, model_file)
    out = args.out or model_file.parent
    rows = convert_model(
        model_file,
        out,
        modes=[mode.name for mode in modes],
        data=dataset,
        calibration_count=args.calibration_images,
        input_range=args.input_range,
        reuse=True,
    )
    return [out / row["file"] for row in rows], dataset


def compare_files(
    files: Sequence[Path],
    *,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    samples: Path | None = None,
    pages: Path | None = None,
    latency: bool = False,
) -> list[dict[str, Any]]:
    """Run files over test images.

    Args:
        files: `.tflite` files with sidecars, one per mode, float32 among them.
        data: source of the images, or a loaded data set; None for what the model was trained on.
        image_size: side of a source's images in pixels, None for what the files take.
        samples: where to store sample predictions for the report.
        pages: folder for the pages of disagreements.
        latency: whether to measure the files on this host, too, in one run.

    Returns:
        One row of kind "compare" per file.

    Raises:
        FileNotFoundError: a file or its sidecar is missing.
        ValueError: files that cannot be compared, or images whose classes or size do not fit them.
    """
    from convert import compare
    from keras_lwcnn.data import scale_images
    from lwcnn.compare_inputs import images_for, read_files
    from lwcnn.report.samples import write_samples

    compared = read_files(files)
    dataset = images_for(compared, data, image_size)
    class_names = compared.class_names or dataset.class_names
    images, labels = dataset.test.images, dataset.test.labels
    with _progress(list(compared.paths), len(images)) as advance:
        comparison = compare(
            compared.paths,
            images,
            labels,
            preprocess=lambda pixels: scale_images(pixels, compared.input_range),
            class_names=class_names,
            progress=advance,
        )
    if latency:
        comparison = comparison.with_latency(_host_medians(compared.paths))
    if samples is not None:
        write_samples(samples, images, labels, comparison.scores, class_names)
    if pages is not None:
        _write_pages(pages, dataset, comparison, class_names)
    return comparison.to_rows()


def _write_pages(
    folder: Path, dataset: ImageDataset, comparison: Comparison, class_names: Sequence[str]
) -> None:
    """Write one page per mode of the images on which it and float32 disagree, and say where."""
    from lwcnn.compare_inputs import REFERENCE
    from lwcnn.report.disagreements import write_disagreements

    modes = [row.mode for row in comparison.rows]
    count = len(dataset.test)
    paths = write_disagreements(
        folder,
        dataset.test.images,
        dataset.test.labels,
        {mode: comparison.probabilities(mode) for mode in modes},
        {mode: comparison.disagreements(mode, count) for mode in modes if mode != REFERENCE},
        class_names,
        source=dataset.name,
    )
    print(f"wrote {', '.join(map(str, paths)) or 'no page: float32 is alone'}")


def _host_medians(paths: Mapping[str, Path]) -> dict[str, float]:
    from lwcnn.verbs.bench import bench_files

    rows = bench_files(list(paths.values()), "host", sessions=3, min_secs=0.3)
    return {mode: row["median_us"] for mode, row in zip(paths, rows, strict=True)}


@contextmanager
def _progress(modes: Sequence[str], images: int) -> Iterator[Callable[[str, int], None]]:
    """Show one bar per mode; yield the function that moves one."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"Comparing {', '.join(modes)} on {images} images", highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {mode: progress.add_task(mode, total=images) for mode in modes}
        yield lambda mode, done: progress.advance(tasks[mode], done)
