"""Measure the memory and time of training networks, beside what they need by calculation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_lwcnn.training import TrainingCost

EXTRA = "train"
USES_KERAS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn train-cost`."""
    from lwcnn.common import add_rows_argument

    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="names that `lwcnn models` lists"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="images per step (default 16)")
    parser.add_argument("--image-size", type=int, default=224, help="side in pixels (default 224)")
    parser.add_argument("--classes", type=int, default=101, help="number of classes (default 101)")
    parser.add_argument(
        "--optimizer", default="adamw", choices=("adamw", "sgd"), help="(default adamw)"
    )
    parser.add_argument(
        "--steps", type=int, default=5, help="timed steps per round, after a first one (default 5)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds; in each, one process per network (default 3)"
    )
    add_rows_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn train-cost`."""
    from keras_lwcnn.training import TrainingSetup, measure_training
    from lwcnn.common import append_rows, working

    setup = TrainingSetup(
        args.batch_size, args.image_size, args.classes, args.optimizer, args.steps
    )
    with working(f"Training {len(args.models)} network(s) for some steps") as tell:
        costs = measure_training(args.models, setup, args.rounds, tell)
    append_rows(args.rows, [cost.to_dict() for cost in costs])
    _print(costs)


def _print(costs: Sequence[TrainingCost]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = costs[0]
    setup = first.setup
    caption = (
        "MB of the training process on this host beyond the built network; not a phone's. "
        "Estimate: gradients, optimizer and kept activations."
    )
    if first.loaded:
        caption += (
            f" The machine was loaded ({first.load_before:.1f} on {first.cpus} CPUs): "
            "do not quote the seconds."
        )
    table = Table(
        title=f"Training at batch {setup.batch_size}, {setup.image_size} px, "
        f"{setup.optimizer}, {first.backend}",
        caption=caption,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("network", no_wrap=True)
    gpu = any(cost.gpu_peak_bytes is not None for cost in costs)
    columns = ["weights", "estimate\nactivations", "peak\nmean", *["GPU\npeak"] * gpu,
               "s per step\nfirst", "to the first\n95 %"]  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for cost in costs:
        table.add_row(
            cost.model,
            _megabytes(cost.estimate.weights),
            f"{_megabytes(cost.estimate.beyond_weights)}\n{_megabytes(cost.estimate.activations)}",
            f"{_megabytes(cost.peak_bytes)}\n{_megabytes(cost.mean_bytes)}",
            *([_megabytes(cost.gpu_peak_bytes)] if gpu else []),
            f"{cost.step_seconds:.3g}\n{cost.first_step_seconds:.3g}",
            "" if cost is first else _ratio(first, cost),
        )
    console = Console()
    # A file or a pipe has no width of its own.
    (console if console.is_terminal else Console(width=max(console.width, 100))).print(table)


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.0f}"


def _ratio(first: TrainingCost, cost: TrainingCost) -> str:
    """Write how many times as long a step takes as with the first network, round by round."""
    from android_bench.statistics import paired_ratio

    ratio = paired_ratio(first.round_step_seconds, cost.round_step_seconds)
    if ratio.low is None:
        return f"{ratio.ratio:.2f}"
    return f"{ratio.ratio:.2f}\n{ratio.low:.2f} - {ratio.high:.2f}"
