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
    found = [layer for layer in _flat(model) if isinstance(layer, keras.layers.BatchNormalization)]
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


def _flat(model: keras.Model) -> list[keras.layers.Layer]:
    layers = []
    for layer in model.layers:
        layers += _flat(layer) if isinstance(layer, keras.Model) else [layer]
    return layers
