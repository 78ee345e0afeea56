"""Making a shipped set from a finished training."""

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
    """Return the index's entry of a set.

    Args:
        network: name in `keras_lwcnn.models.MODELS`.
        record: record of its training, a row of kind `train`.
        content: content of the set's file.
        costs: costs of the network, for one image.
        test: the test images.
        rows: rows of kind `compare`, of the converted files on the test images.

    Raises:
        ValueError: the record is of another network, of one with probabilities as outputs, of a
            training that began with other weights, or of data that `load_data` has no name for.
    """
    dataset = record["dataset"]
    name = dataset["name"]
    if record["model"] != network:
        raise ValueError(f"the training is one of {record['model']!r}, not of {network!r}.")
    if record.get("origin"):
        raise ValueError(
            f"the training of {network!r} began with weights trained on "
            f"{record['origin'].get('data')!r}; only what one command repeats is shipped."
        )
    if record["output"] != "logits":
        raise ValueError(
            f"the network's output is {record['output']!r}; only networks with logits are shipped."
        )
    if dataset["source"] != name:
        raise ValueError(
            f"the data set was loaded from {dataset['source']!r}; only one that its name "
            f"{name!r} loads is shipped."
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


def add_set(new: ShippedSet, content: bytes, folder: Path) -> None:
    """Write a set's file and its entry in the folder's index, in place of an older one."""
    write_bytes(folder / new.file, content)
    others = [each for each in read_index(folder) if each.id != new.id]
    write_index([*others, new], folder)


def test_digest(test: Split) -> str:
    """Return a hash that tells whether two sets of test images and labels are the same."""
    hashed = hashlib.sha256(str(test.images.shape).encode())
    hashed.update(np.ascontiguousarray(test.images).data)
    hashed.update(np.ascontiguousarray(test.labels, dtype="<i8").data)
    return hashed.hexdigest()
