"""Lightweight CNNs for embedded systems in Keras 3: builders, costs, data and training.

Importing the package imports Keras and registers the package's layers, losses and optimizers, so
that `keras.saving.load_model` opens every network that it saved. Where Keras is not installed, what
does without it (data, records of trainings) still works.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from keras_lwcnn.version import __version__

# Public name -> the module that defines it, loaded on first use; None: a module of the package.
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

__all__ = ["__version__", "register", *_LAZY_NAMES]

WITHOUT_KERAS = "KERAS_LWCNN_WITHOUT_KERAS"
"""Environment variable: "1" leaves Keras out of `import keras_lwcnn`.

The command sets it for verbs that read images, rows and `.tflite` files alone: Keras and its
backend take several seconds to import.
"""


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


def register() -> None:
    """Register the package's layers, losses and optimizers, so that saved networks open.

    `import keras_lwcnn` has done it, unless Keras was left out.
    """
    for module in ("layers", "losses", "optimizers"):
        import_module(f"{__name__}.{module}")


if os.environ.get(WITHOUT_KERAS) != "1" and find_spec("keras"):
    register()
