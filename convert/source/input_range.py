"""What range of input values a Keras model was built and trained for."""

from typing import Any

import keras
import numpy as np

from keras_lwcnn.model_graph import flat_layers

VARIANCE_FACTOR = 8.0
MEAN_DEVIATIONS = 4.0
"""How far the input of the first BatchNormalization may lie from its moving statistics, for the
median channel: a factor in variance, standard deviations in mean. Pixels in 0..255 fed to a model
for -1..1 give a factor of 16,000; weights that move during a short training give about 2."""
PROBE_IMAGES = 64


def declared_range(model: keras.Model) -> tuple[float, float] | None:
    """Return the raw input range that a leading Rescaling or Normalization layer implies.

    A rescaling is taken to map raw values onto [-1, 1] when it has an offset below zero, onto
    [0, 1] otherwise (our design; both keras.applications conventions follow it).

    Returns:
        (low, high), or None when the model does not start with such a layer.
    """
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            scale, offset = np.mean(layer.scale), np.mean(layer.offset)
            low = ((-1.0 if offset < 0 else 0.0) - offset) / scale
            high = (1.0 - offset) / scale
            return round(float(low), 3), round(float(high), 3)
        if isinstance(layer, keras.layers.Normalization):
            mean = np.max(keras.ops.convert_to_numpy(layer.mean))
            return (0.0, 255.0) if mean > 1.5 else None
        if not isinstance(layer, keras.layers.InputLayer):
            return None
    return None


def check_against_statistics(model: keras.Model, images: np.ndarray) -> None:
    """Compare the first BatchNormalization's input with its moving statistics (our design).

    After n steps with momentum m the moving statistics are a mixture: m**n of the initial values
    (mean 0, variance 1) and the rest of what training data gave. The images are refused only when
    no mixture of the initial values and their own statistics comes near the stored ones, so that
    correct data pass after any length of training. Nothing is checked when the model has no
    BatchNormalization or an untrained one.

    Args:
        model: a functional or sequential model.
        images: float32 (count, height, width, channels).

    Raises:
        ValueError: the statistics contradict each other.
    """
    norm = _first_batch_norm(model)
    if norm is None:
        return
    stored_mean = keras.ops.convert_to_numpy(norm.moving_mean).astype(np.float64)
    stored_var = keras.ops.convert_to_numpy(norm.moving_variance).astype(np.float64)
    if np.allclose(stored_mean, 0) and np.allclose(stored_var, 1):
        return
    chosen = images[np.linspace(0, len(images) - 1, min(PROBE_IMAGES, len(images))).astype(int)]
    values = _input_of(norm, model, chosen)
    axes = tuple(axis for axis in range(values.ndim) if axis != norm.axis % values.ndim)
    mean, var = values.mean(axis=axes), values.var(axis=axes)
    factor, deviations = min(
        _distance(stored_mean, stored_var, mean, var, share, norm.epsilon)
        for share in np.geomspace(max(1 - norm.momentum, 1e-4), 1.0, 50)
    )
    if factor > VARIANCE_FACTOR or deviations > MEAN_DEVIATIONS:
        raise ValueError(
            f"calibration images span {images.min():.4g} to {images.max():.4g}, with which the "
            f"input of layer {norm.name!r} is unlike what the model was trained on (variance off "
            f"by a factor of {factor:.3g}, mean by {deviations:.3g} standard deviations in the "
            "median channel). Preprocess them as in training, or declare input_range=(low, high)"
        )


def _distance(
    stored_mean: np.ndarray,
    stored_var: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    share: float,
    epsilon: float,
) -> tuple[float, float]:
    expected_var = (1 - share) + share * var + epsilon
    factor = np.exp(np.median(np.abs(np.log(expected_var / (stored_var + epsilon)))))
    deviations = np.median(np.abs(stored_mean - share * mean) / np.sqrt(stored_var + epsilon))
    return float(factor), float(deviations)


def _first_batch_norm(model: keras.Model) -> keras.layers.Layer | None:
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            return layer
    return None


def _input_of(layer: keras.layers.Layer, model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the input of `layer`, anywhere inside `model`, when the model runs on the images."""
    seen: list[np.ndarray] = []
    call = layer.call

    def recorded(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(keras.ops.convert_to_numpy(inputs))
        return call(inputs, *args, **kwargs)

    layer.call = recorded
    try:
        model(images, training=False)
    finally:
        del layer.call
    return seen[0].astype(np.float64)
