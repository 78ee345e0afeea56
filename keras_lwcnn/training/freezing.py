"""Layers that stay as they are while others are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

# Every layer but the last one, which tells the classes.
BASE = "base"


def stages(model: keras.Model) -> list[str]:
    """Give the stages of a model in order: what stands before the first `_` of its layers' names.

    Layers without weights count for nothing, nor does the last layer.
    """
    names = [layer.name.partition("_")[0] for layer in model.layers[:-1] if layer.weights]
    return list(dict.fromkeys(names))


@contextmanager
def frozen(model: keras.Model, through: str, normalization: bool) -> Iterator[None]:
    """Keep the weights of layers as they are, and their batch normalization in inference mode.

    Args:
        model: a functional model; it is left as it was found.
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
    """Give how many of the model's layers, in order, come up to a stage or layer."""
    if through == BASE:
        return len(model.layers) - 1
    found = [
        index
        for index, layer in enumerate(model.layers)
        if layer.name == through or layer.name.startswith(f"{through}_")
    ]
    if not found:
        raise ValueError(
            f"{model.name} has no stage or layer {through!r} to freeze; there are {BASE}, "
            + ", ".join(stages(model))
        )
    return found[-1] + 1
