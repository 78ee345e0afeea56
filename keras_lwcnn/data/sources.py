"""Where images come from: a named set, an `.npz`, or a folder of class folders."""

import math
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_lwcnn.data.class_names import KNOWN_CLASSES, class_names
from keras_lwcnn.data.dataset import SPLITS, ImageDataset, Split
from keras_lwcnn.data.decoding import resize
from keras_lwcnn.data.folders import load_folder
from keras_lwcnn.data.splitting import cut

DIGITS_SIZE = 32
VAL_SHARE = 0.1
TEST_SHARE = 0.2
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(
    source: str | Path,
    *,
    image_size: int | None = None,
    seed: int = 0,
    groups: str | None = None,
    skip_broken: bool = False,
) -> ImageDataset:
    r"""Load images by name or by path.

    Splits that a source does not have are cut from its training images: stratified by class, with
    groups on one side, and the same for the same seed.

    Args:
        source: one of `digits` (scikit-learn's handwritten digits, upscaled to 32x32 RGB),
            `cifar10` and `cifar100` with its 100 fine classes (`$LWCNN_DATA/cifar10.npz` when it
            is there, else `keras.datasets`, which downloads it); or the name of a file or folder
            in `$LWCNN_DATA`; or the path of an `.npz` with the arrays x_train, y_train, x_test,
            y_test; or the path of a folder of class folders, with or without `train`, `val` and
            `test` above them.
        image_size: side of the square images in pixels. Default: as stored for arrays, 224 for
            folders.
        seed: of the splits.
        groups: for folders, what tells the images that belong together: a regular expression with
            one group in parentheses for the file's name, such as `^(\d+)_`, or a column of the
            folder's `index.csv`.
        skip_broken: for folders, leave out files that cannot be decoded;
            `ImageDataset.skipped` names them.

    Returns:
        The data set with its three splits.

    Raises:
        ValueError: an unknown source, one whose content cannot be used, or groups of a source that
            is no folder.
        OSError: the images cannot be downloaded, or read.
    """
    if image_size is not None and image_size < 8:
        raise ValueError(f"image_size={image_size} is too small; at least 8 pixels are allowed.")
    name = str(source)
    stored = _stored_path(name)
    if groups and (stored is None or not stored.is_dir()):
        raise ValueError(
            f"groups={groups!r} are told by file names, but {name} is not a folder of images. "
            "Leave groups (--groups) out, or name a folder."
        )
    if stored is None:
        dataset = NAMED_SOURCES[name](seed)
    elif stored.is_dir():
        dataset = load_folder(
            stored,
            image_size=image_size or 224,
            seed=seed,
            groups=groups,
            skip_broken=skip_broken,
        )
    else:
        dataset = load_npz(stored, seed=seed)
    return replace(_resized(dataset, image_size), source=name)


def load_npz(path: Path, *, seed: int = 0) -> ImageDataset:
    """Load an `.npz` with x_train, y_train, x_test, y_test (uint8 pixels, integer labels).

    Raises:
        ValueError: the file is no `.npz`, arrays are missing, they hold Python objects or do not
            fit each other, or the labels are not 0 to n - 1 with training images of each.
    """
    x_train, y_train, x_test, y_test = _read_arrays(path)
    train = Split(x_train, y_train.reshape(-1).astype(np.int64))
    test = Split(x_test, y_test.reshape(-1).astype(np.int64))
    # Checked before classes are named by their numbers: labels may be any numbers.
    present = np.unique(train.labels)
    strange = np.setdiff1d(np.union1d(present, test.labels), np.arange(len(present)))
    if len(strange):
        raise ValueError(
            f"{path}: labels {strange[:5].tolist()} are there; allowed are 0 to {len(present) - 1} "
            f"since the training images have {len(present)} different ones."
        )
    return _with_val(path.stem, train, test, class_names(path.stem, len(present)), seed)


def _read_arrays(path: Path) -> list[np.ndarray]:
    if not zipfile.is_zipfile(path):
        # NumPy would take it for a pickle, and advise to load that.
        raise ValueError(f"{path}: not an .npz archive; one with {', '.join(ARRAYS)} is needed.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            arrays = [] if missing else [archive[name] for name in ARRAYS]
            names = list(archive)
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: not an .npz archive of plain arrays: {error}. One with {', '.join(ARRAYS)} "
            "is needed."
        ) from error
    if missing:
        raise ValueError(f"{path}: arrays {missing} are missing; it has {names}.")
    for name, array in zip(ARRAYS, arrays, strict=True):
        if name.startswith("y_") and not (array.size and np.issubdtype(array.dtype, np.integer)):
            raise ValueError(
                f"{path}: {name} holds {array.size} values of {array.dtype}; integer labels are "
                "allowed."
            )
    return arrays


def _digits(seed: int) -> ImageDataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    images = resize(np.repeat(grey[..., np.newaxis], 3, axis=-1), DIGITS_SIZE)
    labels = digits.target.astype(np.int64)
    kept, test = cut(labels, math.ceil(TEST_SHARE * len(labels)), seed=seed, where="digits")
    return _with_val(
        "digits",
        Split(images[kept], labels[kept]),
        Split(images[test], labels[test]),
        class_names("digits", 10),
        seed,
    )


def _cifar10(seed: int) -> ImageDataset:
    from keras.datasets import cifar10

    return _cifar("cifar10", _download("cifar10", cifar10.load_data), seed)


def _cifar100(seed: int) -> ImageDataset:
    from keras.datasets import cifar100

    fine = partial(cifar100.load_data, label_mode="fine")
    return _cifar("cifar100", _download("cifar100", fine), seed)


def _download(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:
        # A failed download is a bare Exception in Keras; anything else explains itself.
        if type(error) is not Exception:
            raise
        raise OSError(
            f"{name} could not be downloaded ({error}). Without a network, put its images into "
            f"{name}.npz (arrays {', '.join(ARRAYS)}) and name the folder in LWCNN_DATA."
        ) from error


def _cifar(name: str, arrays: Sequence[Sequence[np.ndarray]], seed: int) -> ImageDataset:
    train, test = (Split(x, y.reshape(-1).astype(np.int64)) for x, y in arrays)
    return _with_val(name, train, test, KNOWN_CLASSES[name], seed)


NAMED_SOURCES: dict[str, Callable[[int], ImageDataset]] = {
    "digits": _digits,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
}


def _stored_path(source: str) -> Path | None:
    """Return the file or folder that `source` names; None for a set that a library loads."""
    root = os.environ.get("LWCNN_DATA")
    candidates = [Path(root) / f"{source}.npz", Path(root) / source] if root else []
    if source in NAMED_SOURCES:
        return next((path for path in candidates if path.is_file()), None)
    for path in (Path(source), *candidates):
        if path.is_dir() or path.is_file() and path.suffix == ".npz":
            return path
    raise ValueError(
        f"unknown data source {source!r}; allowed are {', '.join(sorted(NAMED_SOURCES))}, the "
        "path of an .npz file, the path of a folder of class folders, or a name in $LWCNN_DATA."
    )


def _with_val(
    name: str, train: Split, test: Split, names: tuple[str, ...], seed: int
) -> ImageDataset:
    """Cut a tenth of the training images off for val."""
    # These checks name bad arrays; the cut would fail on them with another message.
    whole = ImageDataset(name, train, train, test, names)
    count = math.ceil(VAL_SHARE * len(train))
    kept, val = cut(train.labels, count, seed=seed, where=name)
    return replace(
        whole,
        train=Split(train.images[kept], train.labels[kept]),
        val=Split(train.images[val], train.labels[val]),
    )


def _resized(dataset: ImageDataset, image_size: int | None) -> ImageDataset:
    if image_size is None or dataset.input_shape[:2] == (image_size, image_size):
        return dataset
    splits = {name: getattr(dataset, name) for name in SPLITS}
    return replace(
        dataset,
        **{
            name: replace(split, images=resize(split.images, image_size))
            for name, split in splits.items()
        },
    )
