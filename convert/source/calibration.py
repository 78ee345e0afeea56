"""Representative datasets: checked once, into a `Calibration`, before a conversion starts."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from convert.source.images import MINIMUM_IMAGES, check_shape, collect_images, count_distinct

MINIMUM_COVERAGE = 0.6
"""Share of the declared range that the images have to span. Natural images span nearly all of it;
[0, 1] data for a [-1, 1] model spans half."""
RANGE_TOLERANCE = 1e-3
WHAT = "calibration images"


@dataclass(frozen=True)
class Calibration:
    """A representative dataset; `check_calibration` returns checked ones.

    Attributes:
        images: float32 of shape (count, height, width, channels), as the model takes them.
        input_range: the range of the model's preprocessing, None when nothing tells it.
        source: where the images come from, for the sidecar.
        indices: positions of the images in that source, so that the choice can be made again.
        facts: count, statistics and sha256 of the images; empty until they are checked.
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

    def __repr__(self) -> str:
        count, *shape = np.shape(self.images)
        size = "x".join(map(str, shape))
        known = "checked" if self.facts else "not checked"
        return (
            f"Calibration({count} images of {size}, input_range={self.input_range}, "
            f"source={self.source!r}, {known})"
        )


def check_calibration(
    representative_dataset: Any,
    input_shape: tuple[int, ...] | None,
    *,
    input_range: tuple[float, float] | None = None,
    minimum: int = MINIMUM_IMAGES,
) -> Calibration:
    """Collect a representative dataset and refuse what would quantize a model badly.

    The images of a `Calibration` that was checked before are not looked at again, unless shape,
    range or minimum are others.

    Args:
        representative_dataset: a `Calibration`, or one of the forms that
            `convert.source.images.collect_images` takes.
        input_shape: (height, width, channels) of the model; None takes that of the first image.
        input_range: (low, high) of the model's preprocessing, e.g. (-1.0, 1.0).
        minimum: how many distinct, non-constant images are asked for.

    Returns:
        The images as float32 with their facts.

    Raises:
        ValueError: fewer than `minimum` usable images, another shape, values that are no numbers,
            NaN or infinity, values outside of `input_range` or in a small part of it.
    """
    if representative_dataset is None:
        raise ValueError(f"representative_dataset is missing. Give {WHAT}: this mode needs them")
    calibration = representative_dataset
    if not isinstance(calibration, Calibration):
        calibration = Calibration(calibration)
    if not calibration.facts:
        images = collect_images(
            calibration.images, input_shape, name="representative_dataset", what=WHAT
        )
        distinct = count_distinct(images, minimum, what=WHAT)
        calibration = replace(calibration, images=images, facts=_facts(images, distinct))
        input_range = input_range or calibration.input_range
    else:
        if input_shape is not None:
            check_shape(calibration.images, input_shape, what=WHAT)
        if calibration.facts["distinct"] < minimum:
            count_distinct(calibration.images, minimum, what=WHAT)
    return calibration if input_range is None else with_range(calibration, input_range)


def with_range(calibration: Calibration, input_range: tuple[float, float]) -> Calibration:
    """Return checked images with the range of the model's preprocessing, which they have to fit.

    Raises:
        ValueError: an impossible range, or values outside of it, or spanning less than 60 % of it.
    """
    low, high = (float(bound) for bound in input_range)
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            f"input_range={input_range!r} is no range; allowed are two finite numbers, "
            "the lower one first"
        )
    smallest, largest = calibration.facts["min"], calibration.facts["max"]
    span = f"{WHAT} span {smallest:.4g} to {largest:.4g}"
    expected = f"the model's preprocessing gives {low:g} to {high:g} (input_range)"
    slack = RANGE_TOLERANCE * (high - low)
    if smallest < low - slack or largest > high + slack:
        raise ValueError(f"{span}; {expected}. Preprocess them as in training")
    if largest - smallest < MINIMUM_COVERAGE * (high - low):
        raise ValueError(
            f"{span}, {(largest - smallest) / (high - low):.0%} of the expected range; {expected}. "
            "Preprocess them as in training"
        )
    return replace(calibration, input_range=(low, high))


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
