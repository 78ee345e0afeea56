"""The JSON file beside each .tflite file that says what it is and how it was made."""

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from keras_lwcnn.files import write_json

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer", "numpy")
REQUIRED = ("kind", "file", "sha256", "size", "mode", "inputs", "outputs", "ops", "versions")


def sidecar_path(path: str | Path) -> Path:
    """Return the sidecar's path: NAME.tflite.json beside NAME.tflite."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that shape a converted file."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_sidecar(path: str | Path, facts: dict[str, Any]) -> Path:
    """Write the sidecar of the .tflite file at `path`, whole or not at all."""
    return write_json(sidecar_path(path), facts)


def conversion_seconds(facts: dict[str, Any]) -> float | None:
    """Return how long it took to make a file: the Keras conversion, shared by modes, and its own.

    None for files that were made in another way.
    """
    parts = (facts.get("float_seconds"), facts.get("seconds"))
    return None if None in parts else sum(parts)


def read_sidecar(path: str | Path, *, verify: bool = True) -> dict[str, Any]:
    """Read the sidecar of a .tflite file.

    Args:
        path: the .tflite file.
        verify: also check that the file beside it is the one described.

    Raises:
        FileNotFoundError: there is no sidecar, or no file to verify.
        ValueError: no valid sidecar, or one of another file.
    """
    source = sidecar_path(path)
    if not source.is_file():
        raise FileNotFoundError(
            f"{source} does not exist: {path} has no sidecar, which the conversion writes"
        )
    try:
        facts = json.loads(source.read_text())
    except ValueError as error:
        raise ValueError(f"{source} is no JSON: {error}") from error
    missing = [key for key in REQUIRED if not isinstance(facts, dict) or key not in facts]
    if missing or facts["kind"] != "convert":
        raise ValueError(f"{source} is no sidecar of a .tflite file: it lacks {missing or 'kind'}")
    if verify:
        sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if sha256 != facts["sha256"]:
            raise ValueError(
                f"{source} describes another file: sha256 {facts['sha256'][:12]}…, "
                f"{path} has {sha256[:12]}…"
            )
    return facts
