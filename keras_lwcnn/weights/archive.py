"""The file of a shipped set: an `.npz` whose arrays are called LAYER/VARIABLE."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

MAXIMUM_BYTES = 5_000_000


def arrays_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights of a model's layers, with statistics, masks and stages.

    Weights that a mask takes out are zeros, which take no room in a compressed file.

    Raises:
        ValueError: two weights have one name, as in nested models they can.
    """
    from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D

    arrays: dict[str, np.ndarray] = {}
    for layer in model.layers:
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            name = f"{layer.name}/{variable.name}"
            if name in arrays:
                raise ValueError(
                    f"two weights of {model.name!r} are called {name!r}; one is allowed."
                )
            arrays[name] = np.asarray(value)
        if isinstance(layer, (CondensedDense, LearnedGroupConv2D)):
            arrays[f"{layer.name}/kernel"] = layer.active_kernel
    return arrays


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the content of an `.npz`, the same for the same arrays.

    Raises:
        ValueError: the content is larger than `MAXIMUM_BYTES`.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(
            f"the weights take {len(content):,} bytes; at most {MAXIMUM_BYTES:,} are shipped."
        )
    return content


def digest(content: bytes) -> str:
    """Return the sha256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def read_archive(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Return the arrays of a set's file, whose hash is checked before it is opened.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another hash, or no archive of plain arrays.
    """
    # The bytes are read once, so that no change of the file comes between hash and opening.
    content = path.read_bytes()
    actual = digest(content)
    if actual != sha256:
        raise ValueError(
            f"{path} has sha256 {actual}; the index describes one with {sha256}. Install the "
            "package again."
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not an .npz archive of plain arrays: {error}.") from error
