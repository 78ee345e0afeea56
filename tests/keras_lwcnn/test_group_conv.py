"""The group convolution made of plain ones computes what Keras' own does."""

import keras
import numpy as np
import pytest

from keras_lwcnn.layers import GroupConv2D

INPUTS = keras.Input((7, 6, 8))


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": 4, "kernel_size": 1, "groups": 1},
        {"filters": 8, "kernel_size": 1, "groups": 4, "use_bias": False},
        {"filters": 12, "kernel_size": 3, "groups": 4, "padding": "same", "activation": "relu"},
        {"filters": 4, "kernel_size": (3, 2), "groups": 2, "strides": 2},
        {"filters": 4, "kernel_size": 3, "groups": 2, "dilation_rate": 2},
    ],
    ids=str,
)
def test_it_equals_conv2d_with_the_same_weights(arguments):
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 8)).astype("float32")
    ours, reference = GroupConv2D(**arguments), keras.layers.Conv2D(**arguments)
    assert ours(INPUTS).shape == reference(INPUTS).shape
    weights = [np.random.default_rng(1).normal(size=w.shape) for w in reference.get_weights()]
    ours.set_weights(weights)
    reference.set_weights(weights)
    np.testing.assert_allclose(ours(x), reference(x), rtol=1e-5, atol=1e-5)


def test_it_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([INPUTS, GroupConv2D(8, 3, groups=4)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 8)).astype("float32")
    np.testing.assert_array_equal(loaded(x), model(x))


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="groups"):
        GroupConv2D(8, 1, groups=3)(INPUTS)
