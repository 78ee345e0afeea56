"""How the backend computes: fused operations, mixed precision, the same bits in every run."""

import os

import keras

from keras_lwcnn.model_graph import flat_layers
from keras_lwcnn.models.initialization import drawn_on_host
from keras_lwcnn.training.substitutes import substitute


def training_copy(model: keras.Model, precision: str) -> keras.Model:
    """Return a copy of a model that computes its function faster, with the same float32 weights.

    Args:
        model: a float32 model.
        precision: the dtype policy of Keras, with float32 variables, in which the copy computes:
            `float32` or, say, `mixed_bfloat16`; its last layer computes in float32.

    Returns:
        The copy, with the backend's substitutes for slow layers; `model` itself where nothing would
        differ.
    """
    layers = flat_layers(model)
    if precision == "float32" and all(substitute(layer) is type(layer) for layer in layers):
        return model

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        # The loss is taken from logits, or probabilities, of full precision.
        dtype = "float32" if layer is model.layers[-1] else precision
        return substitute(layer).from_config({**layer.get_config(), "dtype": dtype})

    with drawn_on_host():
        copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def make_deterministic() -> None:
    """Ask the backend for operations that give the same bits in every run, where they are slower.

    It holds for the whole process. Call it before a network is built: JAX reads it when it first
    computes (its CPU operations are deterministic anyway).
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
    elif backend == "jax":
        flag = "--xla_gpu_deterministic_ops=true"
        flags = os.environ.get("XLA_FLAGS", "")
        if flag not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {flag}".strip()
    elif backend == "torch":
        import torch

        # cuBLAS reads it when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
