"""What several verbs share: options that mean the same everywhere, images, rows, and progress."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.data import ImageDataset


def add_data_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare `--data` and `--image-size`."""
    parser.add_argument(
        "--data",
        required=required,
        metavar="SOURCE",
        help="digits, cifar10, an .npz, a folder of class folders, or a name in $LWCNN_DATA"
        + ("" if required else " (default: what the model was trained on)"),
    )
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of the images (default: as stored)"
    )


def add_rows_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--rows`."""
    parser.add_argument("--rows", type=Path, metavar="FILE", help="append JSON rows to this file")


def import_keras() -> None:
    """Import Keras without what TensorFlow's C++ says before its log level can be set."""
    from convert.quiet import quiet

    with quiet():
        import keras  # noqa: F401


def loaded(data: str | ImageDataset, image_size: int | None) -> ImageDataset:
    """Load the images of a source; a data set that a step before has loaded is passed on."""
    from keras_lwcnn.data import ImageDataset, load_data

    return data if isinstance(data, ImageDataset) else load_data(data, image_size=image_size)


def names(text: str) -> list[str]:
    """Read names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def append_rows(path: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows to a file, where one is given."""
    if path is not None:
        from android_bench import append_rows as append

        append(path, rows)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on while the block runs, with the time that it has taken.

    Yields:
        A function that says which step it is at.
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
