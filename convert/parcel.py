"""Values stored as files, to be handed to another process: JSON, with arrays and bytes beside it.

What JSON holds travels, and in it numpy arrays, bytes and the dataclasses of this package. Nothing
is pickled. As in all JSON, tuples come back as lists.
"""

import dataclasses
import json
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = __name__.partition(".")[0]
VALUE = "value.json"
KIND = "__kind__"


def store(value: Any, folder: Path) -> None:
    """Write a value into a new folder.

    Raises:
        TypeError: a part of it is of a type that does not travel.
    """
    folder.mkdir()
    text = json.dumps(value, default=partial(_packed, folder))
    partial_file = folder / f"partial-{VALUE}"
    partial_file.write_text(text)
    partial_file.rename(folder / VALUE)


def is_stored(folder: Path) -> bool:
    """Tell whether a folder holds a whole value."""
    return (folder / VALUE).is_file()


def restore(folder: Path) -> Any:
    """Return the value that `store` wrote into a folder."""
    return json.loads((folder / VALUE).read_text(), object_hook=partial(_unpacked, folder))


def _packed(folder: Path, value: Any) -> dict[str, Any]:
    """Return a value that is none of JSON's own as a dictionary with its kind."""
    file = folder / str(len(list(folder.iterdir())))
    if isinstance(value, np.ndarray):
        with file.open("wb") as opened:
            np.save(opened, value, allow_pickle=False)
        return {KIND: "array", "file": file.name}
    if isinstance(value, bytes):
        file.write_bytes(value)
        return {KIND: "bytes", "file": file.name}
    kind = type(value)
    if dataclasses.is_dataclass(value) and kind.__module__.partition(".")[0] == PACKAGE:
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return {KIND: kind.__name__, "module": kind.__module__, "fields": fields}
    raise TypeError(f"{value!r:.60} of type {kind.__name__} cannot travel to another process")


def _unpacked(folder: Path, packed: dict[str, Any]) -> Any:
    kind = packed.get(KIND)
    if kind is None:
        return packed
    if kind == "array":
        return np.load(folder / packed["file"])
    if kind == "bytes":
        return (folder / packed["file"]).read_bytes()
    return getattr(import_module(packed["module"]), kind)(**packed["fields"])
