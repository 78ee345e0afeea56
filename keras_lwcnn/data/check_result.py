"""What a check of a data set found, and what of it makes accuracies untrustworthy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

NEAR = 0.25
"""Difference up to which a pair is near. 95 % of the images of CIFAR-10 and Caltech-101 are as near
to a copy of theirs that was saved as JPEG of quality 50, or shrunk to 70 % and enlarged again."""
IN_ROW = 20
"""How many pairs of each kind a row names; it counts all of them."""


@dataclass(frozen=True)
class Place:
    """An image of a data set.

    Attributes:
        split: `train`, `val` or `test`.
        index: its place in that split.
        label: name of its class.
        file: where it comes from, below the data set's folder; None for arrays.
    """

    split: str
    index: int
    label: str
    file: str | None

    def __str__(self) -> str:
        return self.file or f"{self.split}[{self.index}]"


@dataclass(frozen=True)
class Pair:
    """Two images that are one and the same, or nearly.

    Attributes:
        first: the one of the earlier split.
        second: the other one.
        identical: whether their pixels are the same.
        difference: root mean square difference of their 16x16 thumbnails as a share of the contrast
            of the second one's (the standard deviation of its values, at least 1 of 255).
    """

    first: Place
    second: Place
    identical: bool
    difference: float


@dataclass(frozen=True)
class Overlap:
    """What two splits have in common.

    Attributes:
        first: the earlier split.
        second: the later split.
        identical: pairs of the same pixels, one for each image of the second that has them.
        near: pairs of an image of the second with its nearest one in the first, where that is near
            and not identical; in rising order of difference.
        groups: ids with images in both; empty where nothing tells which images belong together.
    """

    first: str
    second: str
    identical: tuple[Pair, ...]
    near: tuple[Pair, ...]
    groups: tuple[str, ...]

    def __repr__(self) -> str:
        """Return the splits and what they share, counted."""
        return (
            f"Overlap({self.first!r}, {self.second!r}, {len(self.identical)} identical, "
            f"{len(self.near)} near, {len(self.groups)} groups)"
        )


@dataclass(frozen=True)
class DataCheck:
    """What was found in a data set.

    Attributes:
        dataset: its facts (`ImageDataset.to_dict`).
        class_counts: split -> images of each class, in label order.
        overlaps: of train and val, train and test, val and test.
        repeats: split -> pairs of the same pixels within it.
        conflicts: pairs of the same pixels under two labels, in any splits.
        nearest_top1: share of the test images, in [0, 1], whose label is that of the training image
            with the nearest thumbnail: what a test accuracy has to beat.
        majority_top1: share of the test images of the most frequent training class.
        date: of the check, UTC, ISO 8601.
    """

    dataset: dict[str, Any]
    class_counts: dict[str, tuple[int, ...]]
    overlaps: tuple[Overlap, ...]
    repeats: dict[str, tuple[Pair, ...]]
    conflicts: tuple[Pair, ...]
    nearest_top1: float
    majority_top1: float
    date: str

    def __repr__(self) -> str:
        """Return the data set, the number of pairs, and the findings, in one line."""
        findings = "; ".join(self.findings) or "none"
        return f"DataCheck({self.dataset['name']!r}, {len(self.pairs)} pairs, findings: {findings})"

    @property
    def findings(self) -> tuple[str, ...]:
        """What makes an accuracy on the test images untrustworthy, one line each."""
        lines = []
        for overlap in self.overlaps:
            if overlap.second != "test":
                continue
            if overlap.identical:
                share = f"{len(overlap.identical)} of {sum(self.class_counts['test'])}"
                lines.append(f"test images that are in {overlap.first}, too: {share}")
            if overlap.groups:
                lines.append(f"groups in both {overlap.first} and test: {len(overlap.groups)}")
        if self.conflicts:
            lines.append(f"images that are there under another label, too: {len(self.conflicts)}")
        return tuple(lines)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, the gravest first: conflicts, identical ones, near ones; test before val."""
        identical = chain.from_iterable(overlap.identical for overlap in self.overlaps)
        repeats = chain.from_iterable(self.repeats.values())
        near = chain.from_iterable(overlap.near for overlap in self.overlaps)

        def order(pair: Pair) -> tuple[bool, float]:
            return pair.second.split != "test", pair.difference

        rest = sorted([*identical, *repeats], key=order) + sorted(near, key=order)
        # A conflict is at the same time a pair of another kind.
        return tuple(dict.fromkeys([*self.conflicts, *rest]))

    def to_dict(self) -> dict[str, Any]:
        """Return the check as a row of kind `data`, with the first pairs of each kind."""

        def listed(pairs: Sequence[Pair]) -> dict[str, Any]:
            return {"count": len(pairs), "pairs": [asdict(pair) for pair in pairs[:IN_ROW]]}

        return {
            "kind": "data",
            "dataset": self.dataset,
            "class_counts": {name: list(counts) for name, counts in self.class_counts.items()},
            "overlaps": [
                {
                    "first": overlap.first,
                    "second": overlap.second,
                    "identical": listed(overlap.identical),
                    "near": listed(overlap.near),
                    "groups": len(overlap.groups),
                }
                for overlap in self.overlaps
            ],
            "repeats": {name: listed(pairs) for name, pairs in self.repeats.items()},
            "conflicts": listed(self.conflicts),
            "near_difference": NEAR,
            "nearest_top1": self.nearest_top1,
            "majority_top1": self.majority_top1,
            "findings": list(self.findings),
            "date": self.date,
        }
