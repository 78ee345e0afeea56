"""Validation images, by which ways to quantize are judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.source.images import MINIMUM_IMAGES, collect_images, count_distinct

WHAT = "validation images"


@dataclass(frozen=True)
class Validation:
    """Checked images with their classes, where these are known.

    Attributes:
        images: float32 of shape (count, height, width, channels), as the model takes them.
        labels: class indices (count,), None when they are not known.
    """

    images: np.ndarray
    labels: np.ndarray | None = None

    def __repr__(self) -> str:
        labelled = "without labels" if self.labels is None else "with labels"
        return f"Validation({len(self.images)} images {labelled})"


def check_validation(data: Any, input_shape: tuple[int, ...] | None) -> Validation:
    """Collect validation images and refuse what could not judge a model.

    Args:
        data: images in the forms that `convert.source.images.collect_images` takes, or
            (images, labels).
        input_shape: (height, width, channels) of the model; None takes that of the first image.

    Raises:
        ValueError: fewer than 20 distinct images, what `collect_images` refuses, or another number
            of labels than of images.
    """
    images, labels = data if isinstance(data, tuple) else (data, None)
    images = collect_images(images, input_shape, name="validation_data", what=WHAT)
    count_distinct(images, MINIMUM_IMAGES, what=WHAT)
    if labels is not None:
        labels = np.asarray(labels).reshape(-1)
        if len(labels) != len(images):
            raise ValueError(
                f"validation_data has {len(labels)} labels for {len(images)} {WHAT}. "
                "Give one label per image"
            )
    return Validation(images, labels)
