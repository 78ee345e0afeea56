"""What several verbs share: options that mean the same everywhere, images, rows, progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.data import ImageDataset


SOURCES = "digits, cifar10, cifar100, an .npz, a folder of class folders, or a name in $LWCNN_DATA"


@dataclass(frozen=True)
class DataSource:
    """The images that options or the record of a training name.

    Attributes:
        name: the source, as `load_data` takes it.
        groups: what tells which images belong together, as `load_data` takes it.
        skip_broken: whether to leave out files that cannot be decoded.
    """

    name: str
    groups: str | None = None
    skip_broken: bool = False

    @classmethod
    def recorded(cls, record: dict[str, Any]) -> DataSource | None:
        """Return the images a model was trained on; None where its record does not name them."""
        dataset = record.get("dataset", {})
        if dataset.get("source") is None:
            return None
        return cls(dataset["source"], dataset.get("groups"), bool(dataset.get("skipped")))


def add_data_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare `--data` and how to read it."""
    parser.add_argument(
        "--data",
        required=required,
        metavar="SOURCE",
        help=SOURCES + ("" if required else " (default: what the model was trained on)"),
    )
    add_reading_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how to read images: `--image-size`, `--groups` and `--skip-broken`."""
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of the images (default: as stored)"
    )
    parser.add_argument(
        "--groups",
        metavar="REGEX|COLUMN",
        help="keep images of one board or photo on one side of a split: an expression with one "
        r"group for the files' names, as '^(\d+)_', or a column of the folder's index.csv",
    )
    parser.add_argument(
        "--skip-broken", action="store_true", help="leave out images that cannot be decoded"
    )


def add_rows_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--rows`."""
    parser.add_argument("--rows", type=Path, metavar="FILE", help="append JSON rows to this file")


def import_keras() -> None:
    """Import Keras without what TensorFlow's C++ says before its log level can be set."""
    from convert.quiet import quiet

    with quiet():
        import keras

        import keras_lwcnn

        keras_lwcnn.register()
        # Keras imports TensorFlow here on every backend, where it is installed: a training would
        # do so later, and aloud.
        keras.utils.set_random_seed(0)


def data_from(args: argparse.Namespace) -> DataSource | None:
    """Return the images that the options name; None without `--data`.

    Raises:
        ValueError: `--groups` or `--skip-broken` without `--data`.
    """
    if args.data is not None:
        return DataSource(args.data, args.groups, args.skip_broken)
    if args.groups or args.skip_broken:
        raise ValueError("--groups and --skip-broken are for the images of --data. Add --data")
    return None


def loaded(data: str | DataSource | ImageDataset, image_size: int | None) -> ImageDataset:
    """Load the images of a source; return a data set that is already loaded as it is.

    Notes about its files (grey images, skipped files) go to standard error.
    """
    from keras_lwcnn.data import ImageDataset, load_data

    if isinstance(data, ImageDataset):
        return data
    source = DataSource(data) if isinstance(data, str) else data
    dataset = load_data(
        source.name, image_size=image_size, groups=source.groups, skip_broken=source.skip_broken
    )
    for note in dataset.notes:
        print(note, file=sys.stderr)
    return dataset


def names(text: str) -> list[str]:
    """Read names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def append_rows(path: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows to a file; do nothing for None."""
    if path is not None:
        from lwcnn.rows import append_rows as append

        append(path, rows)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner and the elapsed time while the block runs; off a terminal, one line.

    Yields:
        A function that shows which step the block is at.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(what, highlight=False)
        yield lambda step: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what)
        yield lambda step: progress.update(task, description=f"{what}: {step}")
