"""The deployment forms of a condensed model compute the same function in other graphs."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lwcnn.condensation import FORMS, condense, deploy
from keras_lwcnn.costs import costs
from keras_lwcnn.layers import ChannelGather, CondensedDense, LearnedGroupConv2D
from keras_lwcnn.models import CondenseNet, CondenseNeXt

SMALL = {"stages": (2, 1), "growth_rates": (8, 16), "input_shape": (8, 8, 3)}


def randomized(model, seed=0):
    """Give the model weights whose order of channels matters everywhere, statistics included."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture(params=["groups", "slices"], scope="module")
def selection(request):
    return request.param


@pytest.fixture(params=[CondenseNet, CondenseNeXt], scope="module")
def condensed(request, selection):
    model = randomized(request.param(**SMALL, selection=selection))
    condense(model)
    return model


@pytest.mark.parametrize("form", FORMS)
def test_every_form_computes_the_same_function_in_plain_layers(condensed, form):
    x = np.random.default_rng(1).uniform(-1, 1, (3, 8, 8, 3)).astype("float32")
    deployed = deploy(condensed, form)
    np.testing.assert_allclose(
        deployed.predict(x, verbose=0), condensed.predict(x, verbose=0), atol=1e-5
    )
    kinds = {type(layer) for layer in deployed.layers}
    assert not kinds & {LearnedGroupConv2D, CondensedDense}


@pytest.mark.parametrize("form", ["gather", "sliced"])
def test_small_forms_really_save_the_macs(condensed, form):
    assert costs(deploy(condensed, form)).macs == pytest.approx(costs(condensed).macs, rel=0.01)
    assert costs(deploy(condensed, form)).macs < 0.8 * costs(deploy(condensed, "masked")).macs


def test_the_sliced_form_has_no_gather_and_short_concatenations(condensed):
    deployed = deploy(condensed, "sliced")
    assert not any(isinstance(layer, ChannelGather) for layer in deployed.layers)
    joins = [layer for layer in deployed.layers if isinstance(layer, layers.Concatenate)]
    assert joins
    assert all(len(layer.input) <= 4 for layer in joins)


def test_deploying_leaves_the_model_as_it_is(condensed):
    names = [layer.name for layer in condensed.layers]
    weights = [weight.copy() for weight in condensed.get_weights()]
    for form in FORMS:
        deploy(condensed, form)
    assert [layer.name for layer in condensed.layers] == names
    for before, after in zip(weights, condensed.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("form", ["gather", "sliced"])
def test_a_deployed_model_is_saved_and_opened(form, tmp_path):
    model = randomized(CondenseNeXt(**SMALL))
    condense(model)
    x = np.random.default_rng(2).uniform(-1, 1, (2, 8, 8, 3)).astype("float32")
    deploy(model, form).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_is_not_yet_condensed_is_deployed_as_it_stands(form):
    model = randomized(CondenseNeXt(**SMALL))
    x = np.random.default_rng(3).uniform(-1, 1, (2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(
        deploy(model, form).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )


def test_a_nested_model_is_opened():
    inner = randomized(CondenseNeXt(**SMALL))
    condense(inner)
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, inner(layers.Rescaling(0.5)(inputs)))
    x = np.random.default_rng(4).uniform(-1, 1, (2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(
        deploy(model, "sliced").predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "macs", "parameters"),
    [
        ({}, 29.0, 227),
        ({"condensation_factor": 4, "pointwise_groups": 1}, 55.8, 450),
        ({"stages": (4,) * 3, "growth_rates": (8,) * 3}, 3.1, 9.8),
    ],
)
def test_the_small_form_of_condensenext_has_the_stated_counts(arguments, macs, parameters):
    model = CondenseNeXt(**arguments)
    condense(model)
    found = costs(deploy(model, "gather"))
    assert round(found.macs / 1e6, 1) == macs
    assert round(found.trainable_parameters / 1e3, 1 if parameters < 100 else 0) == parameters


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match=r"'grouped'.*masked, gather, sliced"):
        deploy(CondenseNeXt(**SMALL), "grouped")
