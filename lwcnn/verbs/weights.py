"""List the trained weights that the package holds, and check their stated accuracy."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from keras_lwcnn.data import ImageDataset
    from keras_lwcnn.weights import ShippedSet
    from keras_lwcnn.weights.checking import CheckedMode

EXTRA = "train"
USES_KERAS = False

DIFFERS = 1
BATCH = 250

CHECK = """Build a network with its shipped weights, run it and its int8 conversion on the test
images, and compare the accuracy with the stated one. The exit code is 1 when they differ by more
than one image in float32, or by more than 0.25 points in int8. On other test images than those of
the stated accuracy, three standard errors are allowed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn weights`."""
    from lwcnn.common import add_rows_argument

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list networks, data, accuracy and size")
    check = actions.add_parser(
        "check", help="measure the accuracy again and compare", description=CHECK
    )
    check.add_argument("network", metavar="NETWORK", help="a network in `lwcnn weights list`")
    check.add_argument(
        "--data",
        default="cifar10",
        metavar="NAME",
        help="the data it was trained on (default: cifar10)",
    )
    add_rows_argument(check)


def main(args: argparse.Namespace) -> int:
    """Run `lwcnn weights`; return 1 where a stated accuracy is not found again."""
    if args.action == "list":
        _list()
        return 0
    return _check(args.network, args.data, args.rows)


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from keras_lwcnn.weights import shipped_sets

    sets = shipped_sets()
    if not sets:
        print("no weights are shipped with this version")
        return
    table = Table(caption="top-1 on the test images; files of the network as .tflite")
    for name in ("network", "data"):
        table.add_column(name, no_wrap=True)
    for name in ("test images", "float32", "kB", "int8", "kB"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in sets:
        modes = [each.mode(name) for name in ("float32", "int8")]
        cells = [(f"{mode.top1:.2%}", f"{mode.size / 1e3:,.0f}") for mode in modes]
        table.add_row(each.network, each.data, f"{modes[0].images:,}", *cells[0], *cells[1])
    Console().print(table)


def _check(network: str, data: str, rows: Path | None) -> int:
    from datetime import datetime, timezone

    from keras_lwcnn.weights import shipped
    from keras_lwcnn.weights.index import FOLDER
    from lwcnn.common import append_rows, import_keras, loaded
    from lwcnn.compare_inputs import check_classes

    stated = shipped(network, data)
    import_keras()
    dataset = loaded(data, stated.input_shape[0])
    names = stated.class_names
    check_classes(dataset, len(names), names, FOLDER / stated.file)
    modes = check_set(stated, dataset)
    facts = {
        "network": network,
        "data": data,
        "weights_sha256": stated.sha256,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    append_rows(rows, [mode.to_dict() | facts for mode in modes])
    _print_check(stated, modes)
    return 0 if all(mode.holds for mode in modes) else DIFFERS


def check_set(stated: ShippedSet, dataset: ImageDataset) -> list[CheckedMode]:
    """Measure the Keras model of a shipped set, and its int8 conversion.

    Args:
        stated: the set.
        dataset: images of the set's size; the conversion is calibrated on its training images.

    Raises:
        ValueError: a set that cannot be loaded, or what the conversion refuses.
    """
    import tempfile

    from keras_lwcnn.models import build
    from keras_lwcnn.weights.checking import checked
    from keras_lwcnn.weights.packaging import test_digest
    from lwcnn.conversion import convert_model

    model = build(
        stated.network,
        weights=stated.data,
        input_shape=stated.input_shape,
        classes=len(stated.class_names),
        classifier_activation=None,
    )
    right = {"float32": _keras_right(model, stated, dataset)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{stated.id}.keras")
        model.save(file)
        (row,) = convert_model(
            file, file.parent, modes=["int8"], data=dataset, input_range=stated.input_range
        )
        right["int8"] = _file_right(file.parent / row["file"], stated, dataset)
    images, same = len(dataset.test), test_digest(dataset.test) == stated.test_sha256
    return [
        checked(stated.mode(mode), count, images, same_images=same) for mode, count in right.items()
    ]


def _keras_right(model: keras.Model, stated: ShippedSet, dataset: ImageDataset) -> int:
    """Count the test images on which a Keras model puts the right class first."""
    from convert.tflite.metrics import hits
    from keras_lwcnn.data import scale_images

    images, labels = dataset.test.images, dataset.test.labels
    right = 0
    with _progress("the Keras model", len(images)) as advance:
        for start in range(0, len(images), BATCH):
            chunk = scale_images(images[start : start + BATCH], stated.input_range)
            right += int(hits(model.predict_on_batch(chunk), labels[start : start + BATCH]).sum())
            advance(len(chunk))
    return right


def _file_right(file: Path, stated: ShippedSet, dataset: ImageDataset) -> int:
    """Count the test images on which a `.tflite` file puts the right class first."""
    from convert import predict
    from convert.tflite.metrics import hits
    from keras_lwcnn.data import scale_images

    images = dataset.test.images
    with _progress("int8", len(images)) as advance:
        scores = predict(
            file,
            images,
            preprocess=lambda pixels: scale_images(pixels, stated.input_range),
            progress=advance,
        )
    return int(hits(scores, dataset.test.labels).sum())


def _print_check(stated: ShippedSet, modes: Sequence[CheckedMode]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{stated.network} on {stated.data}, {modes[0].images:,} test images")
    table.add_column("mode", no_wrap=True)
    for name in ("stated", "found", "points", "allowed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("holds", no_wrap=True)
    for mode in modes:
        table.add_row(
            mode.mode,
            f"{mode.stated:.3%}",
            f"{mode.found:.3%}",
            f"{mode.difference:+.3f}",
            f"{mode.allowed:.3f}",
            "yes" if mode.holds else "no",
        )
    Console().print(table)
    if not modes[0].same_images:
        print("other test images than those of the stated accuracy: chance is allowed for")


@contextmanager
def _progress(what: str, images: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, and yield the function that moves it by a number of images."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"Running {what} on {images} images", highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=images)
        yield lambda done: progress.advance(task, done)
