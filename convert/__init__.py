"""Keras to TFLite in every mode, checked: calibration, quantization, comparison with float.

Importing this package imports neither TensorFlow nor Keras; a name is loaded when it is used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Calibration": "source.calibration",
    "Comparison": "comparison.compare",
    "DEFAULT_MODES": "modes",
    "MODES": "modes",
    "Mode": "modes",
    "QuantizationOptions": "options",
    "TFLiteModel": "tflite_model",
    "ConversionOptions": "options",
    "check_calibration": "source.calibration",
    "compare": "comparison.compare",
    "inspect_tflite": "tflite.inspection",
    "layer_errors": "comparison.layer_error",
    "predict": "tflite.evaluation",
    "read_sidecar": "tflite.sidecar",
    "to_tflite": "converter",
    "to_tflites": "converter",
    "trainable_tflite": "on_device",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'convert' has no attribute {name!r}")
    return getattr(import_module(f"convert.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
