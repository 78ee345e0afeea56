"""List the networks with their parameters, MACs and input."""

import argparse
import json

EXTRA = "train"
USES_KERAS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn models`."""
    parser.add_argument(
        "names", nargs="*", metavar="MODEL", help="only these networks (default: all)"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the input (default: the size that each network is made for)",
    )
    parser.add_argument(
        "--classes", type=int, default=10, metavar="COUNT", help="number of classes (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of a table")


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn models`."""
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.condensation import condense
    from keras_lwcnn.costs import costs
    from keras_lwcnn.models import MODELS, build, model_named

    console = Console()
    table = Table(
        title=f"{args.classes} classes; networks that can be condensed are counted as condensed"
    )
    table.add_column("model", no_wrap=True)
    for column in ("input", "parameters", "MACs (M)", "kept activations"):
        table.add_column(column, justify="right", no_wrap=True)
    wide = console.width >= 120
    if wide:
        table.add_column("what it is")
    entries = {name: model_named(name) for name in args.names or MODELS}
    for name, entry in entries.items():
        size = args.image_size or entry.default_size
        model = build(name, input_shape=(size, size, 3), classes=args.classes)
        condense(model)
        figures = costs(model)
        if args.json:
            print(json.dumps({"model": name, **figures.to_dict()}))
        table.add_row(
            name,
            f"{size} px",
            f"{figures.parameters:,}",
            f"{figures.macs / 1e6:,.1f}",
            f"{figures.activations:,}",
            *([entry.summary] if wide else []),
        )
    if not args.json:
        console.print(table)
