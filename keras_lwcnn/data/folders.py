"""Folders of class folders: which image belongs to which class, split and group."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_lwcnn.data.dataset import NAMED, ImageDataset, Split
from keras_lwcnn.data.decoding import decode
from keras_lwcnn.data.groups import group_ids
from keras_lwcnn.data.splitting import cut

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm"})
TRAIN_FOLDERS = ("train", "trainval")
VAL_FOLDERS = ("val", "valid", "validation")
TEST_FOLDERS = ("test",)


@dataclass(frozen=True)
class Listing:
    """Image files with their labels, before they are decoded.

    Attributes:
        files: paths below the data set's folder, with forward slashes.
        labels: int64, shape (n,).
        groups: one id per file, or empty.
    """

    files: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[str, ...] = ()

    def take(self, indices: np.ndarray) -> "Listing":
        """Return the files at some indices, with their labels and groups."""
        return Listing(
            tuple(self.files[i] for i in indices),
            self.labels[indices],
            tuple(self.groups[i] for i in indices) if self.groups else (),
        )


def load_folder(
    path: Path,
    *,
    image_size: int,
    seed: int = 0,
    groups: str | None = None,
    skip_broken: bool = False,
) -> ImageDataset:
    """Load a folder of class folders, or of `train`, `val` and `test` folders of class folders.

    Splits that are there stay as they are. A missing `test` is taken from `val`, or cut from the
    training images (10 %); a missing `val` is cut from the training images (10 %). See
    `keras_lwcnn.data.decoding.decode` for the pixels.

    Args:
        path: the folder.
        image_size: side of the square images in pixels.
        seed: of the splits.
        groups: what tells the images that belong together (see `group_ids`); those stay on one
            side of every split that is cut here.
        skip_broken: leave out files that cannot be decoded; `ImageDataset.skipped` names them.

    Returns:
        The data set; its class names are the names of the class folders in sorted order.

    Raises:
        ValueError: fewer than two classes, a class without images, classes that differ between the
            splits, groups that cannot be told, or files that cannot be decoded (up to five are
            named).
    """
    train_root = _subfolder(path, TRAIN_FOLDERS) or path
    class_names = _class_names(train_root)
    roots = (train_root, None, None)
    if train_root != path:
        roots = (train_root, _subfolder(path, VAL_FOLDERS), _subfolder(path, TEST_FOLDERS))
    present = (root and _listing(path, root, class_names, groups) for root in roots)
    listings = _complete(*present, seed=seed, where=str(path))
    decoded = [decode(path, listing.files, image_size) for listing in listings]
    broken = [each for result in decoded for each in result.broken]
    if broken and not skip_broken:
        shown = "; ".join(f"{path / file} ({reason})" for file, reason in sorted(broken)[:NAMED])
        total = sum(len(listing.files) for listing in listings)
        raise ValueError(
            f"{len(broken)} of {total} images cannot be decoded: {shown}. Use skip_broken=True "
            "(--skip-broken) to leave them out."
        )
    splits = []
    for listing, result in zip(listings, decoded, strict=True):
        kept = listing.take(np.flatnonzero(result.readable))
        splits.append(Split(result.images, kept.labels, kept.files, kept.groups))
    empty = np.setdiff1d(np.arange(len(class_names)), splits[0].labels)
    if len(empty):
        raise ValueError(
            f"{path}: no readable training image of class {class_names[empty[0]]!r}; at least 1 of "
            "every class is needed."
        )
    return ImageDataset(
        path.name,
        *splits,
        class_names,
        groups=groups,
        skipped=tuple(file for file, _ in broken),
        grey=sum(result.grey for result in decoded),
    )


def _listing(root: Path, split: Path, class_names: Sequence[str], groups: str | None) -> Listing:
    samples = _samples(split, class_names)
    files = tuple(file.relative_to(root).as_posix() for file, _ in samples)
    labels = np.array([label for _, label in samples], dtype=np.int64)
    return Listing(files, labels, tuple(group_ids(root, files, groups)) if groups else ())


def _complete(
    train: Listing, val: Listing | None, test: Listing | None, *, seed: int, where: str
) -> tuple[Listing, Listing, Listing]:
    """Cut the splits that are not there from the training images."""
    if test is None and val is not None:
        test, val = val, None
    # A split that is still missing gets a tenth of all.
    share = len(train.files) // 10

    def cut_off(listing: Listing) -> tuple[Listing, Listing]:
        kept, rest = cut(listing.labels, share, seed=seed, where=where, groups=listing.groups)
        return listing.take(kept), listing.take(rest)

    if test is None:
        train, test = cut_off(train)
    if val is None:
        train, val = cut_off(train)
    return train, val, test


def _subfolder(path: Path, names: Iterable[str]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def _class_names(root: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    )
    if len(names) < 2:
        raise ValueError(
            f"{root}: its class folders are {list(names) or 'none'}; at least 2 are needed."
        )
    return names


def _samples(root: Path, class_names: Sequence[str]) -> list[tuple[Path, int]]:
    if _class_names(root) != tuple(class_names):
        difference = sorted(set(_class_names(root)) ^ set(class_names))
        raise ValueError(
            f"{root}: its classes differ from the training images' by {difference}; the same are "
            "needed."
        )
    samples = []
    for label, name in enumerate(class_names):
        files = sorted(
            file for file in (root / name).rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES
        )
        if not files:
            raise ValueError(
                f"{root / name}: this class holds no image; allowed are files ending in "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        samples += [(file, label) for file in files]
    return samples
