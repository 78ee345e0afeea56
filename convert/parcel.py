"""Values stored as files, to be handed to another process: JSON, with arrays and bytes beside it.

Numbers, texts, None, lists, tuples, dictionaries with texts as keys, paths, numpy arrays, bytes and
the dataclasses of this package travel, in each other too. Nothing is pickled.
"""

import dataclasses
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = __name__.partition(".")[0]
VALUES = "values.json"


def store(value: Any, folder: Path) -> None:
    """Write a value into a folder, which is made and has to be new.

    Raises:
        TypeError: a part of it is of a type that does not travel.
    """
    folder.mkdir()
    text = json.dumps(_packed(value, folder))
    # The value is complete once this file is there.
    partial = folder / f"{VALUES}.partial"
    partial.write_text(text)
    partial.rename(folder / VALUES)


def is_stored(folder: Path) -> bool:
    """Tell whether a folder holds a whole value."""
    return (folder / VALUES).is_file()


def restore(folder: Path) -> Any:
    """Read the value that `store` wrote into a folder."""
    return _unpacked(json.loads((folder / VALUES).read_text()), folder)


def _packed(value: Any, folder: Path) -> Any:
    """Return a value as JSON; what is more than JSON's own becomes {type: content}."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_packed(item, folder) for item in value]
    if isinstance(value, tuple):
        return {"tuple": _packed(list(value), folder)}
    if isinstance(value, dict):
        return {"dict": {key: _packed(item, folder) for key, item in value.items()}}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, np.ndarray):
        np.save(file := _new_file(folder, ".npy"), value, allow_pickle=False)
        return {"array": file.name}
    if isinstance(value, bytes):
        (file := _new_file(folder, ".bin")).write_bytes(value)
        return {"bytes": file.name}
    kind = type(value)
    if dataclasses.is_dataclass(value) and kind.__module__.partition(".")[0] == PACKAGE:
        names = [field.name for field in dataclasses.fields(value) if field.init]
        fields = {name: _packed(getattr(value, name), folder) for name in names}
        return {"dataclass": [kind.__module__, kind.__name__, fields]}
    raise TypeError(f"{value!r:.60} of type {kind.__name__} cannot travel to another process")


def _unpacked(packed: Any, folder: Path) -> Any:
    if isinstance(packed, list):
        return [_unpacked(item, folder) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "tuple":
        return tuple(_unpacked(content, folder))
    if kind == "dict":
        return {key: _unpacked(item, folder) for key, item in content.items()}
    if kind == "path":
        return Path(content)
    if kind == "array":
        return np.load(folder / content)
    if kind == "bytes":
        return (folder / content).read_bytes()
    module, name, fields = content
    values = {key: _unpacked(item, folder) for key, item in fields.items()}
    return getattr(import_module(module), name)(**values)


def _new_file(folder: Path, suffix: str) -> Path:
    return folder / f"{len(list(folder.iterdir()))}{suffix}"
