"""The conversion itself, in this process: one float flatbuffer, then each mode from it."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from convert.converter import TFLiteModel, io_dtype
from convert.modes import MODES, Mode
from convert.options import ConversionOptions
from convert.quantize.quantization import quantize
from convert.quantize.search import Judge, Search, search
from convert.quiet import quiet
from convert.source.calibration import Calibration, check_calibration
from convert.tflite.inspection import FileFacts, inspect_tflite
from convert.tflite.sidecar import package_versions
from convert.tflite.tensor_names import layer_of
from convert.tflite.verification import check_verification, compare_with_keras

VERIFIED_IMAGES = 64
VERIFIED_VALUES = 1_000_000
"""Verification takes 64 images, fewer large ones: at most so many input values, at least 4."""


def convert(
    model: Any,
    modes: list[str],
    dataset: Any,
    validation: tuple[np.ndarray, np.ndarray | None] | None,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> dict[str, TFLiteModel]:
    """Convert a model, or the `.keras` file at a path; see `to_tflites`.

    Args:
        model: a Keras model or the path of one.
        modes: names of known modes.
        dataset: the representative dataset, None when no mode is calibrated.
        validation: images and labels to judge quantization="auto" by, None to hold some back.
        options: checked options.
        progress: called with a line for each step.
    """
    with quiet():  # TensorFlow talks while it is imported
        from convert.lowering import lower, outside_delegate
        from convert.source import float_tflite as graph
        from convert.tflite import flatbuffer

    if isinstance(model, str | Path):
        progress("loading the model")
        model = graph.load_model(model)
    graph.check_model(model)
    check_class_names(options.class_names, model.outputs[0].shape[-1])
    calibration, input_range = calibrate(model, dataset, options, progress)
    progress("converting the Keras model")
    began = time.perf_counter()
    lowered, report = lower(model, options.form) if options.lower else (model, None)
    converted = graph.float_tflite(lowered, allow_select_ops=options.allow_select_ops)
    model_squash = flatbuffer.squash(converted)
    content = flatbuffer.finish(converted, options.output)
    shared = {
        "model": model.name,
        "units": int(model.outputs[0].shape[-1]),
        "output": options.output,
        "input_range": None if input_range is None else list(input_range),
        "class_names": None if options.class_names is None else list(options.class_names),
        "lowering": None if report is None else report.to_dict(),
        "float_seconds": time.perf_counter() - began,
    }
    images = verification_images(model, calibration, input_range)
    expected = graph.reference_predictions(model, images)
    file_squash = flatbuffer.squash(content)
    searched = None
    if options.quantization == "auto" and any(MODES[mode].activations == "int8" for mode in modes):
        searched = _search(content, calibration, validation, options.max_drop, progress)
        shared["search"] = searched.to_dict()
        options = replace(options, quantization=searched.best.options, max_drop=None)
    done = {}
    for name in modes:
        progress(f"writing {name}")
        mode = MODES[name]
        made = _one_mode(content, mode, calibration, options, shared, len(modes))
        if not made.facts["custom_ops"]:
            verification = compare_with_keras(
                made.content,
                images,
                expected,
                step=made.facts["outputs"][0]["scale"],
                model_squash=model_squash,
                file_squash=file_squash,
            )
            if options.verify:
                check_verification(verification, mode)
            made.facts["verification"] = verification.to_dict()
        if made.facts["partitions"]:
            made.facts["outside_delegate"] = []
            if made.facts["not_delegated"]:
                left = outside_delegate(made.content, [layer.name for layer in lowered.layers])
                made.facts["outside_delegate"] = [op.to_dict() for op in left]
        done[name] = made
    return done


def calibrate(
    model: Any, dataset: Any, options: ConversionOptions, progress: Callable[[str], Any]
) -> tuple[Calibration | None, tuple[float, float] | None]:
    """Check a representative dataset, if there is one, against the model.

    Returns:
        The calibration, and the input range, each None where it is not known.

    Raises:
        ValueError: what `check_calibration` refuses, or images unlike those of the training.
    """
    from convert.source import input_range as preprocessing

    input_range = options.input_range or preprocessing.declared_range(model)
    if dataset is None:
        return None, input_range
    progress("checking the calibration images")
    calibration = check_calibration(
        dataset,
        tuple(model.inputs[0].shape[1:]),
        input_range=input_range,
        minimum=options.minimum_images,
    )
    if options.input_range is None:
        preprocessing.check_against_statistics(model, calibration.images)
    return calibration, calibration.input_range


def check_class_names(names: tuple[str, ...] | None, units: int) -> None:
    """Refuse class names whose number is not that of the outputs; one output may have two.

    Raises:
        ValueError: another number.
    """
    if names is not None and len(names) != units and (len(names), units) != (2, 1):
        raise ValueError(f"{len(names)} class_names given for {units} outputs")


def verification_images(
    model: Any, calibration: Calibration | None, input_range: tuple[float, float] | None
) -> np.ndarray:
    """Return calibration images, or random ones in the input range, to compare outputs on."""
    shape = tuple(model.inputs[0].shape[1:])
    count = int(np.clip(VERIFIED_VALUES // np.prod(shape), 4, VERIFIED_IMAGES))
    if calibration is not None:
        return calibration.images[:count]
    low, high = input_range or (-1.0, 1.0)
    return np.random.default_rng(0).uniform(low, high, (count, *shape)).astype(np.float32)


def _search(
    content: bytes,
    calibration: Calibration,
    validation: tuple[np.ndarray, np.ndarray | None] | None,
    max_drop: float | None,
    progress: Callable[[str], Any],
) -> Search:
    from convert.quantize import weighted_ops as weights
    from convert.tflite import flatbuffer

    images = calibration.images
    if validation is None:
        images, validation = images[::2], (images[1::2], None)
    # Logits tell more than probabilities, whatever form the file is to have.
    logits = flatbuffer.finish(content, "logits")
    model = flatbuffer.read(logits)
    tensors = model.subgraphs[0].tensors
    layers = [tensors[op.target].name.decode() for op in weights.weighted_ops(model)]
    judge = Judge(logits, images, *validation)
    return search(judge, layers, max_drop=max_drop, progress=progress)


def _one_mode(
    float_content: bytes,
    mode: Mode,
    calibration: Calibration | None,
    options: ConversionOptions,
    shared: dict[str, Any],
    modes: int,
) -> TFLiteModel:
    began = time.perf_counter()
    used = calibration if mode.calibrated else None
    dtype = io_dtype(mode, options.io_dtype, modes)
    images = None if used is None else used.images
    content = quantize(float_content, mode, images, dtype, options.quantization)
    content = with_metadata(content, options, shared)
    seconds = time.perf_counter() - began
    try:
        found = inspect_tflite(content)
    except ValueError as error:
        from convert.tflite import flatbuffer

        dead = flatbuffer.without_range(content)
        why = f"; on all calibration images {layer_of(dead[0])} gives nothing but 0" if dead else ""
        raise ValueError(f"the {mode.name} file that was made is unusable: {error}{why}") from error
    _check_io(found, dtype, mode)
    if found.custom_ops and not options.allow_select_ops:
        raise ValueError(f"mode {mode.name!r} needs custom ops {', '.join(found.custom_ops)}")
    facts = describe(
        mode,
        dtype,
        found,
        seconds,
        **shared,
        quantization=options.quantization.to_dict() if mode.activations == "int8" else None,
        calibration=None if used is None else used.to_dict(),
    )
    return TFLiteModel(content, mode.name, facts)


def with_metadata(content: bytes, options: ConversionOptions, shared: dict[str, Any]) -> bytes:
    """Write labels, normalization and texts into a file that takes images."""
    from convert.tflite import metadata

    if not metadata.can_describe(content):
        return content
    names = options.class_names or ()
    return metadata.with_metadata(
        content,
        metadata.Metadata(
            name=shared["model"],
            description=options.description,
            labels=names if len(names) == shared["units"] else (),
            input_range=None if shared["input_range"] is None else tuple(shared["input_range"]),
            author=options.author,
            license=options.license,
        ),
    )


def describe(
    mode: Mode, dtype: str, found: FileFacts, seconds: float, **more: Any
) -> dict[str, Any]:
    """Return the facts that a sidecar records.

    Args:
        mode: the file's mode.
        dtype: number type of its input and output.
        found: what opening it showed.
        seconds: how long it took to make from the float file.
        **more: facts that have to do with how it was made.
    """
    return {
        "kind": "convert",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "file": None,
        "mode": mode.name,
        "engine": mode.engine,
        "io_dtype": dtype,
        **found.to_dict(),
        "model": None,
        "model_sha256": None,
        "options": None,
        "output": "model",
        "input_range": None,
        "class_names": None,
        "lowering": None,
        "outside_delegate": None,
        "float_seconds": None,
        "seconds": seconds,
        "quantization": None,
        "calibration": None,
        "verification": None,
        "versions": package_versions(),
        **more,
    }


def _check_io(found: FileFacts, dtype: str, mode: Mode) -> None:
    """Check the written file's input and output, which converters are known to get wrong."""
    for what, tensors in (("input", found.inputs), ("output", found.outputs)):
        tensor = tensors[0]
        if len(tensors) != 1 or tensor.dtype != dtype or tensor.shape[0] != 1:
            raise ValueError(
                f"the {mode.name} file has an {what} of {tensor.dtype} {tensor.shape}, "
                f"not one of {dtype} with batch 1"
            )
        integer = dtype in ("int8", "uint8", "int16")
        if integer and not (np.isfinite(tensor.scale) and tensor.scale > 0):
            raise ValueError(f"the {mode.name} file's {what} has the scale {tensor.scale}")
