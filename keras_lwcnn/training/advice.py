"""What would train faster on this machine."""

from pathlib import Path

import keras

from keras_lwcnn.training.recipe import Recipe

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What Linux calls processors that compute in bfloat16."""


def has_accelerator() -> bool:
    """Return whether the backend computes on something else than CPUs."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def computes_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor says that it computes in bfloat16; False where none can tell."""
    if not cpuinfo.is_file():
        return False
    return not BFLOAT16_FLAGS.isdisjoint(cpuinfo.read_text().split())


def advice(recipe: Recipe, backend: str, accelerated: bool, bfloat16: bool) -> list[str]:
    """Return sentences on what would train faster; none where nothing is known to.

    Args:
        recipe: the settings.
        backend: of Keras.
        accelerated: whether the backend has a GPU or the like.
        bfloat16: whether the processor computes in bfloat16.
    """
    if accelerated:
        return []
    sentences = []
    if recipe.precision == "mixed_bfloat16" and not (bfloat16 and backend == "torch"):
        sentences.append(
            "precision mixed_bfloat16 is slower than float32 on this processor: take float32 "
            "(--precision float32)"
        )
    if backend == "jax":
        sentences.append(
            "the JAX backend is several times slower than TensorFlow without a GPU: set "
            "KERAS_BACKEND=tensorflow"
        )
    return sentences
