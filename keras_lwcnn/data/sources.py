"""Where images come from: a named set, an `.npz`, or a folder of class folders."""

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from keras_lwcnn.data.dataset import ImageDataset, Split
from keras_lwcnn.data.folders import load_folder, resize

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
DIGITS_SIZE = 32
VAL_SHARE = 0.1
TEST_SHARE = 0.2
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(source: str | Path, *, image_size: int | None = None, seed: int = 0) -> ImageDataset:
    """Load images by name or by path.

    Splits that a source does not have are cut from its training images: stratified by class and
    the same for the same seed.

    Args:
        source: one of `digits` (scikit-learn's handwritten digits, upscaled to 32x32 RGB) and
            `cifar10` (`$LWCNN_DATA/cifar10.npz` when it is there, else `keras.datasets`, which
            downloads it); or the name of a file or folder in `$LWCNN_DATA`; or the path of an
            `.npz` with the arrays x_train, y_train, x_test, y_test; or the path of a folder of
            class folders, with or without `train`, `val` and `test` above them.
        image_size: side of the square images in pixels. Default: as stored for arrays, 224 for
            folders.
        seed: of the splits.

    Returns:
        The data set with its three splits.

    Raises:
        ValueError: for an unknown source or one whose content cannot be used.
    """
    if image_size is not None and image_size < 8:
        raise ValueError(f"image_size has to be at least 8 pixels, got {image_size}")
    name = str(source)
    stored = _stored_path(name)
    if stored is None:
        dataset = NAMED_SOURCES[name](seed)
    elif stored.is_dir():
        dataset = load_folder(stored, image_size=image_size or 224, seed=seed)
    else:
        dataset = load_npz(stored, seed=seed)
    return replace(_resized(dataset, image_size), source=name)


def load_npz(path: Path, *, seed: int = 0) -> ImageDataset:
    """Load an `.npz` with x_train, y_train, x_test, y_test (uint8 pixels, integer labels).

    Raises:
        ValueError: when the file is no `.npz`, arrays are missing, or they hold Python objects.
    """
    x_train, y_train, x_test, y_test = _read_arrays(path)
    classes = int(max(y_train.max(), y_test.max())) + 1
    names = CIFAR10_CLASSES if path.stem == "cifar10" and classes == 10 else None
    return _with_val(
        path.stem,
        Split(x_train, y_train.reshape(-1).astype(np.int64)),
        Split(x_test, y_test.reshape(-1).astype(np.int64)),
        names or tuple(str(i) for i in range(classes)),
        seed,
    )


def _read_arrays(path: Path) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            arrays = [] if missing else [archive[name] for name in ARRAYS]
            found = list(archive)
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not an .npz archive of plain arrays: {error}") from error
    if missing:
        raise ValueError(f"{path}: arrays {missing} are missing; found {found}")
    for name, array in zip(ARRAYS, arrays, strict=True):
        if name.startswith("y_") and not (array.size and np.issubdtype(array.dtype, np.integer)):
            raise ValueError(
                f"{path}: {name} has to hold integer labels, found {array.size} values "
                f"of {array.dtype}"
            )
    return arrays


def _digits(seed: int) -> ImageDataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    images = resize(np.repeat(grey[..., np.newaxis], 3, axis=-1), DIGITS_SIZE)
    x_train, x_test, y_train, y_test = train_test_split(
        images,
        digits.target.astype(np.int64),
        test_size=TEST_SHARE,
        stratify=digits.target,
        random_state=seed,
    )
    names = tuple(str(i) for i in range(10))
    return _with_val("digits", Split(x_train, y_train), Split(x_test, y_test), names, seed)


def _cifar10(seed: int) -> ImageDataset:
    from keras.datasets import cifar10

    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    return _with_val(
        "cifar10",
        Split(x_train, y_train.reshape(-1).astype(np.int64)),
        Split(x_test, y_test.reshape(-1).astype(np.int64)),
        CIFAR10_CLASSES,
        seed,
    )


NAMED_SOURCES: dict[str, Callable[[int], ImageDataset]] = {"digits": _digits, "cifar10": _cifar10}


def _stored_path(source: str) -> Path | None:
    """Find the file or folder that `source` stands for; None for a set loaded by a library."""
    root = os.environ.get("LWCNN_DATA")
    candidates = [Path(root) / f"{source}.npz", Path(root) / source] if root else []
    if source in NAMED_SOURCES:
        return next((path for path in candidates if path.is_file()), None)
    for path in (Path(source), *candidates):
        if path.is_dir() or path.is_file() and path.suffix == ".npz":
            return path
    raise ValueError(
        f"unknown data source {source!r}; allowed are {', '.join(sorted(NAMED_SOURCES))}, the "
        "path of an .npz file, the path of a folder of class folders, or a name in $LWCNN_DATA"
    )


def _with_val(
    name: str, train: Split, test: Split, class_names: tuple[str, ...], seed: int
) -> ImageDataset:
    x_train, x_val, y_train, y_val = train_test_split(
        train.images,
        train.labels,
        test_size=VAL_SHARE,
        stratify=train.labels,
        random_state=seed,
    )
    return ImageDataset(name, Split(x_train, y_train), Split(x_val, y_val), test, class_names)


def _resized(dataset: ImageDataset, image_size: int | None) -> ImageDataset:
    if image_size is None or dataset.input_shape[:2] == (image_size, image_size):
        return dataset
    splits = (
        Split(resize(split.images, image_size), split.labels)
        for split in (dataset.train, dataset.val, dataset.test)
    )
    return ImageDataset(dataset.name, *splits, dataset.class_names)
