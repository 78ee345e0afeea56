"""Check images: duplicates, contradictory labels, and the floor that an accuracy has to beat."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EXTRA = "train"
USES_KERAS = False

UNTRUSTWORTHY = 1

CHECK = """Look for duplicates within and between splits, near duplicates between splits, and the
same pixels under different labels, and measure the accuracy of the nearest thumbnail. The exit
code is 1 when an accuracy on the test images cannot be trusted: test images are also in train or
val, groups are on both sides of test, or labels contradict each other. Near duplicates do not
change it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn data`."""
    from lwcnn.common import SOURCES, add_reading_arguments, add_rows_argument

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="look for duplicates and easy answers", description=CHECK
    )
    check.add_argument("data", metavar="SOURCE", help=SOURCES)
    add_reading_arguments(check)
    check.add_argument(
        "--plot", type=Path, metavar="PICTURE", help="draw the pairs of images that are found"
    )
    add_rows_argument(check)


def main(args: argparse.Namespace) -> int:
    """Run `lwcnn data check`; return 1 where an accuracy on the test images cannot be trusted."""
    from keras_lwcnn.data import check_data
    from lwcnn.common import append_rows, data_from, loaded
    from lwcnn.report.bench_plots import check_picture
    from lwcnn.report.data_tables import print_data_check
    from lwcnn.report.pairs_figure import plot_pairs

    if args.plot:
        check_picture(args.plot)
    dataset = loaded(data_from(args), args.image_size)
    with _progress(f"Checking {dataset.name}") as show:
        check = check_data(dataset, progress=show)
    append_rows(args.rows, [check.to_dict()])
    print_data_check(check)
    if args.plot and check.pairs:
        print(f"wrote {plot_pairs(check, dataset, args.plot)}")
    elif args.plot:
        print(f"no pairs to draw: {args.plot} was not written")
    return UNTRUSTWORTHY if check.findings else 0


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar, and yield the function that moves it to a share in [0, 1]."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(what, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)
