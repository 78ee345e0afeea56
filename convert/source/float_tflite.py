"""Keras model -> one float TFLite flatbuffer, from which every other mode is made."""

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_lwcnn
from convert.quiet import quiet
from convert.source.keras_file import check_keras_file
from keras_lwcnn.model_graph import flat_layers

VALUES_AT_ONCE = 200_000

keras_lwcnn.register()  # so that files with its layers open


def load_model(path: str | Path) -> keras.Model:
    """Load a `.keras` file in safe mode (no code from the file is run).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated or no Keras 3 model; the message names it.
    """
    check_keras_file(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} cannot be loaded as a Keras model: {reason}") from error


def check_model(model: Any) -> None:
    """Refuse models that the conversion does not cover, naming the reason.

    Raises:
        ValueError: not a functional or sequential Keras 3 model, unbuilt, several inputs or
            outputs, a size that is not fixed, or a Lambda layer.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"model={model!r:.60} is no model; allowed are a keras.Model or the path of a "
            ".keras file"
        )
    if not model.built or not getattr(model, "inputs", None):
        raise ValueError(
            f"model {model.name!r} is not built; allowed are functional and sequential models. "
            "Build it with a fixed input shape first"
        )
    for what, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            names = ", ".join(tensor.name for tensor in tensors)
            raise ValueError(
                f"model {model.name!r} has {len(tensors)} {what} ({names}); allowed is one"
            )
    shape = tuple(model.inputs[0].shape[1:])
    if None in shape:
        raise ValueError(
            f"model {model.name!r} has an input of open size {shape}; allowed are fixed sizes. "
            "Build it with a fixed input shape"
        )
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.Lambda):
            raise ValueError(
                f"layer {layer.name!r} is a Lambda layer, whose Python code a file cannot hold. "
                "Write it as a layer of its own or with keras.ops"
            )


def float_tflite(model: keras.Model, *, allow_select_ops: bool = False) -> bytes:
    """Convert a Keras model to a float32 TFLite flatbuffer with batch 1.

    Goes through one concrete function instead of a SavedModel, which takes a third of the time.

    Args:
        model: a checked model (`check_model`).
        allow_select_ops: also allow TensorFlow ops that need the Flex delegate.

    Raises:
        ValueError: the model needs an op that TFLite does not have.
    """
    import tensorflow as tf

    check_backend()
    shape = (1, *model.inputs[0].shape[1:])

    def infer(images: Any) -> Any:
        return model(images, training=False)

    with quiet():
        signature = [tf.TensorSpec(shape, model.inputs[0].dtype, name="images")]
        function = tf.function(infer, input_signature=signature, autograph=False)
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()]
        )
        if allow_select_ops:
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS,
                tf.lite.OpsSet.SELECT_TF_OPS,
            ]
    hint = "" if allow_select_ops else ". allow_select_ops=True keeps those that TensorFlow runs"
    return run_converter(converter, hint)


def check_backend() -> None:
    """Refuse to convert on another backend than TensorFlow.

    Raises:
        ValueError: Keras runs on another one.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"conversion works on Keras' TensorFlow backend only; this is "
            f"{keras.backend.backend()}. Save the model and give the path of the .keras file"
        )


def run_converter(converter: Any, hint: str = "") -> bytes:
    """Run a TFLiteConverter and return the flatbuffer.

    Args:
        converter: a `tf.lite.TFLiteConverter` that is ready.
        hint: what to add to the message about missing ops.

    Raises:
        ValueError: the model needs an op that TFLite does not have.
    """
    from tensorflow.lite.python.lite import ConverterError

    with quiet():
        try:
            return bytes(converter.convert())
        except ConverterError as error:
            refused = _unsupported_ops(error)
            if not refused:
                raise
    raise ValueError(f"TFLite has no builtin for {', '.join(refused)}{hint}")


def _unsupported_ops(error: Any) -> list[str]:
    """Name the ops that TFLite lacks, with the place in the Keras model that needs each."""
    return sorted(
        {
            f"{data.operator.name} at {data.location.call[0].name!r}"
            for data in error.errors
            if data.operator.name and data.location.call
        }
    )


def reference_predictions(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the Keras model's outputs (count, classes) in inference mode."""
    # Large images go one by one: six of 224 px would take 450 MB, most of the conversion's peak.
    batch = int(max(1, VALUES_AT_ONCE // np.prod(images.shape[1:])))
    parts = [
        keras.ops.convert_to_numpy(model(images[start : start + batch], training=False))
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts).astype(np.float32)
