"""Images in the forms that TFLite, Keras and tf.data give them, collected and checked as float32.

Each function is told what the images are for ("calibration images"), which its errors then say.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MINIMUM_IMAGES = 20
MAXIMUM_IMAGES = 20_000


def collect_images(
    dataset: Any, shape: tuple[int, ...] | None, *, name: str, what: str
) -> np.ndarray:
    """Return the images of a data set as float32 (count, height, width, channels).

    Args:
        dataset: an array (count, height, width, channels); an iterable, or a function without
            arguments that returns one, of images, batches, one-element lists `[batch]`, one-entry
            dictionaries or (batch, labels) pairs.
        shape: (height, width, channels) of the model; None takes that of the first image.
        name: the argument that holds them, as errors call it.
        what: what the images are, as errors call them.

    Raises:
        ValueError: another form, no images or more than 20,000, another shape, values that are no
            numbers, NaN or infinity.
    """
    if callable(dataset):
        dataset = dataset()
    if isinstance(dataset, np.ndarray):
        expected = dataset.shape[1:] if shape is None else shape
        images = _as_batch(dataset, expected, what, copy=False)
    else:
        images = _joined(dataset, shape, name, what)
    _check_finite(images, what)
    return images


def count_distinct(images: np.ndarray, minimum: int, *, what: str) -> int:
    """Return how many images are distinct and not constant.

    Raises:
        ValueError: fewer than `minimum`.
    """
    if len(images) < minimum:
        raise ValueError(f"{len(images)} {what} are too few. Give at least {minimum}")
    flat = images.reshape(len(images), -1)
    varied = np.flatnonzero(np.ptp(flat, axis=1) > 0)
    needed = f"Give at least {minimum} distinct ones that are not constant"
    if not len(varied):
        raise ValueError(f"all {len(images)} {what} are constant (one value each). {needed}")
    distinct = len({hashlib.sha256(flat[index].tobytes()).digest() for index in varied})
    if len(images) > 1 and distinct == 1:
        raise ValueError(f"the {len(images)} {what} are one image repeated. {needed}")
    if distinct < minimum:
        raise ValueError(
            f"only {distinct} of {len(images)} {what} are distinct and not constant. {needed}"
        )
    return distinct


def check_shape(images: np.ndarray, shape: tuple[int, ...], *, what: str) -> None:
    """Refuse images of another shape than the model's input.

    Args:
        images: an array whose first axis counts images.
        shape: (height, width, channels) of the model.
        what: what the images are, as the error calls them.

    Raises:
        ValueError: another shape, or no images.
    """
    if images.shape[1:] != tuple(shape) or not len(images):
        allowed = ", ".join(map(str, shape))
        raise ValueError(f"{what} have shape {images.shape}; the model takes (count, {allowed})")


def _joined(dataset: Any, shape: tuple[int, ...] | None, name: str, what: str) -> np.ndarray:
    if not isinstance(dataset, Iterable) or isinstance(dataset, str | bytes | Mapping):
        raise ValueError(
            f"{name} of type {type(dataset).__name__} holds no images; allowed are an array, an "
            "iterable of arrays, or a function that returns one"
        )
    batches: list[np.ndarray] = []
    count = 0
    for item in dataset:
        images = _without_labels(item, name)
        if shape is None:
            shape = np.shape(images)[-3:]
        batches.append(_as_batch(images, shape, what))
        count += len(batches[-1])
        if count > MAXIMUM_IMAGES:
            raise ValueError(
                f"{name} yields more than {MAXIMUM_IMAGES} images. A few hundred are enough"
            )
    if not batches:
        raise ValueError(f"{name} is empty. Give at least one of the {what}")
    return np.concatenate(batches)


def _without_labels(item: Any, name: str) -> Any:
    """Take the images out of the item forms of TFLite, Keras and tf.data."""
    if isinstance(item, Mapping):
        if len(item) != 1:
            raise ValueError(
                f"an item of {name} has the keys {sorted(map(str, item))}; allowed is one key, "
                "as the model has one input"
            )
        return next(iter(item.values()))
    if isinstance(item, tuple | list) and len(item) in (1, 2) and np.ndim(item[0]) >= 3:
        return item[0]
    return item


def _as_batch(item: Any, shape: tuple[int, ...], what: str, *, copy: bool = True) -> np.ndarray:
    """Return float32 images; a copy, because a generator may fill one array again and again."""
    array = np.asarray(item)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{what} have dtype {array.dtype}; allowed are integers and floats")
    if array.shape == shape:
        array = array[None]
    check_shape(array, shape, what=what)
    return array.astype(np.float32, copy=copy)


def _check_finite(images: np.ndarray, what: str) -> None:
    bad = np.array([not np.isfinite(image).all() for image in images])
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {len(images)} {what} hold NaN or infinity, the first at index "
            f"{int(bad.argmax())}; allowed are finite numbers"
        )
