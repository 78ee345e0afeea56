"""A converted model: the content of a .tflite file and its sidecar."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from android_bench.files import write_whole
from convert.tflite.sidecar import Sidecar


@dataclass(frozen=True)
class TFLiteModel:
    """A converted model.

    Attributes:
        content: the bytes of the .tflite file.
        sidecar: what it is and how it was made.
        path: where it was saved, None before.
    """

    content: bytes
    sidecar: Sidecar
    path: Path | None = None

    @property
    def mode(self) -> str:
        """Name of its mode."""
        return self.sidecar.mode

    @property
    def facts(self) -> dict[str, Any]:
        """The sidecar as a dictionary, as `to_dict` returns it."""
        return self.sidecar.to_dict()

    def save(self, path: str | Path) -> "TFLiteModel":
        """Write NAME.tflite and its sidecar NAME.tflite.json, each whole or not at all.

        Returns:
            The same model with `path` set, and the file's name in its sidecar.
        """
        path = write_whole(Path(path), self.content)
        sidecar = replace(self.sidecar, file=path.name)
        sidecar.write(path)
        return TFLiteModel(self.content, sidecar, path)

    def to_dict(self) -> dict[str, Any]:
        """Return the sidecar's content."""
        return self.facts

    def __repr__(self) -> str:
        place = "not saved" if self.path is None else str(self.path)
        return f"TFLiteModel({self.mode}, {len(self.content):,} bytes, {place})"
