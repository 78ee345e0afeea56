"""Lightweight CNNs for embedded systems in Keras 3: builders, costs, data and training.

Names are loaded when they are first used, so that importing the package costs nothing. Once Keras
itself is imported, by anyone, the package's layers are registered: `keras.saving.load_model` then
opens every saved network of the package.
"""

from importlib import import_module
from typing import Any

import wrapt

from keras_lwcnn.version import __version__

# Public name -> the module that defines it; None: the name is itself a module of the package.
_LAZY_NAMES = {
    "LMobileNet": "keras_lwcnn.models",
    "CondenseNet": "keras_lwcnn.models",
    "CondenseNeXt": "keras_lwcnn.models",
    "XceptionLite": "keras_lwcnn.models",
    "MODELS": "keras_lwcnn.models",
    "build": "keras_lwcnn.models",
    "preprocess_input": "keras_lwcnn.models",
    "load_data": "keras_lwcnn.data",
    "train": "keras_lwcnn.training",
    "Recipe": "keras_lwcnn.training",
    "condensation": None,
    "costs": None,
    "layers": None,
    "models": None,
    "weights": None,
}

__all__ = ["__version__", *_LAZY_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _LAZY_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _LAZY_NAMES[name]
    if module is None:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@wrapt.when_imported("keras")
def _register_layers(_keras: Any) -> None:
    import_module(f"{__name__}.layers")
