"""Find the rows that no other row beats in every objective: table, CSV, picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lwcnn.report.pareto import ParetoFront

EXTRA = None
USES_KERAS = False

EXAMPLES = """examples:
  lwcnn pareto rows.jsonl --where kind=compare --maximize top1 --minimize size --label mode
  lwcnn pareto rows.jsonl --join sha256 --where device=emulated:cortex-a72 \\
      --maximize top1 --minimize instructions --label file --plot front.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn pareto`."""
    from lwcnn.common import names

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("rows", nargs="+", type=Path, metavar="ROWS.jsonl")
    for direction, better in (("maximize", "higher"), ("minimize", "lower")):
        parser.add_argument(
            f"--{direction}",
            action="append",
            default=[],
            metavar="FIELD",
            help=f"a field of which {better} is better; may be repeated",
        )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="leave out rows in which FIELD is something else; rows without it stay",
    )
    parser.add_argument(
        "--join", metavar="FIELD", help="make one point of the rows with the same value, as sha256"
    )
    parser.add_argument(
        "--label",
        type=names,
        default=["model"],
        metavar="FIELD[,FIELD]",
        help="fields that name a point (default: model)",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all points")
    parser.add_argument("--plot", type=Path, metavar="PICTURE", help="draw two objectives")


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn pareto`."""
    from lwcnn.report.bench_plots import check_picture
    from lwcnn.report.pareto import Objective, pareto_front
    from lwcnn.report.points import chosen, joined
    from lwcnn.rows import read_rows

    fields = [*args.maximize, *args.minimize]
    if len(set(fields)) < 2 or len(set(fields)) < len(fields):
        raise ValueError(
            f"--maximize and --minimize name {fields}; allowed are two or more different fields "
            "together"
        )
    if args.plot:
        check_picture(args.plot)
        if len(fields) != 2:
            raise ValueError(f"--plot draws two objectives; these are {len(fields)}: {fields}")
    rows = [row for path in args.rows for row in read_rows(path)]
    for condition in args.where:
        field, equals, value = condition.partition("=")
        if not equals:
            raise ValueError(f"--where {condition!r} has no '='; allowed is FIELD=VALUE")
        rows = chosen(rows, field, value)
    if args.join:
        rows = joined(rows, args.join, fields)
    objectives = [Objective(field, field in args.maximize) for field in fields]
    front = pareto_front(rows, objectives, args.label)
    _print(front)
    if args.csv:
        print(f"wrote {front.write_csv(args.csv)}")
    if args.plot:
        from lwcnn.report.pareto_figure import plot_pareto

        print(f"wrote {plot_pareto(front, args.plot)}")


def _print(front: ParetoFront) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{front.on_front.sum()} of {len(front.labels)} on the Pareto front")
    table.add_column("point", overflow="fold")
    for objective in front.objectives:
        table.add_column(str(objective), justify="right")
    table.add_column("front")
    for i in front.order:
        values = map(_figure, front.values[i].tolist())
        kept = bool(front.on_front[i])
        table.add_row(
            escape(front.labels[i]), *values, "yes" if kept else "", style=None if kept else "dim"
        )
    Console().print(table)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.6g}"
