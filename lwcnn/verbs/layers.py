"""Show where a quantized file loses accuracy: the error of each layer against the float32 file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from convert.comparison.layer_error import LayerError
    from lwcnn.common import DataSource
    from lwcnn.compare_inputs import ComparedFiles

EXTRA = "convert"
USES_KERAS = False

DEFAULT_IMAGES = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn layers`."""
    from lwcnn.common import add_data_arguments, add_rows_argument

    parser.add_argument(
        "files",
        nargs=2,
        type=Path,
        metavar="FILE",
        help="MODEL.float32.tflite and its int8 or int16x8 file, which `lwcnn convert` wrote",
    )
    add_data_arguments(parser, required=False)
    parser.add_argument(
        "--images",
        type=int,
        default=DEFAULT_IMAGES,
        metavar="COUNT",
        help=f"validation images to run, balanced by class (default {DEFAULT_IMAGES}). They run "
        "slowly, without the delegate, because the inside of a delegate cannot be read",
    )
    parser.add_argument("--plot", type=Path, metavar="PICTURE", help="draw the layers' errors")
    add_rows_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn layers`."""
    from convert.comparison.layer_error import layer_errors, plot_layer_errors, worth_excluding
    from convert.source.keras_file import layer_names
    from lwcnn.common import append_rows, data_from, working
    from lwcnn.compare_inputs import REFERENCE, read_files
    from lwcnn.report.bench_plots import check_picture
    from lwcnn.rows import now

    if args.plot:
        check_picture(args.plot)
    compared = read_files(args.files)
    quantized = next(mode for mode in compared.paths if mode != REFERENCE)
    images = _images(compared, data_from(args), args.image_size, args.images)
    model_file = compared.model_file
    # Lowering and the converter rename tensors; the model tells which of their parts are layers.
    names = layer_names(model_file) if model_file.is_file() else ()
    with working(f"Running both files on {len(images)} images, layer by layer"):
        errors = layer_errors(compared.paths[REFERENCE], compared.paths[quantized], images, names)
    about = {
        "kind": "layer_error",
        "date": now(),
        "file": compared.paths[quantized].name,
        "sha256": compared.sidecars[quantized].sha256,
        "mode": quantized,
        "images": len(images),
    }
    append_rows(args.rows, [about | error.to_dict() for error in errors])
    excluded = worth_excluding(errors)
    _print(errors, excluded)
    if args.plot:
        print(f"wrote {plot_layer_errors(errors, args.plot)}")


def _images(
    compared: ComparedFiles, data: DataSource | None, image_size: int | None, count: int
) -> np.ndarray:
    """Choose validation images, balanced by class, and scale them."""
    from keras_lwcnn.data import balanced_indices, scale_images
    from lwcnn.compare_inputs import images_for

    if count < 1:
        raise ValueError(f"--images {count} is too few; allowed are 1 and more")
    dataset = images_for(compared, data, image_size)
    indices = balanced_indices(dataset.val.labels, min(count, len(dataset.val)))
    return scale_images(dataset.val.images[indices], compared.input_range)


def _print(errors: Sequence[LayerError], excluded: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("layer", no_wrap=True)
    table.add_column("op", overflow="fold")
    for column in ("SQNR dB", "cosine", "steps"):
        table.add_column(column, justify="right")
    for error in errors:
        table.add_row(
            error.layer + (" *" if error.tensor in excluded else ""),
            error.op.lower(),
            f"{error.sqnr:.1f}",
            f"{error.cosine:.5f}",
            f"{error.error_over_scale:.2f}",
        )
    Console().print(table)
    print("steps: root mean squared error in integer steps; 0.29 is rounding alone")
    if excluded:
        print(
            "* loses most against the layer in front of it, and is worth leaving in float: "
            "lwcnn convert --auto --max-drop POINTS leaves such layers in float until the bound "
            "holds"
        )
