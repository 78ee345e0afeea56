"""One call from a Keras model to .tflite files that were opened again and found right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.modes import Mode, io_dtype_for, mode_named
from convert.options import ConversionOptions
from convert.source.calibration import check_calibration
from convert.source.keras_file import check_keras_file, sha256
from convert.tflite.sidecar import write_sidecar
from keras_lwcnn.files import write_bytes
from keras_lwcnn.record import read_record


@dataclass(frozen=True)
class TFLiteModel:
    """A converted model.

    Attributes:
        content: the bytes of the .tflite file.
        mode: name of its mode.
        facts: what the sidecar records.
        path: where it was saved, None before.
    """

    content: bytes
    mode: str
    facts: dict[str, Any]
    path: Path | None = None

    def save(self, path: str | Path) -> "TFLiteModel":
        """Write NAME.tflite and its sidecar NAME.tflite.json, each whole or not at all.

        Returns:
            The same model with `path` set.
        """
        path = write_bytes(path, self.content)
        saved = TFLiteModel(self.content, self.mode, dict(self.facts, file=path.name), path)
        write_sidecar(path, saved.to_dict())
        return saved

    def to_dict(self) -> dict[str, Any]:
        """Return the sidecar's content."""
        return dict(self.facts)


def to_tflite(
    model: Any,
    mode: str = "float32",
    representative_dataset: Any = None,
    *,
    path: str | Path | None = None,
    validation_data: Any = None,
    isolated: bool | None = None,
    progress: Callable[[str], Any] | None = None,
    **options: Any,
) -> TFLiteModel:
    """Convert a Keras model to one TFLite file with batch 1.

    Args:
        model: a functional or sequential Keras 3 model with one input and one output, or the path
            of a `.keras` file, which is loaded in safe mode.
        mode: a name among `MODES`.
        representative_dataset: calibration images for the int8 and int16x8 modes, preprocessed
            as in training; see `check_calibration` for the forms taken and the checks made.
        path: where to save the file; None leaves it in memory.
        validation_data: images, or (images, labels), that quantization="auto" judges by, in the
            forms that calibration takes; never test images. None holds half of the calibration
            images back for it.
        isolated: convert in a process of its own, which gives all memory back and takes a crash
            of the converter with it. None does so for paths and on other backends than TensorFlow.
        progress: called with a line for each step.
        **options: fields of `ConversionOptions`.

    Returns:
        The file's content and facts, saved when a `path` is given.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: unknown mode or option value, a model or calibration data that would give a
            wrong file; the message says what was found and what is allowed.
        RuntimeError: the converter crashed.
    """
    return to_tflites(
        model,
        [mode],
        representative_dataset,
        paths=None if path is None else {mode: path},
        validation_data=validation_data,
        isolated=isolated,
        progress=progress,
        **options,
    )[mode]


def to_tflites(
    model: Any,
    modes: Sequence[str],
    representative_dataset: Any = None,
    *,
    paths: Mapping[str, str | Path] | None = None,
    validation_data: Any = None,
    isolated: bool | None = None,
    progress: Callable[[str], Any] | None = None,
    **options: Any,
) -> dict[str, TFLiteModel]:
    """Convert a Keras model to several modes with one Keras conversion.

    Args:
        model: see `to_tflite`, as for what is not named here.
        modes: names among `MODES`.
        representative_dataset: see `to_tflite`.
        paths: mode -> where to save it; None leaves the files in memory.
        validation_data: see `to_tflite`.
        isolated: see `to_tflite`.
        progress: see `to_tflite`.
        **options: fields of `ConversionOptions`.

    Returns:
        mode -> file.

    Raises:
        FileNotFoundError: see `to_tflite`.
        ValueError: see `to_tflite`.
        RuntimeError: see `to_tflite`.
    """
    asked = ConversionOptions(**options)
    chosen = {name: mode_named(name) for name in modes}
    for mode in chosen.values():
        io_dtype(mode, asked.io_dtype, len(chosen))
    if paths is not None and (missing := [name for name in chosen if name not in paths]):
        raise ValueError(f"paths has no entry for {', '.join(missing)}")
    needed = [name for name, mode in chosen.items() if mode.calibrated]
    if needed and representative_dataset is None:
        raise ValueError(f"mode {needed[0]!r} needs a representative_dataset of calibration images")
    dataset = representative_dataset if needed else None
    asked = with_recorded_range(model, asked)
    digest = sha256(model) if isinstance(model, str | Path) else None
    if runs_apart(model, isolated):
        from convert.isolation import convert_isolated as convert
    else:
        from convert.pipeline import convert
    validation = _validation(validation_data)
    done = convert(model, list(chosen), dataset, validation, asked, progress or _ignore)
    for made in done.values():
        made.facts.update(model_sha256=digest, options=asked.to_dict())
    return done if paths is None else {name: done[name].save(paths[name]) for name in chosen}


def io_dtype(mode: Mode, asked: str | None, modes: int) -> str:
    """Return a mode's I/O type; among several modes, those without a choice ignore the option."""
    if modes > 1 and (len(mode.io_dtypes) == 1 or asked not in mode.io_dtypes):
        asked = None
    return io_dtype_for(mode, asked)


def with_recorded_range(model: Any, options: ConversionOptions) -> ConversionOptions:
    """Add the input range that the training record beside a `.keras` file tells, where needed.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: the file there, or its record, is none.
    """
    if not isinstance(model, str | Path):
        return options
    check_keras_file(model)
    if options.input_range is None and (known := read_record(model).get("input_range")):
        return replace(options, input_range=tuple(known))
    return options


def runs_apart(model: Any, isolated: bool | None) -> bool:
    """Tell whether to convert in a process of its own; None does so for what needs or suits it."""
    if isolated is None:
        return isinstance(model, str | Path) or _other_backend()
    return isolated


def _validation(data: Any) -> tuple[np.ndarray, np.ndarray | None] | None:
    if data is None:
        return None
    images, labels = data if isinstance(data, tuple) else (data, None)
    images = check_calibration(images, None).images
    if labels is not None:
        labels = np.asarray(labels).reshape(-1)
        if len(labels) != len(images):
            raise ValueError(f"validation_data holds {len(images)} images and {len(labels)} labels")
    return images, labels


def _ignore(step: str) -> None:
    """Report progress to nobody."""


def _other_backend() -> bool:
    import keras

    return keras.backend.backend() != "tensorflow"
