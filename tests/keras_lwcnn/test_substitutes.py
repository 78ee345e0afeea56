import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_lwcnn.models import build
from keras_lwcnn.training.numerics import training_copy
from keras_lwcnn.training.substitutes import (
    FusedBatchNormalization,
    OnePassBatchNormalization,
    PointwiseConv2D,
    ShiftedDepthwiseConv2D,
)


def substituted(model, kind):
    return [x.name for x in model.layers if isinstance(x, kind)]


def assert_trained_alike(plain, copy, x):
    """Train both for three steps: every weight has to move, and to the same value."""
    before = plain.get_weights()
    for model in (plain, copy):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss)
        for _ in range(3):
            model.train_on_batch(x, np.arange(len(x)) % 4)
    for start, expected, found in zip(before, plain.get_weights(), copy.get_weights(), strict=True):
        assert not np.allclose(start, expected, atol=1e-3)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(copy(x), plain(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False, "momentum": 0.5}])
def test_the_fused_kernel_trains_to_the_weights_and_statistics_of_keras(arguments):
    x = keras.random.normal((6, 5, 7, 3), mean=3.0, stddev=2.0, seed=1)
    plain = keras.Sequential(
        [
            keras.Input((5, 7, 3)),
            keras.layers.Conv2D(8, 3, use_bias=False),
            keras.layers.BatchNormalization(name="normalization", **arguments),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(4),
        ]
    )
    copy = training_copy(plain, "float32")
    assert substituted(copy, FusedBatchNormalization) == ["normalization"]
    assert_trained_alike(plain, copy, x)


def test_normalizations_that_the_kernel_does_not_suit_stay_those_of_keras():
    inputs = keras.Input((4, 4, 16))
    x = keras.layers.BatchNormalization(name="kept_axis", axis=1)(inputs)
    x = keras.layers.Conv2D(12, 1)(x)
    x = keras.layers.BatchNormalization(name="kept_uneven")(x)
    x = keras.layers.Conv2D(16, 1)(x)
    x = keras.layers.BatchNormalization(name="fused")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.BatchNormalization(name="kept_flat")(x)
    copy = training_copy(keras.Model(inputs, x), "float32")
    assert substituted(copy, FusedBatchNormalization) == ["fused"]
    plain = keras.Sequential([keras.Input((4, 4, 12)), keras.layers.BatchNormalization()])
    assert training_copy(plain, "float32") is plain


def test_a_frozen_normalization_keeps_its_statistics():
    copy = training_copy(build("condensenext_tiny", classes=3, weights=None), "float32")
    assert len(substituted(copy, FusedBatchNormalization)) > 10
    copy.trainable = False
    before = copy.get_weights()
    x = np.full((2, 32, 32, 3), 0.5, "float32")
    np.testing.assert_allclose(copy(x, training=True), copy(x), rtol=1e-5)
    for old, new in zip(before, copy.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "strides": 2, "activation": "relu"},
        {"kernel_size": (1, 3), "strides": 1},
        {"kernel_size": 2, "strides": 2},
    ],
)
def test_shifted_products_train_to_the_weights_of_a_depthwise_convolution(arguments):
    x = keras.random.normal((6, 9, 12, 5), seed=1)
    layer = keras.layers.DepthwiseConv2D(
        padding="same", bias_initializer="random_normal", name="depthwise", **arguments
    )

    def network(layer):
        inputs = keras.Input(x.shape[1:])
        return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(layer(inputs))))

    plain = network(layer)
    copy = network(ShiftedDepthwiseConv2D.from_config(layer.get_config()))
    copy.set_weights(plain.get_weights())
    np.testing.assert_allclose(copy(x), plain(x), rtol=1e-4, atol=1e-4)
    assert_trained_alike(plain, copy, x)


def test_depthwise_convolutions_of_the_networks_are_shifted_on_jax(monkeypatch):
    model = build("l_mobilenet", weights=None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    depthwise = substituted(model, keras.layers.DepthwiseConv2D)
    copy = training_copy(model, "float32")
    assert substituted(copy, ShiftedDepthwiseConv2D) == depthwise != []
    assert substituted(copy, FusedBatchNormalization) == []
    assert len(substituted(copy, OnePassBatchNormalization)) == 37
    # All but the stem's.
    assert len(substituted(copy, PointwiseConv2D)) == 36


def network_around(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(layer(inputs))))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.BatchNormalization(scale=False, center=False),
        keras.layers.Conv2D(6, 1),
        keras.layers.Conv2D(6, 1, strides=2, padding="same", use_bias=False, activation="relu"),
    ],
)
def test_what_stands_in_on_jax_trains_to_the_weights_of_keras(layer):
    x = keras.random.normal((6, 9, 12, 5), mean=1.0, stddev=2.0, seed=1)
    kind = PointwiseConv2D if isinstance(layer, keras.layers.Conv2D) else OnePassBatchNormalization
    plain = network_around(layer, x.shape[1:])
    copy = network_around(kind.from_config(layer.get_config()), x.shape[1:])
    copy.set_weights(plain.get_weights())
    np.testing.assert_allclose(copy(x), plain(x), rtol=1e-4, atol=1e-4)
    assert_trained_alike(plain, copy, x)


def test_the_last_layer_computes_in_float32_under_mixed_precision():
    model = build("l_mobilenet", weights=None)
    copy = training_copy(model, "mixed_bfloat16")
    assert copy.layers[-1].compute_dtype == "float32"
    assert {layer.compute_dtype for layer in copy.layers[1:-1]} == {"bfloat16"}
    assert copy(np.zeros((1, 32, 32, 3), "float32")).dtype == "float32"


PROGRAM = """
import keras, numpy as np
from keras_lwcnn.training.numerics import training_copy
from keras_lwcnn.training.substitutes import NativeBatchNormalization

assert keras.backend.backend() == "torch"
inputs = keras.Input((5, 7, 3))
x = keras.layers.Conv2D(8, 3)(inputs)
x = keras.layers.BatchNormalization(momentum=0.5)(x)
plain = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
copy = training_copy(plain, "float32")
assert any(isinstance(layer, NativeBatchNormalization) for layer in copy.layers)
images = np.random.default_rng(0).normal(3, 2, (6, 5, 7, 3)).astype("float32")
for model in (plain, copy):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    for _ in range(3):
        model.train_on_batch(images, np.arange(6) % 4)
for one, other in zip(plain.get_weights(), copy.get_weights()):
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
"""


def test_pytorchs_normalization_trains_to_the_weights_and_statistics_of_keras():
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
