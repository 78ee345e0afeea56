"""Convert a .keras file to .tflite files, with checked calibration and a sidecar each."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lwcnn.conversion import (
    DEFAULT_CALIBRATION_COUNT,
    TRAIN_BATCH_SIZE,
    checked_modes,
    convert_model,
    convert_trainable,
    some_of,
)

EXTRA = "convert"
USES_KERAS = False

FORMS = ("masked", "gather", "sliced")
"""As `keras_lwcnn.condensation`, whose import would take seconds, has them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn convert`."""
    from convert.modes import OUTPUTS
    from lwcnn.common import add_data_arguments, add_rows_argument

    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    add_mode_arguments(parser)
    add_data_arguments(parser, required=False)
    parser.add_argument("--out", type=Path, help="folder for the files (default: the model's)")
    add_input_range_argument(parser)
    parser.add_argument(
        "--output",
        choices=OUTPUTS,
        default=OUTPUTS[0],
        help="as the model has it (default), without a final softmax or sigmoid, or with one",
    )
    parser.add_argument(
        "--form",
        choices=FORMS,
        default=FORMS[0],
        help=f"deployment form of a condensed network (default {FORMS[0]})",
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
        help="with --auto: leave as many layers in float as it takes to lose at most so many "
        "points of top-1",
    )
    parser.add_argument(
        "--trainable",
        action="store_true",
        help="write MODEL.trainable.tflite, whose last layer a phone can train, and no other "
        "file unless --modes names some",
    )
    parser.add_argument(
        "--train-batch-size",
        type=int,
        default=TRAIN_BATCH_SIZE,
        metavar="IMAGES",
        help=f"with --trainable: images per training step (default {TRAIN_BATCH_SIZE})",
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
    """Declare `--modes` and `--calibration-images`."""
    from convert.modes import DEFAULT_MODES, MODES
    from lwcnn.common import names

    summaries = "; ".join(f"{mode.name}: {mode.summary}" for mode in MODES.values())
    parser.add_argument(
        "--modes",
        type=names,
        metavar="MODE,...",
        help=f"modes to write (default {','.join(DEFAULT_MODES)}): {summaries}",
    )
    parser.add_argument(
        "--calibration-images",
        type=int,
        metavar="COUNT",
        help="training images to calibrate with, balanced by class "
        f"(default {DEFAULT_CALIBRATION_COUNT}, or all where there are fewer)",
    )


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn convert`."""
    from lwcnn.common import append_rows, data_from

    out = args.out or args.model.parent
    shared = {
        "data": data_from(args),
        "image_size": args.image_size,
        "calibration_count": args.calibration_images,
        "input_range": args.input_range,
        "output": args.output,
        "form": args.form,
        "lower": not args.no_lowering,
        "description": args.description,
        "license": args.license,
    }
    checked_modes(args.modes)
    auto = {"quantization": "auto"} if args.auto else {}
    rows = []
    if args.trainable:
        rows.append(convert_trainable(args.model, out, args.train_batch_size, **shared))
    if args.modes or not args.trainable:
        rows += convert_model(
            args.model,
            out,
            modes=args.modes,
            max_drop=args.max_drop,
            **auto,
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
    """Return lines on what was rewritten for LiteRT, and what XNNPACK leaves out of each file.

    Args:
        rows: rows of kind "convert" of one model.
    """
    rewrites = next((row["lowering"]["rewrites"] for row in rows if row.get("lowering")), {})
    lines = []
    if rewrites:
        done = ", ".join(f"{name} ({some_of(layers)})" for name, layers in rewrites.items())
        lines.append(f"rewritten for LiteRT: {done}")
    for row in rows:
        if left := row.get("outside_delegate"):
            ops = [f"{op['op']} of {op['layer']}" for op in left]
            lines.append(f"{row['file']}: XNNPACK leaves out {some_of(ops)}")
    return lines
