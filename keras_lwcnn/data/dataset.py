"""The one form in which images reach training, calibration and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lwcnn.pixels import to_range

SPLITS = ("train", "val", "test")
NAMED = 5
"""How many files or classes a note, an error or a repr names; it counts all of them."""


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        images: uint8, shape (n, height, width, 3), RGB pixels in [0, 255].
        labels: int64, shape (n,), indices into the data set's class names.
        files: where each image comes from, below the data set's folder; empty for arrays.
        groups: one id per image, the same for images that belong together; empty where nothing
            tells it.
    """

    images: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        """Return counts and shape, without pixels."""
        counts = f"{len(self):,} images of shape {self.images.shape[1:]}"
        counts += f", {len(np.unique(self.labels))} classes"
        if self.groups:
            counts += f", {len(set(self.groups)):,} groups"
        return f"Split({counts})"


@dataclass(frozen=True)
class ImageDataset:
    """Images of one source in three splits.

    Attributes:
        name: what the source was called, for rows and reports.
        train: images that weights are fitted to.
        val: images that choices are made on (epochs, quantization options).
        test: images that are only ever measured on.
        class_names: one name per class, in label order.
        source: what `load_data` was given, so that a later step can load the same images.
        groups: the argument `groups` of `load_data`, which tells the images that belong together.
        skipped: files that were left out on request, because they cannot be decoded.
        grey: how many images had no colour, and became RGB.
    """

    name: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    source: str | None = None
    groups: str | None = None
    skipped: tuple[str, ...] = ()
    grey: int = 0

    def __post_init__(self) -> None:
        """Check that the splits agree with each other and with the class names.

        Raises:
            ValueError: fewer than two classes, an empty split, images that are not uint8 RGB of one
                size, labels outside of the classes, or another number of labels, files or groups
                than of images.
        """
        if len(self.class_names) < 2:
            raise ValueError(
                f"{self.name}: class_names={list(self.class_names)} are too few; at least 2 are "
                "needed."
            )
        for split_name in SPLITS:
            self._check_split(split_name)

    def _check_split(self, split_name: str) -> None:
        split: Split = getattr(self, split_name)
        where = f"{self.name}, {split_name} split"
        images, labels = split.images, split.labels
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(
                f"{where}: images have shape {images.shape} and dtype {images.dtype}; allowed is "
                "(n, height, width, 3) of uint8."
            )
        if images.shape[1:] != self.train.images.shape[1:]:
            raise ValueError(
                f"{where}: images have shape {images.shape[1:]}; allowed is that of the train "
                f"split, {self.train.images.shape[1:]}."
            )
        if len(images) == 0:
            raise ValueError(f"{where}: there are no images; at least 1 is needed.")
        if labels.shape != (len(images),):
            raise ValueError(
                f"{where}: {len(images)} images but labels of shape {labels.shape}; one label per "
                "image is needed."
            )
        for name in ("files", "groups"):
            if len(getattr(split, name)) not in (0, len(images)):
                raise ValueError(
                    f"{where}: {len(images)} images but {len(getattr(split, name))} {name}; "
                    "allowed are none or one per image."
                )
        if labels.min() < 0 or labels.max() >= len(self.class_names):
            raise ValueError(
                f"{where}: labels span {labels.min()} to {labels.max()}; "
                f"allowed are 0 to {len(self.class_names) - 1}."
            )

    def __repr__(self) -> str:
        """Return name, counts, shape and classes, without pixels."""
        counts = ", ".join(f"{len(getattr(self, name)):,} {name}" for name in SPLITS)
        return (
            f"ImageDataset({self.name!r}, {counts} images of shape {self.input_shape}, "
            f"{len(self.class_names)} classes: {_some(self.class_names)})"
        )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.train.images.shape[1:]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the files and should be known, one line each."""
        notes = []
        if self.grey:
            notes.append(f"{self.name}: {self.grey} grey images became RGB")
        if self.skipped:
            notes.append(
                f"{self.name}: broken images skipped: {len(self.skipped)} ({_some(self.skipped)})"
            )
        return tuple(notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts of the data set for rows and reports, without the pixels.

        `groups` and `skipped` are left out when they are empty.
        """
        optional = {"groups": self.groups, "skipped": list(self.skipped)}
        return {
            "name": self.name,
            "source": self.source,
            "input_shape": list(self.input_shape),
            "class_names": list(self.class_names),
            "images": {name: len(getattr(self, name)) for name in SPLITS},
            **{name: value for name, value in optional.items() if value},
        }


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if names[NAMED:] else "")


def scale_images(images: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Scale pixels from [0, 255] to the range that a model expects.

    Args:
        images: pixels in [0, 255], any shape, any dtype.
        input_range: what 0 and 255 become, for example (-1.0, 1.0).

    Returns:
        float32 of the same shape.

    Raises:
        ValueError: the range is empty or reversed.
    """
    return to_range(images.astype(np.float32), input_range)


def balanced_indices(
    labels: np.ndarray, count: int, *, seed: int = 0, what: str = "images"
) -> np.ndarray:
    """Choose images so that all classes have equally many, give or take one, as far as they go.

    Args:
        labels: class indices, shape (n,).
        count: how many to choose, 1 to n.
        seed: of the choice.
        what: what an error calls them.

    Returns:
        Sorted indices, shape (count,), int64.

    Raises:
        ValueError: `count` is out of range.
    """
    if not 1 <= count <= len(labels):
        raise ValueError(f"{count} {what} asked for; allowed are 1 to {len(labels)}.")
    order = np.random.default_rng(seed).permutation(len(labels))
    # An image's round is the number of images of its class before it; earlier rounds go first.
    rounds = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        rounds[of_class] = np.arange(len(of_class))
    return np.sort(order[np.argsort(rounds[order], kind="stable")[:count]])
