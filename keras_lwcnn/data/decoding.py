"""Image files, decoded into arrays of one size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("RGB", "RGBA", "P")
# What Pillow raises for damaged files: its UnidentifiedImageError is an OSError, and its PNG reader
# raises SyntaxError for a bad checksum.
DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Decoded:
    """Files as images.

    Attributes:
        images: uint8, shape (readable files, size, size, 3).
        readable: bool, shape (files,).
        broken: name and reason of each file that is not readable.
        grey: how many of the readable files had no colour, and became RGB.
    """

    images: np.ndarray
    readable: np.ndarray
    broken: tuple[tuple[str, str], ...]
    grey: int


def decode(root: Path, files: Sequence[str], image_size: int) -> Decoded:
    """Decode files to RGB, resized so that the short side fits and cropped at the centre.

    Grey images become RGB, palettes are looked up, and transparency is dropped. Images whose pixels
    do not tell their colour in 8-bit RGB count as broken: CMYK (it depends on a profile) and
    16-bit, 32-bit or float grey (it is not known which value is white).

    Args:
        root: a folder.
        files: paths below it.
        image_size: side of the square images in pixels.
    """
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda file: _decode(root / file, image_size), files)
        console = Console(stderr=True)
        results = list(
            track(
                decoded,
                f"Reading {root.name}",
                len(files),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )
    images = [result[0] for result in results if not isinstance(result, str)]
    return Decoded(
        images=np.stack(images) if images else np.zeros((0, image_size, image_size, 3), np.uint8),
        readable=np.array([not isinstance(result, str) for result in results], dtype=bool),
        broken=tuple(
            (file, result)
            for file, result in zip(files, results, strict=True)
            if isinstance(result, str)
        ),
        grey=sum(result[1] for result in results if not isinstance(result, str)),
    )


def resize(images: np.ndarray, image_size: int) -> np.ndarray:
    """Resize uint8 images of shape (n, height, width, 3) to squares, cropping at the centre."""
    return np.stack([_fit(Image.fromarray(image), image_size) for image in images])


def _decode(path: Path, image_size: int) -> tuple[np.ndarray, bool] | str:
    """Return an image and whether it was grey, or the reason why it cannot be read."""
    try:
        with Image.open(path) as image:
            if image.mode not in GREY_MODES + COLOUR_MODES:
                allowed = ", ".join(GREY_MODES + COLOUR_MODES)
                return f"its pixels are {image.mode}; allowed are {allowed}"
            return _fit(image.convert("RGB"), image_size), image.mode in GREY_MODES
    except DAMAGED as error:
        return str(error).replace(str(path), path.name)


def _fit(image: Image.Image, image_size: int) -> np.ndarray:
    square = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)
