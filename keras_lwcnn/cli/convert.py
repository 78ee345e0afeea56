"""Convert a .keras file to .tflite files, with checked calibration and a sidecar each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from convert import Calibration, Mode
    from keras_lwcnn.cli.common import DataSource
    from keras_lwcnn.data import ImageDataset

DEFAULT_IMAGES = 200
VALIDATION_IMAGES = 500
TRAIN_BATCH_SIZE = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn convert`."""
    from keras_lwcnn.cli.common import add_data_arguments, add_rows_argument

    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    add_mode_arguments(parser)
    add_data_arguments(parser, required=False)
    parser.add_argument("--out", type=Path, help="folder for the files (default: the model's)")
    add_input_range_argument(parser)
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
    parser.add_argument(
        "--trainable",
        action="store_true",
        help="write MODEL.trainable.tflite, whose last layer a phone can train; alone unless "
        "--modes are named, too",
    )
    parser.add_argument(
        "--train-batch-size",
        type=int,
        default=TRAIN_BATCH_SIZE,
        metavar="IMAGES",
        help=f"with --trainable: images of one training step (default {TRAIN_BATCH_SIZE})",
    )
    parser.add_argument("--description", default="", help="for the files' metadata")
    parser.add_argument("--license", default="", help="for the files' metadata")
    add_rows_argument(parser)


def add_input_range_argument(parser: argparse._ActionsContainer) -> None:
    """Declare `--input-range`."""
    parser.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what pixels 0 and 255 become for the model (default: as in its training record)",
    )


def add_mode_arguments(parser: argparse._ActionsContainer) -> None:
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

    from keras_lwcnn.cli.common import append_rows, data_from

    out = args.out or args.model.parent
    shared = {
        "data": data_from(args),
        "image_size": args.image_size,
        "images": args.calibration_images,
        "input_range": args.input_range,
        "output": args.output,
        "form": args.form,
        "lower": not args.no_lowering,
        "description": args.description,
        "license": args.license,
    }
    checked_modes(args.modes)
    rows = []
    if args.trainable:
        rows.append(convert_trainable(args.model, out, args.train_batch_size, **shared))
    if args.modes or not args.trainable:
        rows += convert_model(
            args.model,
            out,
            modes=args.modes,
            **({"quantization": "auto"} if args.auto else {}),
            max_drop=args.max_drop,
            **shared,
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
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    images: int = DEFAULT_IMAGES,
    input_range: Sequence[float] | None = None,
    reuse: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Write a .tflite file and its sidecar for each mode, named after the model file; give rows.

    Args:
        model_file: the `.keras` file.
        out: folder for the files.
        modes: names of modes, None for the usual ones.
        data: source of calibration images, or a loaded data set; None for what the model was
            trained on.
        image_size: side of a source's images in pixels, None for what the model was trained on.
        images: how many to calibrate with.
        input_range: what pixels 0 and 255 become, None for what the training record says.
        reuse: leave files that are there and would only be written again; see
            `convert.reuse.reusable`.
        **options: further fields of `convert.options.ConversionOptions`.

    Raises:
        FileNotFoundError: there is no model file.
        ValueError: what `convert.to_tflites` refuses, or calibration images that nothing tells.
    """
    from convert import ConversionOptions, to_tflites
    from convert.keras_file import check_keras_file
    from convert.reuse import reusable
    from keras_lwcnn.cli.common import DataSource, working
    from keras_lwcnn.record import read_record

    chosen = checked_modes(modes)
    check_keras_file(model_file)
    record = read_record(model_file)
    input_range = input_range or record.get("input_range")
    options |= {
        "input_range": None if input_range is None else tuple(input_range),
        "class_names": record.get("dataset", {}).get("class_names"),
    }
    calibration = validation = None
    if any(mode.calibrated for mode in chosen):
        data = data or DataSource.recorded(record)
        if data is None:
            calibrated = ", ".join(mode.name for mode in chosen if mode.calibrated)
            raise ValueError(f"{calibrated} needs calibration images: give --data")
        dataset = _training_images(record, data, image_size, input_range)
        calibration = calibration_from(dataset, images, input_range)
        if options.get("quantization") == "auto":
            validation = _validation_from(dataset, input_range)
    paths = {mode.name: out / f"{model_file.stem}.{mode.name}.tflite" for mode in chosen}
    rows = {}
    if reuse:
        rows = reusable(model_file, paths, calibration, ConversionOptions(**options))
        _say_kept(rows)
    if missing := [name for name in paths if name not in rows]:
        with working(f"Converting {model_file} to {', '.join(missing)}") as say:
            made = to_tflites(
                model_file,
                missing,
                calibration,
                paths=paths,
                validation_data=validation,
                progress=say,
                **options,
            )
        rows |= {name: file.to_dict() for name, file in made.items()}
    return [rows[name] for name in paths]


def _say_kept(rows: Mapping[str, dict[str, Any]]) -> None:
    if rows:
        files = ", ".join(row["file"] for row in rows.values())
        print(f"made from this model before, used again: {files}", file=sys.stderr)


def convert_trainable(
    model_file: Path,
    out: Path,
    batch_size: int = TRAIN_BATCH_SIZE,
    *,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    images: int = DEFAULT_IMAGES,
    input_range: Sequence[float] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write a .tflite file whose last layer can be trained, and its sidecar; give its row.

    Arguments and errors as `convert_model`; `options` are further ones of
    `convert.trainable_tflite`.
    """
    from convert import trainable_tflite
    from convert.keras_file import check_keras_file
    from keras_lwcnn.cli.common import DataSource, working
    from keras_lwcnn.record import read_record

    check_keras_file(model_file)
    record = read_record(model_file)
    if input_range is None:
        input_range = record.get("input_range")
    calibration = None
    if data := data or DataSource.recorded(record):
        dataset = _training_images(record, data, image_size, input_range)
        calibration = calibration_from(dataset, images, input_range)
    with working(f"Converting {model_file}") as say:
        file = trainable_tflite(
            model_file,
            calibration,
            batch_size=batch_size,
            path=out / f"{model_file.stem}.trainable.tflite",
            progress=say,
            input_range=None if input_range is None else tuple(input_range),
            class_names=record.get("dataset", {}).get("class_names"),
            **options,
        )
    return file.to_dict()


def _training_images(
    record: dict[str, Any],
    data: str | DataSource | ImageDataset,
    image_size: int | None,
    input_range: Sequence[float] | None,
) -> ImageDataset:
    """Load a source in the size of the model's training, once the range is known."""
    from keras_lwcnn.cli.common import loaded

    if input_range is None:
        raise ValueError("the model has no training record: --input-range is needed")
    size = image_size or record.get("dataset", {}).get("input_shape", [None])[0]
    return loaded(data, size)


def checked_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Give modes by their names, the usual ones for None."""
    from convert.modes import DEFAULT_MODES, mode_named

    return [mode_named(name) for name in modes or DEFAULT_MODES]


def compared_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Give modes by their names, the usual ones for None; refuse them without float32.

    Raises:
        ValueError: an unknown mode, or no float32 to compare the others with.
    """
    chosen = checked_modes(modes)
    if "float32" not in [mode.name for mode in chosen]:
        raise ValueError(
            "--modes has to hold float32, which the others are compared with; got "
            + ", ".join(mode.name for mode in chosen)
        )
    return chosen


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


def _validation_from(
    dataset: ImageDataset, input_range: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Choose validation images, balanced by class, and scale them; give their labels, too."""
    from keras_lwcnn.data import balanced_indices, scale_images

    indices = balanced_indices(dataset.val.labels, min(VALIDATION_IMAGES, len(dataset.val)))
    images = scale_images(dataset.val.images[indices], tuple(input_range))
    return images, dataset.val.labels[indices]
