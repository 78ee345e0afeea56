"""The training record beside a `.keras` file, which later steps read."""

import json
from pathlib import Path
from typing import Any

WAY_OUT = "Move it away from beside the model, or train the model again."


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
        raise ValueError(f"{path} is not a training record: {error}. {WAY_OUT}") from error
    if not isinstance(record, dict) or record.get("kind") != "train":
        raise ValueError(f"{path} is not a training record: it has no kind 'train'. {WAY_OUT}")
    return record
