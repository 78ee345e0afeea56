"""Pages of the images on which a file and the reference file name different classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_lwcnn.files import write_bytes
from lwcnn.report.template import render
from lwcnn.report.thumbnails import data_url

SHOWN = 60


def write_disagreements(
    folder: str | Path,
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: Mapping[str, np.ndarray],
    parted: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    reference: str = "float32",
    source: str = "",
    shown: int = SHOWN,
) -> list[Path]:
    """Write one page MODE.html per mode, linked with each other; each holds all that it shows.

    Args:
        folder: where to write; it is created when missing.
        images: uint8, shape (n, height, width, 3).
        labels: shape (n,), the true classes.
        probabilities: mode -> shape (n, classes), those of the reference among them.
        parted: mode -> indices of all images on which it disagrees, in the order to show them.
        class_names: one per class.
        reference: the mode that the others are compared with.
        source: name of the images.
        shown: most images per page.

    Returns:
        The pages' paths, in the order of `parted`.
    """
    counts = {mode: len(indices) for mode, indices in parted.items()}
    pages = []
    for mode, indices in parted.items():
        answers = {name: probabilities[name][indices] for name in (reference, mode)}
        right = {name: values.argmax(axis=1) == labels[indices] for name, values in answers.items()}
        cards = [
            {
                "index": int(index),
                "image": data_url(images[index]),
                "label": class_names[labels[index]],
                "answers": [
                    {
                        "mode": name,
                        "label": class_names[values[place].argmax()],
                        "confidence": float(values[place].max()),
                        "right": bool(right[name][place]),
                    }
                    for name, values in answers.items()
                ],
            }
            for place, index in enumerate(indices[:shown])
        ]
        html = render(
            "disagreements.html",
            mode=mode,
            reference=reference,
            source=source,
            images=len(labels),
            counts=counts,
            lost=int((right[reference] & ~right[mode]).sum()),
            gained=int((right[mode] & ~right[reference]).sum()),
            cards=cards,
        )
        pages.append(write_bytes(Path(folder, f"{mode}.html"), html.encode()))
    return pages
