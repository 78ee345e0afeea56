"""Look for what makes an accuracy on the test images of a data set untrustworthy."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from hashlib import blake2b

import numpy as np

from keras_lwcnn.data.check_result import NEAR, DataCheck, Overlap, Pair, Place
from keras_lwcnn.data.dataset import SPLITS, ImageDataset, Split
from keras_lwcnn.data.nearest import nearest, thumbnails

COMPARED = (("train", "val"), ("train", "test"), ("val", "test"))


def check_data(
    dataset: ImageDataset, *, progress: Callable[[float], None] | None = None
) -> DataCheck:
    """Look for images that are in several splits, for contradictory labels, and for easy answers.

    Pixels are compared as the data set holds them, after a folder's images were resized.

    Args:
        dataset: the images.
        progress: called with the share of the search that is done, in [0, 1].
    """
    splits = {name: getattr(dataset, name) for name in SPLITS}
    digests = {name: _digests(split.images) for name, split in splits.items()}
    neighbours = _neighbours(splits, progress)
    nearest_train, _ = neighbours["train", "test"]
    test_labels = dataset.test.labels
    majority = np.bincount(dataset.train.labels).argmax()
    return DataCheck(
        dataset=dataset.to_dict(),
        class_counts={
            name: tuple(np.bincount(split.labels, minlength=len(dataset.class_names)).tolist())
            for name, split in splits.items()
        },
        overlaps=tuple(
            _overlap(dataset, compared, digests, neighbours[compared]) for compared in COMPARED
        ),
        repeats={
            name: tuple(
                _pair(dataset, (name, i), (name, j)) for j, i in _repeats(digests[name]).items()
            )
            for name in SPLITS
        },
        conflicts=_conflicts(dataset, digests),
        nearest_top1=float(np.mean(dataset.train.labels[nearest_train] == test_labels)),
        majority_top1=float(np.mean(test_labels == majority)),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _neighbours(
    splits: Mapping[str, Split], progress: Callable[[float], None] | None
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Find, for each two splits, the nearest image of the first to every one of the second.

    Returns:
        (first, second) -> indices into the first, and differences as a share of the contrast of the
        second's thumbnails; both of shape (images of the second,).
    """
    small = {name: thumbnails(split.images) for name, split in splits.items()}
    total = sum(len(splits[first]) * len(splits[second]) for first, second in COMPARED)
    advance = _share_of(total, progress)
    neighbours = {}
    for first, second in COMPARED:
        indices, differences = nearest(small[second], small[first], advance=advance)
        contrast = np.maximum(small[second].std(axis=1), 1)
        neighbours[first, second] = indices, differences / contrast
    return neighbours


def _overlap(
    dataset: ImageDataset,
    compared: tuple[str, str],
    digests: Mapping[str, list[bytes]],
    neighbours: tuple[np.ndarray, np.ndarray],
) -> Overlap:
    """Return what two splits have in common, the near pairs in rising order of difference."""
    first, second = compared
    indices, differences = neighbours
    same = _occurrences(digests[first], digests[second])
    near = np.argsort(differences, kind="stable")[: (differences <= NEAR).sum()]
    groups = {*getattr(dataset, first).groups} & {*getattr(dataset, second).groups}
    return Overlap(
        first,
        second,
        identical=tuple(_pair(dataset, (first, i), (second, j)) for j, i in same.items()),
        near=tuple(
            _pair(dataset, (first, indices[j]), (second, j), differences[j])
            for j in near
            if j not in same
        ),
        groups=tuple(sorted(groups)),
    )


def _conflicts(dataset: ImageDataset, digests: dict[str, list[bytes]]) -> tuple[Pair, ...]:
    """Pair each image with the first one of the same pixels, where that has another label."""
    everything = [(name, i) for name in SPLITS for i in range(len(digests[name]))]
    earlier = _repeats([digest for name in SPLITS for digest in digests[name]])
    pairs = [_pair(dataset, everything[i], everything[j]) for j, i in earlier.items()]
    return tuple(pair for pair in pairs if pair.first.label != pair.second.label)


def _pair(
    dataset: ImageDataset,
    first: tuple[str, int],
    second: tuple[str, int],
    difference: float | None = None,
) -> Pair:
    """Return the pair of two images; without a difference, they are identical."""
    places = (_place(dataset, *first), _place(dataset, *second))
    return Pair(*places, identical=difference is None, difference=float(difference or 0.0))


def _place(dataset: ImageDataset, split_name: str, index: int) -> Place:
    split = getattr(dataset, split_name)
    label = dataset.class_names[split.labels[index]]
    return Place(split_name, int(index), label, split.files[index] if split.files else None)


def _digests(images: np.ndarray) -> list[bytes]:
    return [blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def _occurrences(first: Sequence[bytes], second: Sequence[bytes]) -> dict[int, int]:
    """Map places in `second` whose digest is in `first`, too, to its first place there."""
    places: dict[bytes, int] = {}
    for place, digest in enumerate(first):
        places.setdefault(digest, place)
    return {place: places[digest] for place, digest in enumerate(second) if digest in places}


def _repeats(digests: Sequence[bytes]) -> dict[int, int]:
    """Map the place of each digest that is a repeat to the place where it came first."""
    return {
        place: first for place, first in _occurrences(digests, digests).items() if first < place
    }


def _share_of(total: int, progress: Callable[[float], None] | None) -> Callable[[int], None] | None:
    """Return a function that adds up what is done, and reports its share of the total."""
    if progress is None:
        return None
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress(done / total)

    return advance
