"""Every rewrite keeps the function, and what it leaves is one partition of the delegate."""

import keras
import numpy as np
import pytest
from keras import layers

from android_bench.worker import delegation, open_interpreter
from convert import to_tflite, to_tflites
from convert.lowering import REWRITES, lower
from convert.tflite.outside_delegate import outside_delegate
from keras_lwcnn.condensation import FORMS, condense
from keras_lwcnn.layers import GroupConv2D
from keras_lwcnn.models import CondenseNet, CondenseNeXt, LMobileNet, XceptionLite
from lwcnn.verbs.convert import FORMS as OFFERED_FORMS

SHAPE = (8, 8, 6)


def images(shape=SHAPE, count=4, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype("float32")


def randomized(model, seed=0):
    """Give every weight a value that a mistaken rewrite would show."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(size=layer.bias.shape))
    return model


def network(build, shape=SHAPE):
    inputs = keras.Input(shape)
    return randomized(keras.Model(inputs, build(inputs)))


def assert_rewritten(model, rewrite, names, x=None):
    """Lower by one rewrite alone; return the lowered model."""
    lowered, report = lower(model, rewrites=[rewrite])
    assert report.rewrites == ({rewrite: tuple(names)} if names else {})
    x = images(model.input_shape[1:]) if x is None else x
    np.testing.assert_allclose(
        lowered.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )
    return lowered


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_separable_convolution_of_kernel_1_becomes_one_convolution(use_bias, multiplier, strides):
    model = network(
        layers.SeparableConv2D(
            5,
            1,
            strides=strides,
            depth_multiplier=multiplier,
            use_bias=use_bias,
            activation="relu",
            name="sep",
        )
    )
    lowered = assert_rewritten(model, "fold_pointwise_separable", ["sep"])
    assert type(lowered.get_layer("sep")) is layers.Conv2D


def test_group_convolutions_become_one_grouped_operation():
    model = network(
        GroupConv2D(8, 3, groups=2, strides=2, padding="same", activation="relu", name="groups")
    )
    lowered = assert_rewritten(model, "join_groups", ["groups"])
    assert type(lowered.get_layer("groups")) is layers.Conv2D
    assert to_tflite(model, "float32").facts["ops"] == {"CONV_2D": 1}


def test_a_separable_convolution_of_kernel_3_stays():
    model = network(layers.SeparableConv2D(5, 3, padding="same"))
    assert_rewritten(model, "fold_pointwise_separable", [])


@pytest.mark.parametrize(
    "arguments", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}]
)
def test_a_normalization_behind_no_convolution_becomes_a_depthwise_one(arguments):
    def build(x):
        x = layers.Concatenate()([x, layers.ReLU()(x)])
        return layers.ReLU()(layers.BatchNormalization(name="bn", **arguments)(x))

    lowered = assert_rewritten(network(build), "normalization_as_depthwise", ["bn"])
    assert isinstance(lowered.get_layer("bn"), layers.DepthwiseConv2D)


def test_a_normalization_behind_a_convolution_is_left_to_the_converter():
    model = network(lambda x: layers.BatchNormalization()(layers.Conv2D(4, 1)(x)))
    assert_rewritten(model, "normalization_as_depthwise", [])


def test_a_normalization_of_a_shared_or_activated_convolution_is_rewritten():
    def shared(x):
        x = layers.Conv2D(4, 1)(x)
        return layers.Add()([layers.BatchNormalization(name="bn")(x), x])

    def activated(x):
        x = layers.Conv2D(4, 1, activation="relu")(x)
        return layers.BatchNormalization(name="bn")(x)

    assert_rewritten(network(shared), "normalization_as_depthwise", ["bn"])
    assert_rewritten(network(activated), "normalization_as_depthwise", ["bn"])


@pytest.mark.parametrize(
    ("pool", "strides", "padding", "rewritten"),
    [
        (2, 2, "valid", True),
        (3, 2, "valid", True),
        ((2, 3), 2, "valid", True),
        (2, 2, "same", True),
        (3, 2, "same", False),
        (3, 3, "same", False),
        (2, (2, 1), "valid", False),
    ],
)
def test_an_average_pool_that_meets_no_border_becomes_a_depthwise_convolution(
    pool, strides, padding, rewritten
):
    model = network(layers.AveragePooling2D(pool, strides, padding, name="pool"))
    assert_rewritten(model, "average_pool_as_depthwise", ["pool"] if rewritten else [])


def test_a_repeated_activation_is_dropped_and_a_different_one_stays():
    def build(x):
        x = layers.ReLU(name="first")(layers.Conv2D(4, 1)(x))
        x = layers.Activation("relu", name="second")(x)
        return layers.ReLU(6.0, name="third")(x)

    lowered = assert_rewritten(network(build), "drop_repeated_activation", ["second"])
    assert "second" not in [layer.name for layer in lowered.layers]


@pytest.mark.parametrize("activation", [layers.ReLU, lambda **k: layers.ReLU(6.0, **k)])
def test_an_activation_without_an_operation_to_ride_on_gets_an_identity(activation):
    def build(x):
        x = layers.Conv2D(4, 1)(x)
        y = activation(name="beside_shortcut")(x)
        x = layers.Add()([layers.Conv2D(4, 1)(y), x])
        x = layers.MaxPooling2D()(activation(name="behind_sum")(x))
        return activation(name="behind_pool")(x)

    assert_rewritten(network(build), "carry_lone_activation", ["beside_shortcut", "behind_pool"])


def test_other_activations_are_left_alone():
    def build(x):
        x = layers.MaxPooling2D()(x)
        return layers.Activation("gelu")(layers.LeakyReLU()(layers.ReLU(1.0)(x)))

    assert_rewritten(network(build), "carry_lone_activation", [])


@pytest.mark.parametrize("count", [4, 5, 9, 17])
def test_long_concatenations_become_trees_in_the_same_order(count):
    def build(x):
        parts = [layers.Conv2D(2, 1)(x) for _ in range(count)]
        return layers.Concatenate(name="join")(parts)

    lowered = assert_rewritten(
        network(build), "shorten_concatenation", ["join"] if count > 4 else []
    )
    joins = [layer for layer in lowered.layers if isinstance(layer, layers.Concatenate)]
    assert max(len(layer.input) for layer in joins) <= 4


def test_a_layer_with_two_places_is_not_replaced():
    def build(x):
        norm = layers.BatchNormalization()
        return layers.Add()([norm(x), norm(layers.ReLU()(x))])

    assert_rewritten(network(build), "normalization_as_depthwise", [])


def test_nothing_to_rewrite_gives_the_model_itself():
    model = network(layers.Conv2D(4, 3))
    assert lower(model) == (model, lower(model)[1])
    assert str(lower(model)[1]) == "nothing to rewrite"


def test_models_inside_and_sequential_models_are_rewritten():
    inner = keras.Sequential(
        [keras.Input(SHAPE), layers.MaxPooling2D(), layers.BatchNormalization(name="bn")]
    )
    model = network(lambda x: inner(layers.Rescaling(2.0)(x)))
    assert_rewritten(model, "normalization_as_depthwise", ["bn"])
    assert_rewritten(inner, "normalization_as_depthwise", ["bn"])


def test_an_unknown_rewrite_is_refused():
    with pytest.raises(ValueError, match=r"\['fuse'\].*fold_pointwise_separable"):
        lower(network(layers.ReLU()), rewrites=["fuse"])


FAMILIES = {
    "l_mobilenet": lambda **k: LMobileNet(**k),
    "condensenet": lambda **k: CondenseNet(stages=(2, 2), growth_rates=(8, 16), **k),
    "condensenext": lambda **k: CondenseNeXt(stages=(2, 2), growth_rates=(8, 16), **k),
    "condensenext_slices": lambda **k: CondenseNeXt(
        stages=(2, 2), growth_rates=(8, 16), selection="slices", **k
    ),
    "xception_lite": lambda **k: XceptionLite(width=0.125, middle_repeats=1, **k),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_files_of_our_networks_are_one_partition(family):
    model = FAMILIES[family](input_shape=(32, 32, 3), classes=10, classifier_activation=None)
    model = randomized(model)
    condense(model)
    x = images((32, 32, 3), count=24)
    form = "sliced" if "slices" in family else "masked"
    lowered, _ = lower(model, form=form)
    np.testing.assert_allclose(
        lowered.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-4
    )
    content = to_int8(lowered, x)
    found = delegation(open_interpreter(content))
    assert (found["partitions"], found["not_delegated"]) == (1, [])


def to_int8(model, x):
    return to_tflite(model, "int8", x, lower=False, input_range=(-1.0, 1.0)).content


def test_what_stays_outside_is_named_by_its_layer():
    def build(x):
        x = layers.Conv2D(4, 3, padding="same", name="conv")(x)
        x = layers.AveragePooling2D(3, 2, "same", name="border_pool")(x)
        return layers.Conv2D(4, 1, name="last")(x)

    model = network(build)
    made = to_tflite(model, "int8", images(count=24), lower=False, input_range=(-1.0, 1.0))
    found = outside_delegate(made.content, [layer.name for layer in model.layers])
    assert [(op.op, op.layer) for op in found] == [("AVERAGE_POOL_2D", "border_pool")]
    assert made.facts["outside_delegate"] == [op.to_dict() for op in found]


def test_a_file_that_is_taken_whole_or_not_at_all_has_no_list_of_what_is_left():
    model = network(lambda x: layers.Conv2D(4, 3, padding="same", name="conv")(x))
    taken = to_tflites(model, ["int8", "int16x8"], images(count=24), input_range=(-1.0, 1.0))
    assert taken["int8"].facts["outside_delegate"] == []
    assert taken["int16x8"].facts["outside_delegate"] is None


@pytest.mark.parametrize("form", FORMS)
def test_condensed_layers_take_the_form_that_is_asked_for(form):
    model = CondenseNeXt(stages=(2,), growth_rates=(8,), input_shape=(8, 8, 3))
    condense(model)
    lowered, report = lower(model, form=form)
    assert report.form == form
    x = images((8, 8, 3))
    np.testing.assert_allclose(
        lowered.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )


def test_each_rewrite_has_a_name():
    assert set(REWRITES) == {function.__name__ for function in REWRITES.values()}


def test_the_command_offers_the_forms_that_there_are():
    assert OFFERED_FORMS == FORMS
