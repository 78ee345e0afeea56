"""A few test images with the prediction of each file, stored for the report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert.tflite.metrics import softmax
from keras_lwcnn.files import write_json
from lwcnn.report.thumbnails import data_url


def write_samples(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    logits: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    *,
    count: int = 12,
) -> Path:
    """Choose images and store them with the predictions of every mode.

    Half of them are images on which two modes disagree, and then images that all modes get wrong,
    so that the reader sees first what quantization costs. The other half are the first images that
    all modes get right.

    Args:
        path: the JSON file to write.
        images: uint8, shape (n, height, width, 3).
        labels: shape (n,).
        logits: mode -> outputs, shape (n, classes).
        class_names: one per class.
        count: how many images to store.

    Returns:
        The path.
    """
    top1 = {mode: values.argmax(axis=-1) for mode, values in logits.items()}
    predictions = np.stack(list(top1.values()))
    disagree = (predictions != predictions[0]).any(axis=0)
    wrong = (predictions != labels).all(axis=0)
    rank = np.where(disagree, 0, np.where(wrong, 1, 2))
    ranked = np.argsort(rank, kind="stable")
    hard = ranked[rank[ranked] < 2]
    easy = ranked[rank[ranked] == 2]
    chosen = [*hard[: max(count // 2, count - len(easy))], *easy][:count]
    samples = [
        {
            "index": int(i),
            "image": data_url(images[i]),
            "label": class_names[labels[i]],
            "predictions": {
                mode: {
                    "label": class_names[top1[mode][i]],
                    "confidence": float(softmax(values[[i]]).max()),
                }
                for mode, values in logits.items()
            },
        }
        for i in chosen
    ]
    facts = {
        "images": len(labels),
        "disagreements": int(disagree.sum()),
        "all_wrong": int((wrong & ~disagree).sum()),
    }
    return write_json(path, {"facts": facts, "samples": samples})


def read_samples(path: Path) -> dict[str, Any] | None:
    """Return what `write_samples` wrote, None when there is no such file."""
    return json.loads(path.read_text()) if path.is_file() else None
