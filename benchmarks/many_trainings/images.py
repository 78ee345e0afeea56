"""The images as workers read them, and as they travel to a machine that has none."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HELD_OUT_FROM, HELD_OUT = 45_000, 5000
STRIP = 500
"""Images of one compressed picture."""


def pack(images: np.ndarray, labels: np.ndarray, file: Path) -> None:
    """Write images (n, height, width, 3) and labels, losslessly compressed, to a `.zip`."""
    from PIL import Image

    with zipfile.ZipFile(file, "w") as archive:
        for start in range(0, len(images), STRIP):
            strip = images[start : start + STRIP]
            content = io.BytesIO()
            picture = Image.fromarray(strip.reshape(-1, *strip.shape[2:]))
            picture.save(content, "WEBP", lossless=True, exact=True, quality=75, method=2)
            archive.writestr(f"{start:06}.webp", content.getvalue())
        archive.writestr("labels", labels.astype(np.uint8).tobytes())


def unpack(file: Path, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Read what `pack` wrote."""
    from PIL import Image

    def pixels(content: bytes) -> np.ndarray:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        return np.asarray(picture).reshape(-1, size, size, 3)

    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".webp"))
        contents = [archive.read(name) for name in names]
        labels = np.frombuffer(archive.read("labels"), np.uint8)
    with ThreadPoolExecutor(16) as pool:
        return np.concatenate(list(pool.map(pixels, contents))), labels


def lay_out(
    train: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray], folder: Path
) -> None:
    """Write what workers read: 45,000 training images, then 5,000 held-out ones.

    Fewer are repeated, so that programs are compiled for one shape; split.json says how many
    different ones there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = (HELD_OUT_FROM, HELD_OUT)
    for index, name in enumerate(("images", "labels")):
        parts = [
            np.resize(part[index], (count, *part[index].shape[1:]))
            for part, count in zip((train, held_out), counts, strict=True)
        ]
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    split = {"train": min(len(train[0]), HELD_OUT_FROM)}
    (folder / "split.json").write_text(json.dumps(split))
