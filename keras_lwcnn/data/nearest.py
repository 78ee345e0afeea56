"""Thumbnails, and a search for the nearest one."""

from collections.abc import Callable

import numpy as np
from PIL import Image

SIDE = 16
# Rows of a block of distances: 1024 x 16384 float32 are 64 MiB, whatever the size of the sets.
QUERIES, REFERENCES = 1024, 16384


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Shrink images to 16x16 RGB, each pixel the mean of what it covers.

    Args:
        images: uint8, shape (n, height, width, 3).

    Returns:
        float32 in [0, 255], shape (n, 768).
    """
    small = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
        for image in images
    ]
    return np.array(small, np.float32).reshape(len(images), -1)


def nearest(
    queries: np.ndarray, references: np.ndarray, *, advance: Callable[[int], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the reference nearest to each query, by the root mean square difference.

    Args:
        queries: float32, shape (n, length).
        references: float32, shape (m, length).
        advance: called with the number of distances that each step computed.

    Returns:
        Indices of references, int64, and the differences in the unit of the values, float32; both
        of shape (n,).
    """
    # A distance is a difference of large numbers: taken around the mean, it loses fewer digits.
    middle = references.mean(axis=0)
    queries, references = queries - middle, references - middle
    indices = np.zeros(len(queries), np.int64)
    lowest = np.full(len(queries), np.inf, np.float32)
    for start in range(0, len(references), REFERENCES):
        block = references[start : start + REFERENCES]
        # |q - r|^2 = |q|^2 + |r|^2 - 2 qr, and |q|^2 is the same for all references of a query.
        halves = np.einsum("ij,ij->i", block, block) / 2
        for first in range(0, len(queries), QUERIES):
            some = slice(first, first + QUERIES)
            scores = halves - queries[some] @ block.T
            best = scores.argmin(axis=1)
            score = scores[np.arange(len(best)), best]
            better = score < lowest[some]
            indices[some][better] = start + best[better]
            lowest[some][better] = score[better]
            if advance:
                advance(scores.size)
    differences = [
        np.sqrt(np.square(query - references[index]).mean())
        for query, index in zip(queries, indices, strict=True)
    ]
    return indices, np.array(differences, np.float32)
