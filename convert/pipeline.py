"""The conversion itself, in this process: one float flatbuffer, then each mode from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from convert.lowering import LoweringReport, lower
from convert.modes import MODES, Mode, io_dtype_for
from convert.options import ConversionOptions, QuantizationOptions
from convert.quantize.quantization import quantize
from convert.quantize.search import Judge, Search, search
from convert.quantize.weighted_ops import weighted_ops
from convert.source.calibration import Calibration
from convert.source.float_tflite import float_tflite, reference_predictions
from convert.source.prepared_model import PreparedModel, prepare_model
from convert.source.validation import Validation
from convert.tflite import flatbuffer
from convert.tflite.inspection import FileFacts, inspect_tflite
from convert.tflite.outside_delegate import outside_delegate
from convert.tflite.sidecar import Sidecar
from convert.tflite.tensor_names import layer_of
from convert.tflite.verification import Verification, check_verification, compare_with_keras
from convert.tflite_model import TFLiteModel


def convert(
    model: Any,
    modes: list[str],
    calibration: Calibration | None,
    validation: Validation | None,
    options: ConversionOptions,
    model_sha256: str | None,
    progress: Callable[[str], Any],
) -> dict[str, TFLiteModel]:
    """Convert a model, or the `.keras` file at a path; see `to_tflites`.

    Args:
        model: a Keras model or the path of one.
        modes: names of known modes.
        calibration: checked images, None when no mode is calibrated.
        validation: images to judge quantization="auto" by, None to hold some back.
        options: checked options.
        model_sha256: of the caller's `.keras` file, None for a live model.
        progress: called with a line for each step.
    """
    source = prepare_model(model, calibration, options, progress)
    progress("converting the Keras model")
    float_file = _float_file(source, options)
    images = source.verification_images()
    verify = partial(
        compare_with_keras,
        images=images,
        expected=reference_predictions(source.model, images),
        model_squash=float_file.model_squash,
        file_squash=flatbuffer.squash(float_file.content),
    )
    quantization, trials = options.quantization, None
    if quantization == "auto" and any(MODES[mode].activations == "int8" for mode in modes):
        trials = _search(float_file.content, source.calibration, validation, options, progress)
        quantization = trials.best.options
    writer = _Writer(
        source=source,
        float_file=float_file,
        verify=verify,
        quantization=quantization,
        search=trials,
        options=options,
        model_sha256=model_sha256,
        alone=len(modes) == 1,
    )
    files = {}
    for name in modes:
        progress(f"writing {name}")
        files[name] = writer.write(MODES[name])
    return files


@dataclass(frozen=True)
class FloatFile:
    """The float file that every mode is made from.

    Attributes:
        content: a float32 flatbuffer with the output that was asked for.
        model_squash: "SOFTMAX" or "LOGISTIC" when the Keras model ends in it, else None.
        layer_names: names of the layers of the lowered model.
        lowering: what was rewritten, None when nothing was to be.
        seconds: how long it took to make.
    """

    content: bytes = field(repr=False)
    model_squash: str | None
    layer_names: tuple[str, ...] = field(repr=False)
    lowering: LoweringReport | None
    seconds: float


def _float_file(source: PreparedModel, options: ConversionOptions) -> FloatFile:
    began = time.perf_counter()
    lowered, report = source.model, None
    if options.lower:
        lowered, report = lower(source.model, options.form)
    content = float_tflite(lowered, allow_select_ops=options.allow_select_ops)
    return FloatFile(
        content=flatbuffer.finish(content, options.output),
        model_squash=flatbuffer.squash(content),
        layer_names=tuple(layer.name for layer in lowered.layers),
        lowering=report,
        seconds=time.perf_counter() - began,
    )


def _search(
    content: bytes,
    calibration: Calibration,
    validation: Validation | None,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> Search:
    """Find the way to quantize that comes nearest to float on the validation images."""
    images = calibration.images
    if validation is None:
        images, validation = images[::2], Validation(images[1::2])
    # Logits tell more than probabilities, whatever form the file is to have.
    logits = flatbuffer.finish(content, "logits")
    layers = [op.target_name for op in weighted_ops(flatbuffer.read(logits))]
    judge = Judge(logits, images, validation.images, validation.labels)
    return search(judge, layers, max_drop=options.max_drop, progress=progress)


@dataclass(frozen=True)
class _Writer:
    """Writes the modes of one model; what they share is known."""

    source: PreparedModel
    float_file: FloatFile
    verify: Callable[..., Verification]
    quantization: QuantizationOptions
    search: Search | None
    options: ConversionOptions
    model_sha256: str | None
    alone: bool

    def write(self, mode: Mode) -> TFLiteModel:
        """Return the file of a mode, opened again and compared with the Keras model."""
        began = time.perf_counter()
        dtype = io_dtype_for(mode, self.options.io_dtype, alone=self.alone)
        calibration = self.source.calibration if mode.calibrated else None
        images = None if calibration is None else calibration.images
        content = quantize(self.float_file.content, mode, images, dtype, self.quantization)
        content = self.source.describe(content, self.options)
        seconds = time.perf_counter() - began
        facts = _inspected(content, mode, dtype)
        if facts.custom_ops and not self.options.allow_select_ops:
            raise ValueError(
                f"mode {mode.name!r} needs the custom ops {', '.join(facts.custom_ops)}; allowed "
                "are TFLite's builtin ones. allow_select_ops=True keeps those that TensorFlow runs"
            )
        sidecar = Sidecar.of(
            facts,
            mode,
            dtype,
            **self._shared(),
            seconds=seconds,
            quantization=self.quantization.to_dict() if mode.activations == "int8" else None,
            calibration=None if calibration is None else calibration.to_dict(),
            verification=self._verification(content, facts, mode),
            outside_delegate=self._outside_delegate(content, facts),
        )
        return TFLiteModel(content, sidecar)

    def _shared(self) -> dict[str, Any]:
        """Return the sidecar's fields that all modes have in common."""
        lowering = self.float_file.lowering
        return {
            **self.source.to_dict(),
            "model_sha256": self.model_sha256,
            "options": self.options.to_dict(),
            "output": self.options.output,
            "class_names": self.options.class_names,
            "lowering": None if lowering is None else lowering.to_dict(),
            "float_seconds": self.float_file.seconds,
            "search": None if self.search is None else self.search.to_dict(),
        }

    def _verification(self, content: bytes, facts: FileFacts, mode: Mode) -> dict[str, Any] | None:
        if facts.custom_ops:  # which no interpreter here runs
            return None
        verification = self.verify(content, step=facts.outputs[0].scale)
        if self.options.verify:
            check_verification(verification, mode)
        return verification.to_dict()

    def _outside_delegate(self, content: bytes, facts: FileFacts) -> list[dict[str, Any]] | None:
        if not facts.partitions:
            return None
        if not facts.not_delegated:
            return []
        return [op.to_dict() for op in outside_delegate(content, self.float_file.layer_names)]


def _inspected(content: bytes, mode: Mode, dtype: str) -> FileFacts:
    """Open a file, and check its input and output, which converters are known to get wrong."""
    try:
        facts = inspect_tflite(content)
    except ValueError as error:
        dead = flatbuffer.without_range(content)
        why = f"; on all calibration images {layer_of(dead[0])} gives nothing but 0" if dead else ""
        raise ValueError(f"the new {mode.name} file cannot be opened: {error}{why}") from error
    for what, tensors in (("input", facts.inputs), ("output", facts.outputs)):
        tensor = tensors[0]
        if len(tensors) != 1 or tensor.dtype != dtype or tensor.shape[0] != 1:
            raise ValueError(
                f"the {mode.name} file has an {what} of {tensor.dtype} {tensor.shape}; "
                f"expected is one of {dtype} with batch 1"
            )
        integer = dtype in ("int8", "uint8", "int16")
        if integer and not (np.isfinite(tensor.scale) and tensor.scale > 0):
            raise ValueError(
                f"the {mode.name} file's {what} has the scale {tensor.scale}; "
                "expected is a finite one above 0"
            )
    return facts
