"""The Keras model that a conversion starts from: loaded, checked, with what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convert.options import ConversionOptions
from convert.source.calibration import Calibration, check_calibration
from convert.source.float_tflite import check_backend, check_model, load_model
from convert.source.input_range import check_against_statistics, declared_range
from convert.tflite.metadata import Metadata, can_describe, with_metadata

VERIFIED_IMAGES = 64
VERIFIED_VALUES = 1_000_000
"""Verification takes 64 images, fewer large ones: at most so many input values, at least 4."""


@dataclass(frozen=True)
class PreparedModel:
    """A model that can be converted.

    Attributes:
        model: the model as it was given.
        calibration: images that fit it, None when there are none.
        input_range: (low, high) of its preprocessing, None when nothing tells it.
    """

    model: keras.Model
    calibration: Calibration | None
    input_range: tuple[float, float] | None

    @property
    def units(self) -> int:
        """Size of the output."""
        return int(self.model.outputs[0].shape[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of a sidecar that tell of the model."""
        return {
            "model": self.model.name,
            "units": self.units,
            "input_range": None if self.input_range is None else list(self.input_range),
        }

    def verification_images(self) -> np.ndarray:
        """Return calibration images, or random ones in the input range, to compare outputs on."""
        shape = tuple(self.model.inputs[0].shape[1:])
        count = int(np.clip(VERIFIED_VALUES // np.prod(shape), 4, VERIFIED_IMAGES))
        if self.calibration is not None:
            return self.calibration.images[:count]
        low, high = self.input_range or (-1.0, 1.0)
        return np.random.default_rng(0).uniform(low, high, (count, *shape)).astype(np.float32)

    def describe(self, content: bytes, options: ConversionOptions) -> bytes:
        """Return a file's content with labels, normalization and texts, where it takes images."""
        if not can_describe(content):
            return content
        names = options.class_names or ()
        metadata = Metadata(
            name=self.model.name,
            description=options.description,
            labels=names if len(names) == self.units else (),
            input_range=self.input_range,
            author=options.author,
            license=options.license,
        )
        return with_metadata(content, metadata)


def prepare_model(
    model: Any,
    calibration: Calibration | None,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> PreparedModel:
    """Load a model where a path is given, and check it, its class names and its calibration.

    Args:
        model: a Keras model or the path of a `.keras` file.
        calibration: checked images, None for none.
        options: of the conversion.
        progress: called with a line for each step.

    Raises:
        ValueError: a model or images that are not covered, another number of class names than of
            outputs, or images unlike those of the training.
    """
    check_backend()
    if isinstance(model, str | Path):
        progress("loading the model")
        model = load_model(model)
    check_model(model)
    _check_class_names(options.class_names, model.outputs[0].shape[-1])
    input_range = options.input_range or declared_range(model)
    if calibration is not None:
        progress("checking the calibration images")
        shape = tuple(model.inputs[0].shape[1:])
        calibration = check_calibration(
            calibration, shape, input_range=input_range, minimum=options.minimum_images
        )
        if options.input_range is None:
            check_against_statistics(model, calibration.images)
        input_range = calibration.input_range
    return PreparedModel(model, calibration, input_range)


def _check_class_names(names: tuple[str, ...] | None, units: int) -> None:
    """Refuse class names whose number is not that of the outputs; one output may have two."""
    if names is not None and len(names) != units and (len(names), units) != (2, 1):
        allowed = "1 or 2" if units == 1 else units
        raise ValueError(
            f"class_names has {len(names)} names; allowed are {allowed}, as the model has "
            f"{units} outputs"
        )
