"""Statistics of batch normalization, measured anew for the weights that training ended with."""

from collections.abc import Callable, Iterable

import keras
import numpy as np

from keras_lwcnn.model_graph import flat_layers


def settle_statistics(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Replace moving means and variances by averages over batches, and keep the weights.

    Moving averages begin at mean 0 and variance 1. With Keras' momentum of 0.99 a fiftieth of that
    is left after 400 steps, more than the whole variance of many layers. A network that was trained
    briefly, or whose weights were averaged, then classifies well in training mode only. Frozen
    normalizations stay as they are.

    Source: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging Weights Leads to Wider Optima
    and Better Generalization", UAI 2018 (after averaging, statistics have to be computed again).

    Args:
        model: is changed in place.
        batches: images as the model takes them, (n, height, width, channels) each.
    """
    layers = _normalizations(model)
    statistics = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers]
    means = [keras.ops.convert_to_numpy(variable).astype(np.float64) for variable in statistics]
    call = _call_in_training(model)
    try:
        for layer in layers:
            layer.momentum = 0.0  # The moving averages are then those of the last batch.
        for count, images in enumerate(batches, 1):
            call(images)
            for mean, variable in zip(means, statistics, strict=True):
                mean += (keras.ops.convert_to_numpy(variable) - mean) / count
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    for variable, mean in zip(statistics, means, strict=True):
        variable.assign(mean)


def _call_in_training(model: keras.Model) -> Callable[[np.ndarray], None]:
    """Return a function that calls the model in training mode and updates its variables."""
    if keras.backend.backend() == "torch":
        import torch

        # Otherwise the feature maps of every batch are kept for a backward pass.
        return torch.no_grad()(lambda images: model(images, training=True))
    if keras.backend.backend() != "jax":
        return lambda images: model(images, training=True)
    import jax

    # Without it, each operation would be compiled on its own.
    @jax.jit
    def updated(trainable: list, others: list, images: np.ndarray) -> list:
        return model.stateless_call(trainable, others, images, training=True)[1]

    def call(images: np.ndarray) -> None:
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        values = updated(trainable, others, images)
        for variable, value in zip(model.non_trainable_variables, values, strict=True):
            variable.assign(value)

    return call


def unsettled_share(model: keras.Model, steps: int) -> float:
    """Return the share of the initial statistics that is left after so many steps, 0 to 1.

    It is that of the slowest normalization that is trained; 0 without any.
    """
    momenta = (layer.momentum for layer in _normalizations(model) if layer.trainable)
    return max((momentum**steps for momentum in momenta), default=0.0)


def _normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    normalization = keras.layers.BatchNormalization
    return [layer for layer in flat_layers(model) if isinstance(layer, normalization)]
