"""How far images are from altered copies of themselves, and from the nearest other image.

    LWCNN_DATA=... python -m benchmarks.near_duplicates

The difference is that of `lwcnn data check`. Its limit for near duplicates has to lie above the
difference to copies that were only saved again, and below the difference between images that have
nothing to do with each other. Prints one JSON row per data set and way of copying; writes no file.
"""

import io
import json

import numpy as np
from PIL import Image

from keras_lwcnn.data import load_data
from keras_lwcnn.data.check_result import NEAR
from keras_lwcnn.data.nearest import nearest, thumbnails

SETS = {"cifar10": None, "caltech101": 96}
IMAGES = 500


def saved_as_jpeg(image: Image.Image) -> Image.Image:
    """Save at quality 50 and open again."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=50)
    return Image.open(content)


def shrunk(image: Image.Image) -> Image.Image:
    """Shrink to 70 % and enlarge again."""
    small = image.resize([round(0.7 * side) for side in image.size], Image.Resampling.BILINEAR)
    return small.resize(image.size, Image.Resampling.BILINEAR)


def brightened(image: Image.Image) -> Image.Image:
    """Make brighter by 5 %."""
    return image.point(lambda value: 1.05 * value)


def trimmed(image: Image.Image) -> Image.Image:
    """Cut one pixel off each side and enlarge again."""
    inner = (1, 1, image.width - 1, image.height - 1)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=inner)


def report(name: str, pairs: str, differences: np.ndarray) -> None:
    """Print the quantiles of relative differences."""
    low, median, high = np.quantile(differences, [0.05, 0.5, 0.95]).round(3).tolist()
    row = {"dataset": name, "pairs": pairs, "p5": low, "median": median, "p95": high}
    print(json.dumps({**row, "near": round(float(np.mean(differences <= NEAR)), 4)}), flush=True)


def main() -> None:
    """Print the rows of every set."""
    for name, size in SETS.items():
        data = load_data(name, image_size=size)
        chosen = np.random.default_rng(0).permutation(len(data.test))[:IMAGES]
        images = data.test.images[chosen]
        small = thumbnails(images)
        contrast = np.maximum(small.std(axis=1), 1)
        for copied in (saved_as_jpeg, shrunk, brightened, trimmed):
            copies = [np.asarray(copied(Image.fromarray(image))) for image in images]
            differences = np.sqrt(np.square(thumbnails(np.stack(copies)) - small).mean(axis=1))
            report(name, copied.__name__, differences / contrast)
        _, differences = nearest(small, thumbnails(data.train.images))
        report(name, "nearest training image", differences / contrast)


if __name__ == "__main__":
    main()
