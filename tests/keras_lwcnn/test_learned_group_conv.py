"""The learned group convolution prunes as CondenseNet describes, and keeps its state."""

import keras
import numpy as np
import pytest

from keras_lwcnn.condensation import condense, is_condensed
from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D
from keras_lwcnn.models import CondenseNeXt
from keras_lwcnn.models.condensenet import PRESETS

CHANNELS, FILTERS, GROUPS, FACTOR = 16, 12, 4, 4


@pytest.fixture
def layer():
    layer = LearnedGroupConv2D(FILTERS, GROUPS, FACTOR)
    layer.build((None, None, None, CHANNELS))
    kernel = np.random.default_rng(0).normal(size=layer.kernel.shape)
    layer.kernel.assign(kernel)
    return layer


def test_each_stage_takes_the_weakest_inputs_of_each_group_away(layer):
    kernel = np.asarray(layer.kernel)[0, 0]
    for stage in range(1, FACTOR):
        before = layer.active_inputs
        layer.drop_to_stage(stage)
        after = layer.active_inputs
        assert layer.stage == stage
        assert not (after & ~before).any()
        for group in range(GROUPS):
            norms = np.abs(kernel[:, group::GROUPS]).sum(axis=1)
            gone = before[:, group] & ~after[:, group]
            assert gone.sum() == CHANNELS // FACTOR
            assert norms[gone].max() < norms[after[:, group]].min()
    assert (layer.active_inputs.sum(axis=0) == CHANNELS // FACTOR).all()


def test_pruned_inputs_stay_away_when_their_weights_grow(layer):
    layer.drop_to_stage(1)
    pruned = ~layer.active_inputs
    layer.kernel.assign(np.asarray(layer.kernel) + 100 * np.tile(pruned, (1, FILTERS // GROUPS)))
    layer.drop_to_stage(2)
    assert not (layer.active_inputs & pruned).any()


def test_the_output_is_the_masked_dense_convolution(layer):
    layer.drop_to_stage(2)
    x = np.random.default_rng(1).normal(size=(2, 3, 3, CHANNELS)).astype("float32")
    expected = np.zeros((2, 3, 3, FILTERS))
    for output in range(FILTERS):
        inputs = layer.active_inputs[:, output % GROUPS]
        expected[..., output] = x[..., inputs] @ np.asarray(layer.kernel)[0, 0, inputs, output]
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-5)
    np.testing.assert_allclose(x @ layer.active_kernel[0, 0], expected, atol=1e-5)


def test_pruned_weights_are_not_trained(layer):
    layer.drop_to_stage(FACTOR - 1)
    inputs = keras.Input((3, 3, CHANNELS))
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse")
    before = np.asarray(layer.kernel).copy()
    rng = np.random.default_rng(2)
    model.fit(rng.normal(size=(4, 3, 3, CHANNELS)), rng.normal(size=(4, 3, 3, FILTERS)), verbose=0)
    changed = np.asarray(layer.kernel)[0, 0] != before[0, 0]
    np.testing.assert_array_equal(changed, np.tile(layer.active_inputs, (1, FILTERS // GROUPS)))


def test_going_back_or_staying_does_nothing(layer):
    layer.drop_to_stage(2)
    mask = layer.active_inputs
    layer.drop_to_stage(1)
    layer.drop_to_stage(2)
    np.testing.assert_array_equal(layer.active_inputs, mask)
    assert layer.stage == 2


def test_condensation_survives_saving(tmp_path):
    model = CondenseNeXt(**PRESETS["tiny"], input_shape=(16, 16, 3))
    condense(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert is_condensed(loaded)
    x = np.random.default_rng(3).uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_the_classifier_keeps_its_strongest_inputs():
    layer = CondensedDense(3, condensation_factor=2)
    layer.build((None, 6))
    norms = np.array([3.0, 1.0, 5.0, 0.5, 4.0, 2.0])
    layer.kernel.assign(np.tile(norms[:, None], (1, 3)))
    layer.condense()
    np.testing.assert_array_equal(layer.active_inputs, [True, False, True, False, True, False])
    layer.condense()
    np.testing.assert_array_equal(layer.active_inputs, [True, False, True, False, True, False])
    assert np.asarray(layer(np.ones((1, 6), "float32")))[0] == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("mask", "stage", "message"),
    [
        (np.ones((CHANNELS, GROUPS + 1)), 0, r"\(16, 5\).*\(16, 4\)"),
        (
            np.ones((CHANNELS, GROUPS)),
            1,
            "16, 16, 16, 16.*of 16 inputs.*stage 1, each must read 12",
        ),
        (np.ones((CHANNELS, GROUPS)), 4, "stage=4.*0 to 3"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(layer, mask, stage, message):
    with pytest.raises(ValueError, match=message):
        layer.set_mask(mask, stage)


@pytest.mark.parametrize(
    ("arguments", "channels", "message"),
    [
        ({"filters": 10, "groups": 4}, 16, "filters=10.*groups=4.*multiples"),
        ({"filters": 8, "groups": 0}, 16, "groups=0.*at least 1"),
        (
            {"filters": 8, "condensation_factor": 5},
            16,
            "16 input channels.*condensation_factor=5.*multiples",
        ),
    ],
)
def test_channels_that_do_not_divide_are_refused(arguments, channels, message):
    with pytest.raises(ValueError, match=message):
        LearnedGroupConv2D(**arguments).build((None, 4, 4, channels))


def test_a_stage_beyond_the_last_is_refused(layer):
    with pytest.raises(ValueError, match="stage=4.*0 to 3"):
        layer.drop_to_stage(4)
    with pytest.raises(ValueError, match="condensation_factor=4"):
        CondensedDense(2, condensation_factor=4).build((None, 6))
