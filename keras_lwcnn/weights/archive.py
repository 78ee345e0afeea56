"""The file of a set: an `.npz` whose arrays are called LAYER/VARIABLE, and nothing else."""

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
    """Return the weights of a model's layers: statistics, masks and stages among them.

    Weights that a mask takes out are zeros there, which take no room in a file.

    Raises:
        ValueError: two weights of one name, as nested models can have.
    """
    from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D

    arrays: dict[str, np.ndarray] = {}
    for layer in model.layers:
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            name = f"{layer.name}/{variable.name}"
            if name in arrays:
                raise ValueError(f"two weights of {model.name!r} are called {name!r}")
            arrays[name] = np.asarray(value)
        if isinstance(layer, (CondensedDense, LearnedGroupConv2D)):
            arrays[f"{layer.name}/kernel"] = layer.active_kernel
    return arrays


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the content of the `.npz`; the same for the same arrays.

    Raises:
        ValueError: it is larger than a package should carry.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(
            f"the weights take {len(content):,} bytes; at most {MAXIMUM_BYTES:,} are shipped"
        )
    return content


def digest(content: bytes) -> str:
    """Return the sha256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def read_archive(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Read a set's file, after its hash was found to be the one expected.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another hash, or no archive of plain arrays.
    """
    # Hashed and opened are the same bytes, whatever becomes of the file meanwhile.
    content = path.read_bytes()
    found = digest(content)
    if found != sha256:
        raise ValueError(
            f"{path} is not the file that the index describes: expected sha256 {sha256}, "
            f"found {found}"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not an .npz archive of plain arrays: {error}") from error
