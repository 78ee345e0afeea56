"""Convert a .keras file to .tflite files, with checked calibration and a sidecar each."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lwcnn.conversion import (
    DEFAULT_IMAGES,
    TRAIN_BATCH_SIZE,
    checked_modes,
    convert_model,
    convert_trainable,
)

EXTRA = "convert"
USES_KERAS = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn convert`."""
    from lwcnn.common import add_data_arguments, add_rows_argument

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
    from lwcnn.common import names

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
        metavar="COUNT",
        help="training images to calibrate with, balanced by class "
        f"(default {DEFAULT_IMAGES}, or all where there are fewer)",
    )


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn convert`."""
    from lwcnn.common import append_rows, data_from

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
    _show(rows)


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of files, what was rewritten for LiteRT and what XNNPACK leaves out."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("file", overflow="fold")
    table.add_column("mode")
    for column in ("size (kB)", "input", "ops in XNNPACK", "partitions"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["file"],
            row["mode"],
            f"{row['size'] / 1e3:,.0f}",
            row["io_dtype"],
            f"{row['delegated_nodes']} of {row['nodes']}",
            str(row["partitions"]),
        )
    console = Console()
    console.print(table)
    for line in delegation_lines(rows):
        console.print(line, markup=False, highlight=False)


def delegation_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what was rewritten for LiteRT, and what XNNPACK leaves out of the files that it takes."""
    rewrites = next((row["lowering"]["rewrites"] for row in rows if row.get("lowering")), {})
    lines = []
    if rewrites:
        done = ", ".join(f"{name} ({_some(layers)})" for name, layers in rewrites.items())
        lines.append(f"rewritten for LiteRT: {done}")
    for row in rows:
        if left := row.get("outside_delegate"):
            ops = [f"{op['op']} of {op['layer']}" for op in left]
            lines.append(f"{row['file']}: XNNPACK leaves out {_some(ops)}")
    return lines


def _some(names: Sequence[str], most: int = 4) -> str:
    """Join names; of many, the first ones and how many there are more. The sidecar has all."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
