"""Making a shipped set of a finished training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_lwcnn.files import write_bytes
from keras_lwcnn.weights.archive import digest
from keras_lwcnn.weights.index import ShippedSet, read_index, write_index
from keras_lwcnn.weights.measured import MeasuredMode

if TYPE_CHECKING:
    from keras_lwcnn.data.dataset import Split

KEPT_FACTS = ("recipe", "val", "output", "versions", "date")


def describe(
    network: str,
    record: Mapping[str, Any],
    content: bytes,
    *,
    costs: Mapping[str, Any],
    test: Split,
    rows: Sequence[Mapping[str, Any]],
) -> ShippedSet:
    """Describe a set.

    Args:
        network: name in `keras_lwcnn.models.MODELS`.
        record: of its training, a row of kind `train`.
        content: of the set's file.
        costs: of the network, for one image.
        test: the test images.
        rows: of kind `compare`, of the converted files on them.

    Raises:
        ValueError: a record of another network, of probabilities, of data that no name loads, or
            of a training that began with other weights.
    """
    dataset = record["dataset"]
    name = dataset["name"]
    if record["model"] != network:
        raise ValueError(f"the training is one of {record['model']!r}, not of {network!r}")
    if record.get("origin"):
        raise ValueError(
            f"weights are shipped of trainings that one command repeats; this one of {network!r} "
            f"began with weights trained on {record['origin'].get('data')!r}"
        )
    if record["output"] != "logits":
        raise ValueError(f"weights are shipped of networks of logits, not of {record['output']!r}")
    if dataset["source"] != name:
        raise ValueError(
            f"the data set has to be one that its name {name!r} loads; it was loaded from "
            f"{dataset['source']!r}"
        )
    return ShippedSet(
        network=network,
        data=name,
        file=f"{network}-{name}.npz",
        sha256=digest(content),
        class_names=tuple(dataset["class_names"]),
        input_shape=tuple(dataset["input_shape"]),
        input_range=tuple(record["input_range"]),
        training={
            "dataset": {key: dataset[key] for key in ("name", "source", "images")},
            **{key: record[key] for key in KEPT_FACTS},
        },
        costs=dict(costs),
        test_sha256=test_digest(test),
        measured=tuple(map(MeasuredMode.from_row, rows)),
    )


def add_set(made: ShippedSet, content: bytes, folder: Path) -> None:
    """Write a set's file and its entry in the folder's index, in place of an older one."""
    write_bytes(folder / made.file, content)
    others = [each for each in read_index(folder) if each.id != made.id]
    write_index([*others, made], folder)


def test_digest(test: Split) -> str:
    """Return a hash that tells whether two sets of test images and labels are the same."""
    hashed = hashlib.sha256(str(test.images.shape).encode())
    hashed.update(np.ascontiguousarray(test.images).data)
    hashed.update(np.ascontiguousarray(test.labels, dtype="<i8").data)
    return hashed.hexdigest()
