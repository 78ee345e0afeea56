"""Statistics of two classifiers on the same images: arrays in, numbers out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from convert.tflite.metrics import probabilities

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedDrop:
    """The change in top-1 between two classifiers that saw the same images.

    Attributes:
        lost: images that only the reference has right.
        gained: images that only the other has right.
        drop: top-1 of the reference minus the other's, in percentage points.
        low: lower end of the 95 % interval of the drop, from a seeded bootstrap over images.
        high: its upper end.
        p_value: McNemar's exact test of "both are right equally often" (two-sided).
    """

    lost: int
    gained: int
    drop: float
    low: float
    high: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def paired_drop(reference: np.ndarray, other: np.ndarray, seed: int = 0) -> PairedDrop:
    """Compare two classifiers image by image.

    Args:
        reference: (count,) bool, where the reference is right.
        other: (count,) bool, where the other is right.
        seed: of the bootstrap.
    """
    reference, other = np.asarray(reference, bool), np.asarray(other, bool)
    lost, gained = int((reference & ~other).sum()), int((other & ~reference).sum())
    p_value = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    change = 100 * (reference.astype(float) - other)
    low = high = float(change.mean())
    if lost + gained:
        # Resampling images is drawing how many are lost, gained and neither.
        shares = np.array([lost, gained, len(change) - lost - gained]) / len(change)
        draws = np.random.default_rng(seed).multinomial(len(change), shares, RESAMPLES)
        drops = 100 * (draws[:, 0] - draws[:, 1]) / len(change)
        tail = 50 * (1 - CONFIDENCE)
        low, high = (float(bound) for bound in np.percentile(drops, [tail, 100 - tail]))
    return PairedDrop(lost, gained, float(change.mean()), low, high, float(p_value))


def confidence_shift(scores: np.ndarray, reference: np.ndarray, *, squashed: bool) -> float:
    """Return the mean change of the probability of the reference's class, -1 to 1.

    Args:
        scores: (count, classes).
        reference: (count, classes).
        squashed: whether scores are probabilities already.
    """
    scores, reference = (probabilities(values, squashed=squashed) for values in (scores, reference))
    chosen = reference.argmax(axis=1)[:, None]
    after = np.take_along_axis(scores, chosen, axis=1)
    return float((after - np.take_along_axis(reference, chosen, axis=1)).mean())


def confusion_changes(
    scores: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Count where the two classifiers part, by true class and both answers, most frequent first.

    Args:
        scores: (count, classes).
        reference: (count, classes).
        labels: (count,) class indices.
        class_names: one per class, None where they are not known.

    Returns:
        Dictionaries of `images` and the class indices `label`, `reference` and `other`, with the
        three classes' names, as `label_name`, where they are known.
    """
    before, after = reference.argmax(axis=1), scores.argmax(axis=1)
    parted = before != after
    triples = np.stack([np.asarray(labels)[parted], before[parted], after[parted]], axis=1)
    changed, counts = np.unique(triples, axis=0, return_counts=True)
    changes = []
    for i in np.argsort(-counts, kind="stable"):
        change = dict(zip(("label", "reference", "other"), map(int, changed[i]), strict=True))
        if class_names is not None:
            change |= {f"{role}_name": class_names[index] for role, index in change.items()}
        changes.append({**change, "images": int(counts[i])})
    return changes
