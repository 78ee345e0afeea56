"""The builders behave as those of keras.applications."""

import doctest
import inspect
import pickle
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_lwcnn
from keras_lwcnn.models import (
    MODELS,
    CondenseNet,
    CondenseNeXt,
    LMobileNet,
    MobileNetV2,
    ShuffleNetV2,
    XceptionLite,
    build,
)
from keras_lwcnn.models.keras_baselines import EfficientNetV2B1, KerasMobileNetV2, Xception

# Small members of each family: (builder, arguments, channels of the last feature map).
FEW_STAGES = {"stages": ((16, 2), (24, 1)), "strides": (1, 1, 2)}
FEW_LAYERS = {"stages": (1, 2), "growth_rates": (8, 8)}
SMALL = {
    "l_mobilenet": (LMobileNet, FEW_STAGES, 24),
    "l_mobilenet_plain": (LMobileNet, {"spatial": "plain", "expansion": 1, **FEW_STAGES}, 24),
    "condensenet": (CondenseNet, FEW_LAYERS, 40),
    "condensenext": (CondenseNeXt, FEW_LAYERS, 40),
    "xception_lite": (XceptionLite, {"width": 0.125, "middle_repeats": 1}, 256),
    "shufflenet_v2": (ShuffleNetV2, {"width": 0.5, "repeats": (2, 1, 1)}, 1024),
}


@pytest.fixture(params=SMALL, scope="module")
def small(request):
    builder, arguments, channels = SMALL[request.param]

    def build_small(**more):
        return builder(**{**arguments, **more})

    build_small.channels = channels
    return build_small


def images(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


@pytest.mark.parametrize("channels", [1, 4])
def test_without_top_any_channels_and_open_sizes_are_taken(small, channels):
    model = small(include_top=False, input_shape=(None, None, channels))
    assert model.output_shape == (None, None, None, small.channels)
    assert model.predict(images((1, 40, 48, channels)), verbose=0).shape[-1] == small.channels


def test_without_top_the_default_input_is_an_rgb_image_of_any_size(small):
    assert small(include_top=False).input_shape == (None, None, None, 3)


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooling_gives_a_vector(small, pooling):
    assert small(include_top=False, pooling=pooling).output_shape == (None, small.channels)


def test_an_input_tensor_is_built_upon(small):
    inputs = keras.Input((66, 70, 4), name="camera")
    x = keras.layers.Conv2D(3, 2, strides=2)(inputs)
    model = small(include_top=False, input_tensor=x)
    assert [tensor.name for tensor in model.inputs] == ["camera"]
    assert model.output_shape[-1] == small.channels


def test_classes_and_activation_are_chosen(small):
    model = small(input_shape=(32, 32, 3), classes=7)
    assert model.layers[-1].activation is keras.activations.softmax
    np.testing.assert_allclose(
        model.predict(images((2, 32, 32, 3)), verbose=0).sum(axis=1), 1.0, rtol=1e-5
    )
    logits = small(input_shape=(32, 32, 3), classes=1, classifier_activation=None)
    assert logits.output_shape == (None, 1)
    assert logits.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_weights_come_from_a_file_also_without_the_top(small, suffix, tmp_path):
    shape = (32, 32, 3)
    source = small(input_shape=shape)
    path = tmp_path / f"w{suffix}"
    source.save(path) if suffix == ".keras" else source.save_weights(path)
    x = images((2, *shape))
    expected = source.predict(x, verbose=0)
    np.testing.assert_allclose(
        small(input_shape=shape, weights=path).predict(x, verbose=0), expected, atol=1e-6
    )
    backbone = keras.Model(source.inputs, source.get_layer("avg_pool").output)
    without_top = small(input_shape=shape, weights=path, include_top=False, pooling="avg")
    np.testing.assert_allclose(
        without_top.predict(x, verbose=0), backbone.predict(x, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_weights_of_other_classes_are_refused(small, suffix, tmp_path):
    source = small(input_shape=(32, 32, 3), classes=3)
    path = tmp_path / f"w{suffix}"
    source.save(path) if suffix == ".keras" else source.save_weights(path)
    with pytest.raises(ValueError, match=r"\b3\b"):
        small(input_shape=(32, 32, 3), classes=4, weights=path)


def test_saved_models_open_where_only_the_package_is_imported(tmp_path):
    x = images((2, 32, 32, 3))
    np.save(tmp_path / "x.npy", x)
    for name, (builder, arguments, _) in SMALL.items():
        model = builder(input_shape=(32, 32, 3), **arguments)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", model.predict(x, verbose=0))
    code = (
        "import pathlib, sys, numpy as np, keras, keras_lwcnn\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "for path in folder.glob('*.keras'):\n"
        "    y = keras.saving.load_model(path).predict(np.load(folder / 'x.npy'), verbose=0)\n"
        "    np.testing.assert_allclose(y, np.load(path.with_suffix('.npy')), atol=1e-6)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=300)


def test_a_serialized_model_is_rebuilt_with_the_same_layers(small):
    model = small(input_shape=(32, 32, 3))
    config = keras.saving.serialize_keras_object(model)
    rebuilt = keras.saving.deserialize_keras_object(config)
    assert [layer.name for layer in rebuilt.layers] == [layer.name for layer in model.layers]
    assert [w.shape for w in rebuilt.weights] == [w.shape for w in model.weights]


def test_layer_names_are_the_same_each_time(small):
    names = [[layer.name for layer in small().layers] for _ in range(2)]
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (1, 32, 3)}, r"\(1, 32, 3\).*at least \d+x\d+ pixels"),
        ({"input_shape": (32, 32)}, r"\(32, 32\).*\(height, width, channels\)"),
        ({"input_shape": (32, 32, None)}, r"\(32, 32, None\).*known number of channels"),
        ({"weights": "imagenet"}, r"'imagenet'.*\.weights\.h5 or \.keras"),
        ({"weights": "missing.keras"}, "'missing.keras'.*existing file"),
        ({"include_top": False, "pooling": "sum"}, "'sum'.*'avg'"),
        ({"classes": 0}, "classes=0.*at least 1.*include_top=False"),
        ({"input_tensor": np.zeros((1, 32, 32, 3))}, "ndarray.*Keras tensor"),
    ],
)
def test_bad_arguments_are_refused_with_what_was_received(small, arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_contradicting_shape_and_tensor_are_refused(small):
    with pytest.raises(ValueError, match=r"\(64, 64, 3\) contradicts.*32.*Leave"):
        small(input_shape=(64, 64, 3), input_tensor=keras.Input((32, 32, 3)))


def test_channels_first_is_refused(small):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="'channels_first'.*'channels_last'"):
            small()
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (LMobileNet, {"spatial": "dilated"}, "'dilated'.*depthwise, plain"),
        (LMobileNet, {"strides": (1, 2)}, r"\(1, 2\).*7 stages"),
        (LMobileNet, {"expansion": 0.3}, "0.3 of the 16 channels.*even number"),
        (LMobileNet, {"input_shape": (7, 7, 3)}, "8x8"),
        (MobileNetV2, {"strides": (1, 2)}, r"\(1, 2\).*8 are needed"),
        (ShuffleNetV2, {"width": 0.7}, "0.7.*0.5, 1.0"),
        (XceptionLite, {"exit_shortcut_kernel": 5}, "5.*1 and 3"),
        (XceptionLite, {"width": 0}, "width=0.*above 0"),
        (XceptionLite, {"input_shape": (31, 64, 3)}, "32x32"),
        (CondenseNet, {"growth_rates": (8, 16)}, r"\(8, 16\).*same length"),
        (CondenseNet, {"growth_rates": (8, 16, 30)}, r"30.*groups=4.*multiples"),
        (CondenseNet, {"condensation_factor": 7}, "16 input channels.*condensation_factor=7"),
        (CondenseNet, {"groups": 3, "growth_rates": (9, 9, 9)}, "18 input channels"),
        (CondenseNeXt, {"pointwise_groups": 5}, "pointwise_groups=5.*multiples"),
        (CondenseNeXt, {"condensation_factor": 32}, "16 input channels.*condensation_factor=32"),
    ],
)
def test_what_a_network_cannot_be_is_refused_when_it_is_built(builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        builder(**arguments)


def test_small_and_large_images_get_the_stated_strides_of_l_mobilenet():
    assert LMobileNet(include_top=False, input_shape=(32, 32, 3)).output_shape[1] == 4
    assert LMobileNet(include_top=False, input_shape=(224, 224, 3)).output_shape[1] == 7
    early = LMobileNet(include_top=False, strides=(1, 1, 2, 2, 2, 1, 2, 1), input_shape=(32, 32, 3))
    assert early.output_shape[1] == 2


def test_both_branches_of_l_mobilenet_begin_equally_strong():
    keras.utils.set_random_seed(0)
    model = LMobileNet()
    blocks = [x.name.removesuffix("_concat") for x in model.layers if x.name.endswith("_concat")]
    assert len(blocks) == 12
    images = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    ends = [f"{block}_{end}" for block in blocks for end in ("reuse_relu", "spatial_conv")]
    branches = keras.Model(model.input, [model.get_layer(end).output for end in ends])
    strengths = [np.std(x) for x in branches.predict(images, verbose=0)]
    for reuse, spatial in zip(strengths[::2], strengths[1::2], strict=True):
        assert 0.4 < spatial / reuse < 2.5


BUILDERS = (
    LMobileNet,
    CondenseNet,
    CondenseNeXt,
    XceptionLite,
    MobileNetV2,
    ShuffleNetV2,
    Xception,
    KerasMobileNetV2,
    EfficientNetV2B1,
)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
def test_the_example_of_a_builder_runs(builder):
    example = doctest.DocTestParser().get_doctest(builder.__doc__, {}, builder.__name__, None, 0)
    report = []
    results = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert results.attempted >= 2
    assert results.failed == 0, "".join(report)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
def test_the_documentation_tells_every_argument_once(builder):
    documented = builder.__doc__.partition("Args:")[2].partition("Returns:")[0]
    names = re.findall(r"^    (\w+): ", documented, re.MULTILINE)
    assert names == list(inspect.signature(builder).parameters)
    for section in ("Args:", "Returns:", "Raises:", "Example:"):
        assert builder.__doc__.count(f"\n{section}\n") == 1, section
    assert pickle.loads(pickle.dumps(builder)) is builder


def test_an_argument_that_no_builder_has_is_refused_by_the_builders_name():
    with pytest.raises(TypeError, match=r"LMobileNet\(\).*'depth'"):
        LMobileNet(depth=3)


@pytest.mark.parametrize("name", ["LMobileNet", "CondenseNet", "CondenseNeXt", "XceptionLite"])
def test_builders_take_the_arguments_of_keras_applications_in_order(name):
    parameters = inspect.signature(getattr(keras_lwcnn, name)).parameters
    wanted = set(inspect.signature(keras.applications.MobileNetV3Small).parameters)
    positional = [key for key, value in parameters.items() if value.kind is not value.KEYWORD_ONLY]
    assert {
        "input_shape", "include_top", "weights", "input_tensor", "pooling", "classes",
        "classifier_activation", "name",
    } == set(positional) <= wanted  # fmt: skip


def test_every_network_is_built_by_name():
    for name, entry in MODELS.items():
        assert inspect.signature(entry.builder).parameters["name"].default == name
    assert build("condensenet", stages=(1,), growth_rates=(8,)).name == "condensenet"
    with pytest.raises(ValueError, match="'resnet'.*l_mobilenet"):
        build("resnet")


def test_each_network_gets_the_pixels_that_it_expects():
    pixels = np.array([[[[0, 255, 51]]]], "uint8")
    assert MODELS["xception"].preprocess_input(pixels).ravel() == pytest.approx([-1, 1, -0.6])
    assert MODELS["efficientnet_v2_b1"].preprocess_input(pixels).ravel() == pytest.approx(
        [0, 255, 51]
    )


def test_preprocessing_scales_to_the_range_and_leaves_its_input_alone():
    pixels = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    scaled = keras_lwcnn.preprocess_input(pixels)
    assert (scaled.dtype, scaled.min(), scaled.max()) == (np.float32, -1.0, 1.0)
    np.testing.assert_allclose(
        scaled,
        keras.applications.xception.preprocess_input(pixels.astype("float32")),
        atol=1e-6,
    )
    tensor = keras.ops.convert_to_numpy(
        keras_lwcnn.preprocess_input(keras.ops.convert_to_tensor(pixels))
    )
    np.testing.assert_allclose(tensor, scaled, atol=1e-6)
    assert pixels[0, 0, 1, 0] == 1
    with pytest.raises(ValueError, match=r"\(1, 0\).*low < high"):
        keras_lwcnn.preprocess_input(pixels, (1, 0))
