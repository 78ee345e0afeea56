"""Folders of class folders, decoded into arrays."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from sklearn.model_selection import train_test_split

from keras_lwcnn.data.dataset import ImageDataset, Split

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm"})
TRAIN_FOLDERS = ("train", "trainval")
VAL_FOLDERS = ("val", "valid", "validation")
TEST_FOLDERS = ("test",)

# An image of the folder: where it is, and the index of its class.
Sample = tuple[Path, int]


def load_folder(path: Path, *, image_size: int, seed: int = 0) -> ImageDataset:
    """Load a folder of class folders, or of `train`, `val` and `test` folders of class folders.

    A missing `test` is taken from `val`, or cut from the training images (10 %); a missing `val`
    is cut from the training images (10 %). Images are resized so that the short side fits and
    cropped at the centre; grey ones become RGB.

    Args:
        path: the folder.
        image_size: side of the square images in pixels.
        seed: of the splits.

    Returns:
        The data set; its class names are the names of the class folders in sorted order.

    Raises:
        ValueError: for fewer than two classes, a class without images, classes that differ
            between the splits, or files that cannot be decoded (up to five are named).
    """
    train_root = _subfolder(path, TRAIN_FOLDERS) or path
    class_names = _class_names(train_root)
    train = _samples(train_root, class_names)
    val_root = _subfolder(path, VAL_FOLDERS) if train_root != path else None
    test_root = _subfolder(path, TEST_FOLDERS) if train_root != path else None
    val = _samples(val_root, class_names) if val_root else None
    test = _samples(test_root, class_names) if test_root else None
    if test is None and val is not None:
        test, val = val, None
    # What is still missing is a tenth of all, cut from the training images.
    share = len(train) // 10
    if test is None:
        train, test = _cut(train, share, seed, path)
    if val is None:
        train, val = _cut(train, share, seed, path)
    splits = (_decode(samples, image_size, path.name) for samples in (train, val, test))
    return ImageDataset(path.name, *splits, class_names)


def resize(images: np.ndarray, image_size: int) -> np.ndarray:
    """Resize uint8 images of shape (n, height, width, 3) to squares, cropping at the centre."""
    return np.stack([_fit(Image.fromarray(image), image_size) for image in images])


def _fit(image: Image.Image, image_size: int) -> np.ndarray:
    square = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


def _subfolder(path: Path, names: Iterable[str]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def _class_names(root: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    )
    if len(names) < 2:
        raise ValueError(
            f"{root}: at least 2 class folders are needed, found {list(names) or 'none'}"
        )
    return names


def _samples(root: Path, class_names: Sequence[str]) -> list[Sample]:
    if _class_names(root) != tuple(class_names):
        difference = sorted(set(_class_names(root)) ^ set(class_names))
        raise ValueError(f"{root}: its classes differ from the training images': {difference}")
    samples = []
    for label, name in enumerate(class_names):
        files = sorted(
            file for file in (root / name).rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES
        )
        if not files:
            raise ValueError(
                f"{root / name}: this class holds no image; allowed are files ending in "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        samples += [(file, label) for file in files]
    return samples


def _cut(
    samples: list[Sample], count: int, seed: int, path: Path
) -> tuple[list[Sample], list[Sample]]:
    labels = [label for _, label in samples]
    try:
        kept, cut = train_test_split(samples, test_size=count, stratify=labels, random_state=seed)
    except ValueError as error:
        raise ValueError(f"{path}: too few images to cut a split of {count}: {error}") from error
    return kept, cut


def _decode(samples: Sequence[Sample], image_size: int, name: str) -> Split:
    broken: list[str] = []

    def decode(sample: Sample) -> np.ndarray | None:
        try:
            with Image.open(sample[0]) as image:
                return _fit(image.convert("RGB"), image_size)
        except (UnidentifiedImageError, OSError) as error:
            broken.append(f"{sample[0]} ({error})")
            return None

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(decode, samples)
        console = Console(stderr=True)
        watched = track(
            decoded,
            f"Reading {name}",
            len(samples),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        images = [image for image in watched if image is not None]
    if broken:
        shown = "; ".join(sorted(broken)[:5])
        raise ValueError(f"{len(broken)} of {len(samples)} images cannot be decoded: {shown}")
    return Split(np.stack(images), np.array([label for _, label in samples], dtype=np.int64))
