"""Counts of the networks, to the digit, and the counting rules on networks counted by hand."""

import keras
import pytest
from keras import layers

from keras_lwcnn.condensation import condense
from keras_lwcnn.costs import condensenet_flops, costs
from keras_lwcnn.models import (
    CondenseNet,
    CondenseNeXt,
    LMobileNet,
    MobileNetV2,
    XceptionLite,
    build,
)
from keras_lwcnn.models.condensenet import PRESETS


def test_l_mobilenet_has_the_depth_and_fewer_parameters_than_the_paper_allows():
    model = LMobileNet()
    assert costs(model).parameters <= 604_508
    convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    branches = [layer for layer in model.layers if layer.name.endswith("reuse_conv")]
    weighted = [layer for layer in model.layers if isinstance(layer, convolutions)]
    # A block's two branches run side by side: 1x1 beside 1x1 and 3x3, then the joining 1x1.
    assert len(weighted) - len(branches) + 1 == 38


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({}, 15_834_933),
        ({"classes": 1, "classifier_activation": "sigmoid"}, 15_630_033),
        ({"include_top": False}, 15_627_984),
        ({"exit_shortcut_kernel": 1}, 11_640_629),
        ({"use_bias": False}, 15_815_549),
    ],
)
def test_xception_lite_has_the_published_parameters(arguments, parameters):
    assert XceptionLite(**arguments).count_params() == parameters


def test_xception_lite_needs_the_stated_macs():
    rescaling = 224 * 224 * 3  # the plan's first layer, which is outside of our graph
    assert round((costs(XceptionLite()).macs + rescaling) / 1e9, 3) == 2.786
    assert round(costs(XceptionLite(exit_shortcut_kernel=1)).macs / 1e9, 3) == 2.580


@pytest.mark.parametrize(
    ("preset", "arguments", "mflops", "mparameters"),
    [
        ("50", {}, 28.642, 0.2165),
        ("74", {}, 51.897, 0.4055),
        ("86", {}, 65.816, 0.5202),
        ("98", {}, 81.264, 0.6484),
        ("110", {}, 98.238, 0.7902),
        ("122", {}, 116.741, 0.9454),
        ("182", {}, 512.672, 4.222),
        ("imagenet", {}, 529.328, 4.774),
        ("imagenet", {"groups": 8, "condensation_factor": 8}, 274.233, 2.935),
    ],
)
def test_condensed_condensenets_have_the_published_flops_and_parameters(
    preset, arguments, mflops, mparameters
):
    model = CondenseNet(**{**PRESETS[preset], **arguments})
    condense(model)
    assert round(condensenet_flops(model) / 1e6, 3) == mflops
    digits = len(str(mparameters)) - 2
    assert round(costs(model).trainable_parameters / 1e6, digits) == mparameters


@pytest.mark.parametrize(
    ("arguments", "mmacs"),
    [
        ({}, 29.0),
        ({"condensation_factor": 4}, 47.6),
        ({"condensation_factor": 4, "pointwise_groups": 1}, 55.8),
        (PRESETS["tiny"], 3.1),
        (PRESETS["imagenet"], 199.2),
    ],
)
def test_condensed_condensenexts_need_the_stated_macs(arguments, mmacs):
    model = CondenseNeXt(**arguments)
    condense(model)
    assert round(costs(model).macs / 1e6, 1) == mmacs


@pytest.mark.parametrize(
    ("name", "trainable", "mmacs"),
    [
        ("mobilenet_v2", 2_236_682, 88.0),
        ("shufflenet_v2", 1_263_854, 45.0),
        ("shufflenet_v2_x0_5", 352_042, 10.9),
    ],
)
def test_the_baselines_at_32_px_have_the_stated_counts(name, trainable, mmacs):
    found = costs(build(name))
    assert found.trainable_parameters == trainable
    assert round(found.macs / 1e6, 1) == mmacs


def test_our_mobilenet_v2_is_that_of_keras_at_224_px():
    ours = costs(MobileNetV2(input_shape=(224, 224, 3), classes=1000))
    theirs = costs(keras.applications.MobileNetV2(weights=None))
    assert ours.trainable_parameters == theirs.trainable_parameters
    assert ours.macs == theirs.macs


def test_xception_of_keras_has_the_stated_counts():
    found = costs(build("xception"))
    assert found.parameters == 21_068_429
    assert round(found.macs / 1e9, 3) == 4.551


def test_condensing_takes_parameters_and_macs_away():
    model = CondenseNeXt(**PRESETS["tiny"])
    before = costs(model)
    condense(model)
    after = costs(model)
    assert after.macs < before.macs
    assert after.trainable_parameters < before.trainable_parameters
    assert after.activations == before.activations


def test_convolutions_of_every_kind_are_counted_by_hand():
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(6, 3, padding="same", groups=2)(inputs)  # 64 * 9 * 2 * 6
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)  # 16 * 9 * 6
    x = layers.SeparableConv2D(8, 3, padding="same")(x)  # 16 * (9 * 6 + 6 * 8)
    x = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)  # 16 * 9 * 8 * 2
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(5)(x)  # 2 * 5
    found = costs(keras.Model(inputs, x))
    assert found.macs == 6912 + 864 + 1632 + 2304 + 10
    assert found.parameters == (108 + 6) + (54 + 6) + (54 + 48 + 8) + (144 + 2) + (10 + 5)
    assert found.uncounted == ()


def test_a_shared_layer_is_counted_at_each_use_and_its_weights_once():
    inputs = keras.Input((4, 4, 3))
    conv = layers.Conv2D(3, 1, use_bias=False)
    found = costs(keras.Model(inputs, conv(conv(inputs))))
    assert found.macs == 2 * 16 * 9
    assert found.parameters == 9


def test_nested_sequential_and_subclassed_models_count_as_the_flat_one():
    def stack():
        return [layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(2)]

    flat = keras.Sequential([keras.Input((8, 8, 3)), *stack()])
    inner = keras.Sequential([keras.Input((8, 8, 3)), *stack()])
    inputs = keras.Input((8, 8, 3))
    nested = keras.Model(inputs, inner(inputs))

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = stack()

        def call(self, x):
            for layer in self.stack:
                x = layer(x)
            return x

    expected = costs(flat)
    assert expected.macs == 36 * 27 * 4 + 144 * 2
    assert costs(nested) == expected
    assert costs(Subclassed(), input_shape=(8, 8, 3)) == expected


def test_kept_activations_are_what_the_backward_pass_reads():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)  # reads its input: 192
    x = layers.BatchNormalization()(x)  # reads its input: 256
    x = layers.ReLU()(x)  # reads its output: 256
    x = layers.Add()([x, x])  # reads nothing
    x = layers.MaxPooling2D()(x)  # reads its input: 256
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2)(x)  # reads its input: 4
    assert costs(keras.Model(inputs, x)).activations == 192 + 256 + 256 + 256 + 4


def test_counting_leaves_no_trace_on_the_model():
    model = LMobileNet()
    shape = model.get_layer("stem_conv").output.shape
    costs(model)
    assert model.get_layer("stem_conv").output.shape == shape


def test_an_open_input_shape_is_refused_until_it_is_said():
    model = LMobileNet(include_top=False)
    with pytest.raises(ValueError, match=r"open.*None, None, 3.*input_shape="):
        costs(model)
    small = costs(model, input_shape=(32, 32, 3))
    assert costs(model, input_shape=(64, 64, 3)).macs == 4 * small.macs


def test_a_layer_without_a_rule_is_named():
    inputs = keras.Input((5, 3))
    found = costs(keras.Model(inputs, layers.LSTM(4, name="memory")(inputs)))
    assert found.uncounted == ("memory",)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(ValueError, match="str; a keras.Model is needed"):
        costs("model.keras")
