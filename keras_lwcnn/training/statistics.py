"""Statistics of batch normalization, measured anew for the weights that training ended with."""

from collections.abc import Iterable

import keras
import numpy as np


def settle_statistics(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Replace moving means and variances by averages over batches; weights stay as they are.

    Moving averages begin at mean 0 and variance 1. With Keras' momentum of 0.99 a fiftieth of that
    is left after 400 steps, more than the whole variance of many layers: a network that was trained
    briefly, or whose weights were averaged, then classifies well in training mode alone. Frozen
    normalizations stay as they are.

    Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging Weights Leads to Wider Optima
    and Better Generalization", UAI 2018 (after averaging, statistics have to be computed again).

    Args:
        model: is changed in place.
        batches: images as the model takes them, (n, height, width, channels) each.
    """
    found = _normalizations(model)
    momenta = [layer.momentum for layer in found]
    try:
        for count, images in enumerate(batches):
            for layer in found:
                # The moving average with this momentum is the mean of all batches so far.
                layer.momentum = count / (count + 1)
            model(images, training=True)
    finally:
        for layer, momentum in zip(found, momenta, strict=True):
            layer.momentum = momentum


def unsettled_share(model: keras.Model, steps: int) -> float:
    """Return how much of the initial statistics is left after so many steps, 0 to 1.

    That of the slowest normalization which is trained; 0 without any.
    """
    momenta = (layer.momentum for layer in _normalizations(model) if layer.trainable)
    return max((momentum**steps for momentum in momenta), default=0.0)


def _normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in _flat(model) if isinstance(layer, keras.layers.BatchNormalization)]


def _flat(model: keras.Model) -> list[keras.layers.Layer]:
    layers = []
    for layer in model.layers:
        layers += _flat(layer) if isinstance(layer, keras.Model) else [layer]
    return layers
