"""The conversion to a trainable file itself, in this process."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convert.converter import TFLiteModel
from convert.modes import Mode
from convert.options import ConversionOptions
from convert.pipeline import (
    calibrate,
    check_class_names,
    describe,
    verification_images,
    with_metadata,
)
from convert.quiet import quiet
from convert.tflite.inspection import inspect_tflite
from convert.tflite.verification import check_verification, compare_with_keras

TRAINABLE = Mode("trainable", "the last layer learns on the device", "float32", "float32")
"""Not among `MODES`: it is made by `trainable_tflite`, not by quantizing a float file."""


def build(
    model: Any,
    batch_size: int,
    dataset: Any,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> TFLiteModel:
    """Convert a model, or the `.keras` file at a path; see `trainable_tflite`."""
    with quiet():  # TensorFlow talks while it is imported
        from convert.lowering import lower
        from convert.on_device import check, signatures
        from convert.on_device.head import split_head
        from convert.source import float_tflite as graph

    if isinstance(model, str | Path):
        progress("loading the model")
        model = graph.load_model(model)
    graph.check_model(model)
    graph.check_backend()
    original, head = split_head(model)
    check_class_names(options.class_names, len(head.bias))
    calibration, input_range = calibrate(model, dataset, options, progress)
    progress("converting the Keras model")
    began = time.perf_counter()
    body, report = lower(original, options.form) if options.lower else (original, None)
    softmax = head.softmax if options.output == "model" else options.output == "probabilities"
    content = signatures.float_tflite(body, head, batch_size, softmax)
    facts = {
        "model": model.name,
        "units": len(head.bias),
        "output": options.output,
        "input_range": None if input_range is None else list(input_range),
        "class_names": None if options.class_names is None else list(options.class_names),
        "lowering": None if report is None else report.to_dict(),
    }
    content = with_metadata(content, options, facts)
    seconds = time.perf_counter() - began
    progress("checking the file")
    found = inspect_tflite(content)
    if found.custom_ops:
        raise ValueError(f"the trainable file needs custom ops {', '.join(found.custom_ops)}")
    images = verification_images(model, calibration, input_range)
    with quiet():
        outputs = graph.reference_predictions(model, images)
        features = graph.reference_predictions(original, images)
    verification = compare_with_keras(
        content,
        images,
        outputs,
        model_squash="SOFTMAX" if head.softmax else None,
        file_squash="SOFTMAX" if softmax else None,
    )
    batch = np.arange(batch_size) % len(images)
    training = check.train_once(content, images[batch], features[batch], outputs[batch])
    if options.verify:
        check_verification(verification, TRAINABLE)
        check.check_training(training)
    facts |= {
        "calibration": None if calibration is None else calibration.to_dict(),
        "verification": verification.to_dict(),
        "training": {"layer": head.name, "batch_size": batch_size, "check": training.to_dict()},
    }
    facts = describe(TRAINABLE, "float32", found, seconds, **facts)
    return TFLiteModel(content, TRAINABLE.name, facts)
