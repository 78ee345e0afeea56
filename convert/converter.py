"""One call from a Keras model to .tflite files that were opened again and found right."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from convert.calibration import MINIMUM_IMAGES, Calibration, check_calibration
from convert.inspection import FileFacts, inspect_tflite
from convert.modes import OUTPUTS, Mode, io_dtype_for, mode_named
from convert.quiet import quiet
from convert.sidecar import package_versions, write_sidecar
from keras_lwcnn.files import write_bytes


@dataclass(frozen=True)
class TFLiteModel:
    """A converted model.

    Attributes:
        content: the bytes of the .tflite file.
        mode: name of its mode.
        facts: what the sidecar records, see `to_dict`.
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
    io_dtype: str | None = None,
    input_range: tuple[float, float] | None = None,
    output: str = "model",
    class_names: Sequence[str] | None = None,
    allow_select_ops: bool = False,
    minimum_images: int = MINIMUM_IMAGES,
) -> TFLiteModel:
    """Convert a Keras model to one TFLite file with batch 1.

    Args:
        model: a functional or sequential Keras 3 model with one input and one output, or the path
            of a `.keras` file, which is loaded in safe mode.
        mode: "float32", "float16", "dynamic", "int8" or "int16x8".
        representative_dataset: calibration images for int8 and int16x8, preprocessed as in
            training; see `check_calibration` for the forms taken and the checks made.
        path: where to save the file; None leaves it in memory.
        io_dtype: number type of input and output: "int8" (default), "uint8" or "float32" for
            int8; "float32" (default) or "int16" for int16x8.
        input_range: (low, high) of the preprocessing. None takes it from a leading Rescaling or
            Normalization layer; without one, the first BatchNormalization's statistics decide.
        output: "model" as it is, "logits" without a final softmax, "probabilities" with one.
        class_names: names of the classes, for the sidecar.
        allow_select_ops: allow TensorFlow ops that need the Flex delegate.
        minimum_images: how many distinct calibration images are asked for.

    Returns:
        The file's content and facts, saved when a `path` is given.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: unknown mode or option, a model or calibration data that would give a wrong
            file; the message says what was found and what is allowed.
    """
    models = to_tflites(
        model,
        [mode],
        representative_dataset,
        paths=None if path is None else {mode: path},
        io_dtype=io_dtype,
        input_range=input_range,
        output=output,
        class_names=class_names,
        allow_select_ops=allow_select_ops,
        minimum_images=minimum_images,
    )
    return models[mode]


def to_tflites(
    model: Any,
    modes: Sequence[str],
    representative_dataset: Any = None,
    *,
    paths: Mapping[str, str | Path] | None = None,
    io_dtype: str | None = None,
    input_range: tuple[float, float] | None = None,
    output: str = "model",
    class_names: Sequence[str] | None = None,
    allow_select_ops: bool = False,
    minimum_images: int = MINIMUM_IMAGES,
) -> dict[str, TFLiteModel]:
    """Convert a Keras model to several modes with one Keras conversion.

    Args:
        model: see `to_tflite`, like all other arguments.
        modes: names of modes.
        representative_dataset: see `to_tflite`.
        paths: mode -> where to save it; None leaves the files in memory.
        io_dtype: for the calibrated modes; float modes keep float32.
        input_range: see `to_tflite`.
        output: see `to_tflite`.
        class_names: see `to_tflite`.
        allow_select_ops: see `to_tflite`.
        minimum_images: see `to_tflite`.

    Returns:
        mode -> file.

    Raises:
        FileNotFoundError: see `to_tflite`.
        ValueError: see `to_tflite`.
    """
    chosen = {name: mode_named(name) for name in modes}
    types = {name: _io_dtype(mode, io_dtype, len(chosen)) for name, mode in chosen.items()}
    if paths is not None and (missing := [name for name in chosen if name not in paths]):
        raise ValueError(f"paths has no entry for {', '.join(missing)}")
    if output not in OUTPUTS:
        raise ValueError(f"output={output!r} is unknown; allowed are {', '.join(OUTPUTS)}")
    needed = [name for name, mode in chosen.items() if mode.calibrated]
    if needed and representative_dataset is None:
        raise ValueError(f"mode {needed[0]!r} needs a representative_dataset of calibration images")
    with quiet():  # TensorFlow talks while it is imported
        from convert import flatbuffer, graph

    if isinstance(model, str | Path):
        model = graph.load_model(model)
    graph.check_model(model)
    if class_names is not None and len(class_names) != model.outputs[0].shape[-1]:
        units = model.outputs[0].shape[-1]
        if (len(class_names), units) != (2, 1):
            raise ValueError(f"{len(class_names)} class_names given for {units} outputs")
    calibration = None
    if needed:
        calibration = _calibration(model, representative_dataset, input_range, minimum_images)
        input_range = calibration.input_range
    began = time.perf_counter()
    content = graph.float_tflite(model, allow_select_ops=allow_select_ops)
    content = flatbuffer.finish(content, output)
    shared = {
        "model": model.name,
        "output": output,
        "input_range": None if input_range is None else list(input_range),
        "class_names": None if class_names is None else list(class_names),
        "float_seconds": time.perf_counter() - began,
    }
    done = {}
    for name, mode in chosen.items():
        converted = _convert(content, mode, types[name], calibration, shared)
        if converted.facts["custom_ops"] and not allow_select_ops:
            raise ValueError(f"mode {name!r} needs custom ops {converted.facts['custom_ops']}")
        done[name] = converted if paths is None else converted.save(paths[name])
    return done


def _io_dtype(mode: Mode, io_dtype: str | None, modes: int) -> str:
    """Return a mode's I/O type; among several modes the float ones ignore the option."""
    if modes > 1 and not mode.calibrated:
        io_dtype = None
    return io_dtype_for(mode, io_dtype)


def _calibration(
    model: Any, dataset: Any, input_range: tuple[float, float] | None, minimum: int
) -> Calibration:
    from convert import preprocessing

    calibration = check_calibration(
        dataset,
        tuple(model.inputs[0].shape[1:]),
        input_range=input_range or preprocessing.declared_range(model),
        minimum=minimum,
    )
    if input_range is None:
        preprocessing.check_against_statistics(model, calibration.images)
    return calibration


def _convert(
    float_content: bytes,
    mode: Mode,
    io_dtype: str,
    calibration: Calibration | None,
    shared: dict[str, Any],
) -> TFLiteModel:
    from convert.quantization import quantize

    began = time.perf_counter()
    images = calibration.images if mode.calibrated and calibration is not None else None
    content = quantize(float_content, mode, images, io_dtype)
    seconds = time.perf_counter() - began
    found = inspect_tflite(content)
    _check_io(found, io_dtype, mode)
    facts = {
        "kind": "convert",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "file": None,
        "mode": mode.name,
        "io_dtype": io_dtype,
        **found.to_dict(),
        **shared,
        "seconds": seconds,
        "calibration": calibration.to_dict() if images is not None else None,
        "versions": package_versions(),
    }
    return TFLiteModel(content, mode.name, facts)


def _check_io(found: FileFacts, io_dtype: str, mode: Mode) -> None:
    """Check the written file's input and output, which converters are known to get wrong."""
    for what, tensors in (("input", found.inputs), ("output", found.outputs)):
        if len(tensors) != 1 or tensors[0].dtype != io_dtype or tensors[0].shape[0] != 1:
            raise ValueError(
                f"the converted {mode.name} file has the {what} "
                f"{[(tensor.dtype, tensor.shape) for tensor in tensors]}, "
                f"not one of {io_dtype} with batch 1"
            )
