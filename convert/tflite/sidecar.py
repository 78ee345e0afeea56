"""The JSON file beside each .tflite file that says what it is and how it was made."""

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from android_bench.files import write_whole
from convert.modes import Mode
from convert.tflite.inspection import FileFacts

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer", "numpy")
KIND = "convert"


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What a .tflite file is and how it was made; its fields are the keys of the JSON file.

    Fields with a default may be missing in a file that an older version wrote. None stands for
    what does not apply to the file, or was not looked at.
    """

    # The file.
    date: str | None = None  # ISO 8601, UTC
    file: str | None  # name; None before it is saved
    mode: str
    engine: str | None = None  # what wrote it: "tensorflow", "ai-edge-quantizer"
    io_dtype: str | None = None
    # What opening it showed; see `FileFacts`.
    size: int
    sha256: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    ops: dict[str, int]
    custom_ops: list[str] | None = None
    nodes: int | None = None
    delegated_nodes: int | None = None
    partitions: int | None = None
    not_delegated: list[str] | None = None
    # The Keras model that it comes from.
    model: str | None = None  # name
    model_sha256: str | None = None  # of the `.keras` file, where it was converted from one
    units: int | None = None  # size of the output
    # How it was made.
    options: dict[str, Any] | None = None  # `ConversionOptions`, as asked
    output: str = "model"
    input_range: list[float] | None = None
    class_names: list[str] | None = None
    lowering: dict[str, Any] | None = None  # `LoweringReport`
    outside_delegate: list[dict[str, Any]] | None = None  # `OutsideOp`
    float_seconds: float | None = None  # the Keras conversion, which all modes share
    seconds: float | None = None  # the rest
    quantization: dict[str, Any] | None = None  # `QuantizationOptions`, as used
    search: dict[str, Any] | None = None  # `Search`, with quantization="auto"
    training: dict[str, Any] | None = None  # of files that were, or can be, trained
    calibration: dict[str, Any] | None = None  # `Calibration.to_dict`
    verification: dict[str, Any] | None = None  # `Verification`
    versions: dict[str, str]  # package -> version

    @classmethod
    def of(cls, facts: FileFacts, mode: Mode, io_dtype: str, **made: Any) -> "Sidecar":
        """Return the sidecar of a file that was made now and is not saved yet.

        Args:
            facts: what opening the file showed.
            mode: the file's mode.
            io_dtype: number type of its input and output.
            **made: the other fields, of how it was made.
        """
        return cls(
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            file=None,
            mode=mode.name,
            engine=mode.engine,
            io_dtype=io_dtype,
            versions=package_versions(),
            **facts.to_dict(),
            **made,
        )

    @classmethod
    def read(cls, path: str | Path, *, verify: bool = True) -> "Sidecar":
        """Read the sidecar of the .tflite file at `path`; see `read_sidecar`."""
        source = sidecar_path(path)
        if not source.is_file():
            raise FileNotFoundError(
                f"{source} does not exist: {path} has no sidecar. Convert it again: the "
                "conversion writes one"
            )
        try:
            facts = json.loads(source.read_text())
        except ValueError as error:
            raise ValueError(f"{source} is no JSON: {error}") from error
        keys = facts if isinstance(facts, dict) else {}
        missing = [name for name in REQUIRED if name not in keys]
        if missing or facts["kind"] != KIND:
            raise ValueError(
                f"{source} is no sidecar of a .tflite file: it lacks {missing or 'kind'}"
            )
        sidecar = cls(**{each.name: facts[each.name] for each in fields(cls) if each.name in facts})
        if verify:
            sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            if sha256 != sidecar.sha256:
                raise ValueError(
                    f"{source} describes another file: sha256 {sidecar.sha256[:12]}…, "
                    f"{path} has {sha256[:12]}…"
                )
        return sidecar

    def write(self, path: str | Path) -> Path:
        """Write the sidecar of the .tflite file at `path`, whole or not at all."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        return write_whole(sidecar_path(path), f"{text}\n".encode())

    def conversion_seconds(self) -> float | None:
        """Return how long it took to make the file, with the conversion that all modes share.

        None for files that were made in another way.
        """
        if self.float_seconds is None or self.seconds is None:
            return None
        return self.float_seconds + self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the row of kind "convert", in JSON's own types."""
        return {"kind": KIND} | json.loads(json.dumps(asdict(self)))

    def __repr__(self) -> str:
        return (
            f"Sidecar({self.file or 'not saved'}: {self.mode} of model {self.model!r}, "
            f"{self.size:,} bytes, {self.date})"
        )


REQUIRED = ("kind",) + tuple(
    each.name
    for each in fields(Sidecar)
    if each.default is MISSING and each.default_factory is MISSING
)


def sidecar_path(path: str | Path) -> Path:
    """Return the sidecar's path: NAME.tflite.json beside NAME.tflite."""
    path = Path(path)
    return path.with_name(path.name + ".json")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that shape a converted file."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def read_sidecar(path: str | Path, *, verify: bool = True) -> dict[str, Any]:
    """Return the sidecar of a .tflite file as a dictionary, None for what it does not tell.

    Args:
        path: the .tflite file.
        verify: also check that the file beside it is the one described.

    Raises:
        FileNotFoundError: there is no sidecar, or no file to verify.
        ValueError: no valid sidecar, or one of another file.
    """
    return Sidecar.read(path, verify=verify).to_dict()
