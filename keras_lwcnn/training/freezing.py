"""Layers that stay as they are while others are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

# Every layer but the last one, which tells the classes.
BASE = "base"


def stages(model: keras.Model) -> list[str]:
    """Return the stages of a model in order: the part of layer names before the first `_`.

    Layers without weights and the last layer are left out.
    """
    names = [layer.name.partition("_")[0] for layer in model.layers[:-1] if layer.weights]
    return list(dict.fromkeys(names))


@contextmanager
def frozen(model: keras.Model, through: str, normalization: bool) -> Iterator[None]:
    """Keep the weights of layers as they are, and their batch normalization in inference mode.

    Args:
        model: a functional model; afterwards it is as before.
        through: the last stage, or layer, that is frozen with all before it; `base` for all but
            the last layer; an empty string for none.
        normalization: whether to freeze the batch normalizations of all other layers, too.

    Raises:
        ValueError: a stage or layer that the model does not have.
    """
    layers = model.layers
    kept = layers[: _count(model, through)] if through else []
    if normalization:
        kept = kept + [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    flags = [(layer, layer.trainable) for layer in layers]
    for layer in kept:
        layer.trainable = False
    try:
        yield
    finally:
        for layer, flag in flags:
            layer.trainable = flag


def _count(model: keras.Model, through: str) -> int:
    """Return how many layers of the model, in order, end with a stage or layer."""
    if through == BASE:
        return len(model.layers) - 1
    matches = [
        index
        for index, layer in enumerate(model.layers)
        if layer.name == through or layer.name.startswith(f"{through}_")
    ]
    if not matches:
        raise ValueError(
            f"frozen={through!r} is no stage or layer of {model.name}; allowed are {BASE}, "
            + ", ".join(stages(model))
        )
    return matches[-1] + 1
