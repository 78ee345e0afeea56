"""Cutting images off for a split that a source does not have."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split


def cut(
    labels: np.ndarray, count: int, *, seed: int, where: str, groups: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Choose images to cut off, with the same share of each class as in all images.

    Args:
        labels: class indices, shape (n,).
        count: how many to cut off; with groups, about as many.
        seed: of the choice.
        where: the source of the images, for errors.
        groups: one id per image; images of one id stay on one side. Empty: no groups.

    Returns:
        Indices of the images to keep, and of those to cut off.

    Raises:
        ValueError: too few images, or too few groups, to cut that many off.
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
    """Part the groups into folds of about `count` images, and cut off the best one.

    The best fold has images of the most classes, and then the number nearest to `count`.
    """
    classes, different = len(np.unique(labels)), len(np.unique(groups))
    count_of_folds = max(2, min(different, round(len(labels) / max(1, count))))
    splitter = StratifiedGroupKFold(count_of_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # It warns of a class with fewer images than folds; the best fold is chosen below.
        warnings.simplefilter("ignore", UserWarning)
        try:
            folds = list(splitter.split(labels, labels, groups))
        except ValueError:
            folds = []  # one group, or fewer images of every class than folds
    usable = [
        (kept, cut_off)
        for kept, cut_off in folds
        if len(cut_off) and len(np.unique(labels[kept])) == classes
    ]
    if not usable:
        raise ValueError(
            f"{where}: its {len(labels)} images have too few groups ({different}) to cut a split "
            f"of about {count} that leaves images of all {classes} classes. Name finer groups, or "
            "leave them out."
        )

    def fit(fold: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
        return len(np.unique(labels[fold[1]])), -abs(len(fold[1]) - count)

    return max(usable, key=fit)
