"""Accuracy and size of a shipped set's converted files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MeasuredMode:
    """A converted file of a shipped set, on the test images.

    Attributes:
        mode: of the conversion, `float32` or `int8`.
        images: number of test images.
        right: on how many the right class came first.
        top1: share of those images, 0 to 1.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        size: bytes of the file.
        gzip_size: bytes after gzip.
        drop: top-1 of float32 minus this file's, in percentage points.
        agreement: share of images on which this file and float32 name the same class.
    """

    mode: str
    images: int
    right: int
    top1: float
    low: float
    high: float
    size: int
    gzip_size: int
    drop: float
    agreement: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "MeasuredMode":
        """Return the mode that a row of kind `compare` describes."""
        right = round(row["top1"] * row["images"])
        low, high = wilson_interval(right, row["images"])
        same = ("mode", "images", "top1", "size", "gzip_size", "drop", "agreement")
        return cls(right=right, low=low, high=high, **{name: row[name] for name in same})


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's formula, within [0, 1].

    Args:
        right: how many of the images.
        images: at least 1.

    Raises:
        ValueError: no images, or more right ones than there are.
    """
    if images < 1 or not 0 <= right <= images:
        raise ValueError(
            f"right={right}, images={images} is no share; allowed are 0 to images, at least 1."
        )
    from scipy.stats import binomtest

    interval = binomtest(right, images).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
