"""One call from a Keras model to .tflite files that were opened again and found right."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.isolation import function_named, run_apart
from convert.modes import io_dtype_for, mode_named
from convert.options import ConversionOptions
from convert.source.calibration import check_calibration
from convert.source.keras_file import input_shape, read_record, sha256
from convert.source.validation import check_validation
from convert.tflite_model import TFLiteModel


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
            A live model travels as a `.keras` file, so layers of the caller's own have to be
            importable or registered by a package that the process imports; for others, take False.
        progress: called with a line for each step.
        **options: fields of `ConversionOptions`.

    Returns:
        The file's content and facts, saved when a `path` is given.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: unknown mode or option value, a model or calibration data that would give a
            wrong file; the message says what is wrong and what is allowed.
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
    checked = ConversionOptions(**options)
    chosen = {name: mode_named(name) for name in modes}
    for mode in chosen.values():
        io_dtype_for(mode, checked.io_dtype, alone=len(chosen) == 1)
    if paths is not None and (missing := [name for name in chosen if name not in paths]):
        raise ValueError(f"paths has no entry for {', '.join(missing)}. Give one per mode")
    calibrated = [name for name, mode in chosen.items() if mode.calibrated]
    if calibrated and representative_dataset is None:
        raise ValueError(
            f"mode {calibrated[0]!r} needs a representative_dataset of calibration images; "
            f"it is None. Give at least {checked.minimum_images} images"
        )
    dataset = representative_dataset if calibrated else None
    arguments = checked_arguments(model, dataset, checked)
    arguments["modes"] = list(chosen)
    arguments["model_sha256"] = sha256(model) if isinstance(model, str | Path) else None
    arguments["validation"] = None
    if validation_data is not None:
        arguments["validation"] = check_validation(validation_data, shape_taken(model))
    files = run("convert.pipeline:convert", model, arguments, isolated, progress)
    return files if paths is None else {name: files[name].save(paths[name]) for name in chosen}


def checked_arguments(
    model: Any, representative_dataset: Any, options: ConversionOptions
) -> dict[str, Any]:
    """Return options and calibration, checked as far as a model tells without being loaded.

    The training record beside a `.keras` file adds the input range where the options have none.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: no `.keras` file, a file beside it that is no training record, a model that is
            not covered, or what `check_calibration` refuses.
    """
    shape = shape_taken(model)
    record = read_record(model) if isinstance(model, str | Path) else {}
    if options.input_range is None and record.get("input_range"):
        options = replace(options, input_range=tuple(record["input_range"]))
    calibration = None
    if representative_dataset is not None:
        calibration = check_calibration(
            representative_dataset,
            shape,
            input_range=options.input_range,
            minimum=options.minimum_images,
        )
    return {"options": options, "calibration": calibration}


def shape_taken(model: Any) -> tuple[int, ...] | None:
    """Return (height, width, channels) of the images that a model takes.

    None where the file of a model does not tell it before it is loaded.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: a file that is no `.keras` file, or a model that is not covered.
    """
    if isinstance(model, str | Path):
        return input_shape(model)
    from convert.source.float_tflite import check_model  # loads Keras

    check_model(model)
    return tuple(model.inputs[0].shape[1:])


def run(
    name: str,
    model: Any,
    arguments: dict[str, Any],
    isolated: bool | None,
    progress: Callable[[str], Any] | None,
) -> Any:
    """Call a function of this package with a model, here or in a process of its own.

    Args:
        name: of the function, as `run_apart` takes it.
        model: a checked model, or the path of a `.keras` file.
        arguments: the other ones; `run_apart` empties them.
        isolated: see `to_tflite`.
        progress: called with a line for each step, None for nobody.
    """
    progress = progress or _ignore
    if isolated is None:
        isolated = isinstance(model, str | Path) or _on_other_backend()
    if not isolated:
        return function_named(name)(model=model, **arguments, progress=progress)
    if isinstance(model, str | Path):
        arguments["model"] = str(model)
        return run_apart(name, arguments, progress)
    with tempfile.TemporaryDirectory(prefix="lwcnn-model-") as folder:
        arguments["model"] = str(Path(folder, "model.keras"))
        model.save(arguments["model"])
        return run_apart(name, arguments, progress)


def _ignore(step: str) -> None:
    """Report progress to nobody."""


def _on_other_backend() -> bool:
    import keras

    return keras.backend.backend() != "tensorflow"
