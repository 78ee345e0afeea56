"""Convert a .keras file to .tflite files, with checked calibration and a sidecar each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert import Calibration, Mode
    from keras_lwcnn.data import ImageDataset

DEFAULT_IMAGES = 200
VALIDATION_IMAGES = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn convert`."""
    from keras_lwcnn.cli.common import add_data_arguments, add_rows_argument

    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    add_mode_arguments(parser)
    add_data_arguments(parser, required=False)
    parser.add_argument("--out", type=Path, help="folder for the files (default: the model's)")
    parser.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what pixels 0 and 255 become for the model (default: as in its training record)",
    )
    parser.add_argument(
        "--output",
        default="model",
        help="model (as it is, default), logits (without a final softmax) or probabilities",
    )
    parser.add_argument(
        "--form",
        default="masked",
        help="of condensed networks: masked (default), gather or sliced",
    )
    parser.add_argument(
        "--no-lowering", action="store_true", help="do not rewrite the model for LiteRT first"
    )
    parser.add_argument(
        "--auto",
        action="store_true",
        help="try several ways to quantize and keep the one nearest to float on validation images",
    )
    parser.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="with --auto: leave as many layers in float as it takes to lose no more top-1",
    )
    parser.add_argument("--description", default="", help="for the files' metadata")
    parser.add_argument("--license", default="", help="for the files' metadata")
    add_rows_argument(parser)


def add_mode_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what conversions are asked for."""
    from keras_lwcnn.cli.common import names

    parser.add_argument(
        "--modes",
        type=names,
        metavar="MODE,...",
        help="float32, float16, dynamic, int8, int16x8 (the default is these five), weight_int8, "
        "int8_float (int8 with float input and output), int8_uint8 (with uint8: raw pixels)",
    )
    parser.add_argument(
        "--calibration-images",
        type=int,
        default=DEFAULT_IMAGES,
        metavar="COUNT",
        help=f"training images to calibrate with, balanced by class (default {DEFAULT_IMAGES})",
    )


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn convert`."""
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.cli.common import append_rows

    rows = convert_model(
        args.model,
        args.out or args.model.parent,
        modes=args.modes,
        source=args.data,
        image_size=args.image_size,
        images=args.calibration_images,
        input_range=args.input_range,
        output=args.output,
        form=args.form,
        lower=not args.no_lowering,
        **({"quantization": "auto"} if args.auto else {}),
        max_drop=args.max_drop,
        description=args.description,
        license=args.license,
    )
    append_rows(args.rows, rows)
    table = Table()
    for column in ("file", "mode", "size (kB)", "input", "ops in XNNPACK", "partitions"):
        table.add_column(column, justify="left" if column in ("file", "mode") else "right")
    for row in rows:
        table.add_row(
            row["file"],
            row["mode"],
            f"{row['size'] / 1e3:,.0f}",
            row["io_dtype"],
            f"{row['delegated_nodes']} of {row['nodes']}",
            str(row["partitions"]),
        )
    Console().print(table)


def convert_model(
    model_file: Path,
    out: Path,
    *,
    modes: Sequence[str] | None = None,
    source: str | None = None,
    image_size: int | None = None,
    images: int = DEFAULT_IMAGES,
    input_range: Sequence[float] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Write a .tflite file and its sidecar for each mode, named after the model file; give rows.

    `options` are further fields of `convert.options.ConversionOptions`.
    """
    from convert import to_tflites
    from convert.keras_file import check_keras_file
    from keras_lwcnn.cli.common import working
    from keras_lwcnn.data import balanced_indices, load_data, scale_images
    from keras_lwcnn.record import read_record

    chosen = checked_modes(modes)
    check_keras_file(model_file)
    record = read_record(model_file)
    if input_range is None:
        input_range = record.get("input_range")
    calibration = validation = None
    if any(mode.calibrated for mode in chosen):
        source = source or record.get("dataset", {}).get("source")
        if source is None:
            calibrated = ", ".join(mode.name for mode in chosen if mode.calibrated)
            raise ValueError(f"{calibrated} needs calibration images: give --data")
        if input_range is None:
            raise ValueError("the model has no training record: --input-range is needed")
        size = image_size or record.get("dataset", {}).get("input_shape", [None])[0]
        dataset = load_data(source, image_size=size)
        calibration = calibration_from(dataset, images, input_range)
        if options.get("quantization") == "auto":
            chosen_images = balanced_indices(
                dataset.val.labels, min(VALIDATION_IMAGES, len(dataset.val))
            )
            validation = (
                scale_images(dataset.val.images[chosen_images], tuple(input_range)),
                dataset.val.labels[chosen_images],
            )
    with working(f"Converting {model_file}") as say:
        files = to_tflites(
            model_file,
            [mode.name for mode in chosen],
            calibration,
            paths={mode.name: out / f"{model_file.stem}.{mode.name}.tflite" for mode in chosen},
            validation_data=validation,
            progress=say,
            input_range=None if input_range is None else tuple(input_range),
            class_names=record.get("dataset", {}).get("class_names"),
            **options,
        )
    return [file.to_dict() for file in files.values()]


def checked_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Give modes by their names, the usual ones for None."""
    from convert.modes import DEFAULT_MODES, mode_named

    return [mode_named(name) for name in modes or DEFAULT_MODES]


def calibration_from(
    dataset: ImageDataset, count: int, input_range: Sequence[float]
) -> Calibration:
    """Choose training images, as many of each class as the count allows, and scale them."""
    from convert import Calibration
    from keras_lwcnn.data import balanced_indices, scale_images

    indices = balanced_indices(dataset.train.labels, count)
    return Calibration(
        scale_images(dataset.train.images[indices], tuple(input_range)),
        tuple(input_range),
        source=f"{dataset.source}, train split",
        indices=tuple(int(i) for i in indices),
    )
