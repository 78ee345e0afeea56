"""Representative datasets: collected, checked and described before a conversion starts."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MINIMUM_IMAGES = 20
MAXIMUM_IMAGES = 20_000
MINIMUM_COVERAGE = 0.6
"""Share of the declared range that the images have to span. Natural images span nearly all of it;
[0, 1] data for a [-1, 1] model spans half."""
RANGE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """A checked representative dataset.

    Attributes:
        images: float32 of shape (count, height, width, channels), as the model takes them.
        input_range: the range of the model's preprocessing, None when nothing tells it.
        source: where the images come from, for the sidecar.
        indices: positions of the images in that source, so that the choice can be made again.
    """

    images: np.ndarray
    input_range: tuple[float, float] | None = None
    source: str | None = None
    indices: tuple[int, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts that a sidecar records: counts, statistics, sha256 of the data."""
        return dict(
            self.facts,
            input_range=None if self.input_range is None else list(self.input_range),
            source=self.source,
            indices=None if self.indices is None else list(self.indices),
        )


def check_calibration(
    representative_dataset: Any,
    input_shape: tuple[int, ...] | None,
    *,
    input_range: tuple[float, float] | None = None,
    minimum: int = MINIMUM_IMAGES,
) -> Calibration:
    """Collect a representative dataset and refuse what would quantize a model badly.

    Args:
        representative_dataset: an array (count, height, width, channels); an iterable, or a
            function without arguments that returns one, of images, batches, one-element lists
            `[batch]`, one-entry dictionaries or (batch, labels) pairs; or a `Calibration`.
        input_shape: (height, width, channels) of the model; None takes that of the first image.
        input_range: (low, high) of the model's preprocessing, e.g. (-1.0, 1.0).
        minimum: how many distinct, non-constant images are asked for.

    Returns:
        The images as float32 with their facts.

    Raises:
        ValueError: fewer than `minimum` usable images, another shape, values that are no numbers,
            NaN or infinity, values outside of `input_range` or in a small part of it.
    """
    source, indices = None, None
    if isinstance(representative_dataset, Calibration):
        source, indices = representative_dataset.source, representative_dataset.indices
        input_range = input_range or representative_dataset.input_range
        representative_dataset = representative_dataset.images
    images = _collect(representative_dataset, None if input_shape is None else tuple(input_shape))
    _check_values(images)
    distinct = _check_variety(images, minimum)
    if input_range is not None:
        input_range = _as_range(input_range)
        check_range(images, input_range)
    return Calibration(images, input_range, source, indices, _facts(images, distinct))


def check_range(images: np.ndarray, input_range: tuple[float, float]) -> None:
    """Refuse images whose values do not fit the model's preprocessing.

    Raises:
        ValueError: values outside of `input_range`, or spanning less than 60 % of it.
    """
    low, high = input_range
    found_low, found_high = float(images.min()), float(images.max())
    found = f"calibration images span {found_low:.4g} to {found_high:.4g}"
    expected = f"the model's preprocessing gives {low:g} to {high:g} (input_range)"
    slack = RANGE_TOLERANCE * (high - low)
    if found_low < low - slack or found_high > high + slack:
        raise ValueError(f"{found}, but {expected}; preprocess them as in training")
    if found_high - found_low < MINIMUM_COVERAGE * (high - low):
        raise ValueError(
            f"{found}, {(found_high - found_low) / (high - low):.0%} of the expected range, "
            f"and {expected}; preprocess them as in training"
        )


def _as_range(input_range: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(bound) for bound in input_range)
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"input_range={input_range!r} has to be (low, high), low below high")
    return low, high


def _collect(dataset: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    if dataset is None:
        raise ValueError("representative_dataset is missing: this mode needs calibration images")
    if callable(dataset):
        dataset = dataset()
    if isinstance(dataset, np.ndarray):
        return _as_batch(dataset, dataset.shape[1:] if shape is None else shape, copy=False)
    if not isinstance(dataset, Iterable) or isinstance(dataset, str | bytes | Mapping):
        raise ValueError(
            "representative_dataset has to be an array, an iterable of arrays or a function that "
            f"returns one, not {type(dataset).__name__}"
        )
    batches: list[np.ndarray] = []
    count = 0
    for item in dataset:
        if shape is None:
            shape = np.shape(_first_input(item))[-3:]
        batches.append(_as_batch(_first_input(item), shape))
        count += len(batches[-1])
        if count > MAXIMUM_IMAGES:
            raise ValueError(
                f"representative_dataset yields more than {MAXIMUM_IMAGES} images; "
                "a few hundred are enough"
            )
    if not batches:
        raise ValueError("representative_dataset is empty")
    return np.concatenate(batches)


def _first_input(item: Any) -> Any:
    """Take the images out of the item forms of TFLite, Keras and tf.data."""
    if isinstance(item, Mapping):
        if len(item) != 1:
            raise ValueError(
                f"a representative_dataset item has the keys {sorted(map(str, item))}; "
                "a model with one input takes one key"
            )
        return next(iter(item.values()))
    if isinstance(item, tuple | list) and len(item) in (1, 2) and np.ndim(item[0]) >= 3:
        return item[0]
    return item


def _as_batch(item: Any, shape: tuple[int, ...], *, copy: bool = True) -> np.ndarray:
    """Return float32 images; a copy, because generators may fill one array again and again."""
    array = np.asarray(item)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"calibration images have dtype {array.dtype}; numbers are expected")
    if array.shape == shape:
        array = array[None]
    if array.shape[1:] != shape or not len(array):
        raise ValueError(
            f"calibration images have shape {array.shape}; the model takes (count, "
            f"{', '.join(map(str, shape))})"
        )
    return array.astype(np.float32, copy=copy)


def _check_values(images: np.ndarray) -> None:
    bad = np.array([not np.isfinite(image).all() for image in images])
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {len(images)} calibration images hold NaN or infinity, "
            f"the first at index {int(bad.argmax())}"
        )


def _check_variety(images: np.ndarray, minimum: int) -> int:
    """Count distinct images that are not constant; refuse too few."""
    if len(images) < minimum:
        raise ValueError(f"{len(images)} calibration images given; at least {minimum} are needed")
    flat = images.reshape(len(images), -1)
    varied = np.flatnonzero(np.ptp(flat, axis=1) > 0)
    if not len(varied):
        raise ValueError(f"all {len(images)} calibration images are constant (one value each)")
    distinct = len({hashlib.sha256(flat[index].tobytes()).digest() for index in varied})
    if len(images) > 1 and distinct == 1:
        raise ValueError(f"the {len(images)} calibration images are one image repeated")
    if distinct < minimum:
        raise ValueError(
            f"only {distinct} of {len(images)} calibration images are distinct and not constant; "
            f"at least {minimum} are needed"
        )
    return distinct


def _facts(images: np.ndarray, distinct: int) -> dict[str, Any]:
    mean = images.mean(dtype=np.float64)
    # Image by image: `images.std` would take twice the memory of all images.
    variance = np.mean([np.square(image - mean).mean() for image in images])
    return {
        "count": len(images),
        "distinct": distinct,
        "shape": list(images.shape[1:]),
        "min": float(images.min()),
        "max": float(images.max()),
        "mean": float(mean),
        "std": float(np.sqrt(variance)),
        "sha256": hashlib.sha256(np.ascontiguousarray(images)).hexdigest(),
    }


def tflite_generator(images: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Return the images in the form that TFLite's calibrator takes: single-image lists."""

    def generate() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[None]]

    return generate
