"""What a `.keras` file, and the training record beside it, tell without Keras being loaded."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

PARTS = {"config.json", "metadata.json", "model.weights.h5"}
NO_RECORD = "Move it away from beside the model, or train the model again."


def check_keras_file(path: str | Path) -> None:
    """Refuse, without loading anything, what is not a whole `.keras` archive.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a zip archive, or one without a model's parts.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    if not zipfile.is_zipfile(path):
        start = path.read_bytes()[:8]
        raise ValueError(
            f"{path} is no .keras file: its {path.stat().st_size} bytes start with {start!r} "
            "(foreign or truncated); expected is a zip archive"
        )
    with zipfile.ZipFile(path) as archive:
        missing = PARTS - set(archive.namelist())
    if missing:
        raise ValueError(f"{path} is no .keras file: it lacks {', '.join(sorted(missing))}")


def sha256(path: str | Path) -> str:
    """Return the sha256 of a file, by which a sidecar names the model that its file came from."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def read_record(model_file: str | Path) -> dict[str, Any]:
    """Return the record NAME.json beside NAME.keras; empty when there is no such file.

    Returns:
        The row of kind `train` that `keras_lwcnn.train` wrote.

    Raises:
        ValueError: the file is not a training record.
    """
    path = Path(model_file).with_suffix(".json")
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not a training record: {error}. {NO_RECORD}") from error
    if not isinstance(record, dict) or record.get("kind") != "train":
        raise ValueError(f"{path} is not a training record: it has no kind 'train'. {NO_RECORD}")
    return record


def layer_names(path: str | Path) -> list[str]:
    """Return the names of the layers that a `.keras` file declares, those of inner models too.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no whole `.keras` archive.
    """
    names: list[str] = []

    def visit(config: Any) -> None:
        for layer in config.get("layers", ()) if isinstance(config, dict) else ():
            names.append(layer["config"].get("name", layer.get("name")))
            visit(layer["config"])

    visit(_config(path).get("config"))
    return names


def input_shape(path: str | Path) -> tuple[int, ...] | None:
    """Return the input shape without the batch that a `.keras` file declares, None if it does not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no whole `.keras` archive.
    """
    try:
        shape = _config(path)["build_config"]["input_shape"]
    except (KeyError, TypeError):
        return None
    fixed = isinstance(shape, list) and all(isinstance(size, int) for size in shape[1:])
    return tuple(shape[1:]) if fixed and len(shape) > 1 else None


def _config(path: str | Path) -> dict[str, Any]:
    check_keras_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no .keras file: its config.json is damaged") from error
