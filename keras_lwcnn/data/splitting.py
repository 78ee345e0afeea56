"""Cutting images off for a split that a source does not have."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split


def cut(
    labels: np.ndarray, count: int, *, seed: int, where: str, groups: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Choose images to cut off, as many of each class as its share of all.

    Args:
        labels: class indices, shape (n,).
        count: how many to cut off; where groups are kept whole, about how many.
        seed: of the choice.
        where: what the images are from, for errors.
        groups: one id an image; images of one id stay on one side. Empty: each is on its own.

    Returns:
        Indices of the images to keep, and of those to cut off.

    Raises:
        ValueError: when there are too few images, or too few groups, to cut that many off.
    """
    if len(groups):
        return _cut_groups(labels, count, seed, where, np.asarray(groups))
    try:
        kept, cut_off = train_test_split(
            np.arange(len(labels)), test_size=count, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(f"{where}: too few images to cut a split of {count}: {error}") from error
    return kept, cut_off


def _cut_groups(
    labels: np.ndarray, count: int, seed: int, where: str, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take one of as many parts as the count goes into all, the one whose classes fit best."""
    classes, different = len(np.unique(labels)), len(np.unique(groups))
    parts = max(2, min(different, round(len(labels) / max(1, count))))
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Of a class with fewer images than parts; the best part is chosen below.
        warnings.simplefilter("ignore", UserWarning)
        try:
            folds = list(splitter.split(labels, labels, groups))
        except ValueError:
            folds = []  # one group, or every class has fewer images than there are parts
    usable = [
        (kept, cut_off)
        for kept, cut_off in folds
        if len(cut_off) and len(np.unique(labels[kept])) == classes
    ]
    if not usable:
        raise ValueError(
            f"{where}: its {len(labels)} images have too few groups ({different}) to cut a split "
            f"of about {count} that leaves images of all {classes} classes"
        )

    def fit(fold: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
        return len(np.unique(labels[fold[1]])), -abs(len(fold[1]) - count)

    return max(usable, key=fit)
