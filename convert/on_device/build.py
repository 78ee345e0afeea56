"""The conversion to a trainable file itself, in this process."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from convert.lowering import lower
from convert.modes import Mode
from convert.on_device import signatures
from convert.on_device.check import TrainingCheck, check_training, train_once
from convert.on_device.head import Head, split_head
from convert.options import ConversionOptions
from convert.quiet import quiet
from convert.source.calibration import Calibration
from convert.source.float_tflite import reference_predictions
from convert.source.prepared_model import PreparedModel, prepare_model
from convert.tflite.inspection import inspect_tflite
from convert.tflite.sidecar import Sidecar
from convert.tflite.verification import Verification, check_verification, compare_with_keras
from convert.tflite_model import TFLiteModel

TRAINABLE = Mode("trainable", "the last layer learns on the device", "float32", "float32")
"""Not among `MODES`: it is made by `trainable_tflite`, not by quantizing a float file."""


def build(
    model: Any,
    batch_size: int,
    calibration: Calibration | None,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> TFLiteModel:
    """Convert a model, or the `.keras` file at a path; see `trainable_tflite`.

    Args:
        model: a Keras model or the path of one.
        batch_size: images of one training step.
        calibration: checked images, None for random ones.
        options: checked options.
        progress: called with a line for each step.
    """
    source = prepare_model(model, calibration, options, progress)
    body, head = split_head(source.model)
    progress("converting the Keras model")
    began = time.perf_counter()
    lowered, report = lower(body, options.form) if options.lower else (body, None)
    softmax = head.softmax if options.output == "model" else options.output == "probabilities"
    content = signatures.trainable_flatbuffer(lowered, head, batch_size, softmax)
    content = source.describe(content, options)
    seconds = time.perf_counter() - began
    progress("checking the file")
    facts = inspect_tflite(content)
    if facts.custom_ops:
        raise ValueError(
            f"the trainable file needs the custom ops {', '.join(facts.custom_ops)}; allowed are "
            "TFLite's builtin ones"
        )
    verification, training = _checked(content, source, body, head, batch_size, softmax)
    if options.verify:
        check_verification(verification, TRAINABLE)
        check_training(training)
    sidecar = Sidecar.of(
        facts,
        TRAINABLE,
        "float32",
        **source.to_dict(),
        output=options.output,
        class_names=options.class_names,
        lowering=None if report is None else report.to_dict(),
        seconds=seconds,
        training={"layer": head.name, "batch_size": batch_size, "check": training.to_dict()},
        calibration=None if source.calibration is None else source.calibration.to_dict(),
        verification=verification.to_dict(),
    )
    return TFLiteModel(content, sidecar)


def _checked(
    content: bytes, source: PreparedModel, body: Any, head: Head, batch_size: int, softmax: bool
) -> tuple[Verification, TrainingCheck]:
    """Compare a file's inference with the Keras model, and train it by one step."""
    images = source.verification_images()
    with quiet():
        outputs = reference_predictions(source.model, images)
        features = reference_predictions(body, images)
    verification = compare_with_keras(
        content,
        images,
        outputs,
        model_squash="SOFTMAX" if head.softmax else None,
        file_squash="SOFTMAX" if softmax else None,
    )
    batch = np.arange(batch_size) % len(images)
    return verification, train_once(content, images[batch], features[batch], outputs[batch])
