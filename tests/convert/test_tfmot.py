import gzip
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from convert import predict, to_tflite
from convert.optimize import tfmot
from convert.optimize.legacy import SWITCH, rebuild


@pytest.fixture(scope="module")
def tuning():
    return tfmot.FineTuning(epochs=2, batch_size=24, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def nothing_leaks():
    environment = os.environ.get(SWITCH)
    yield
    assert os.environ.get(SWITCH) == environment
    assert tf.keras.__version__.startswith("3.")
    assert sys.modules["keras"].__version__.startswith("3.")


def test_the_rebuilt_model_computes_the_same(model, images):
    twin = rebuild(model)
    np.testing.assert_allclose(twin(images), model(images), atol=1e-5)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("name", ["l_mobilenet", "xception_lite", "mobilenet_v2", "shufflenet_v2"])
def test_our_models_are_rebuilt(name):
    from keras_lwcnn.models import MODELS

    built = MODELS[name].builder(input_shape=(64, 64, 3), classes=5, weights=None)
    assert rebuild(built).count_params() == built.count_params()


def test_a_layer_without_counterpart_is_named():
    class Own(keras.layers.Layer):
        def call(self, x):
            return x * 2

    inputs = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=r"'mine' \(Own\) has no counterpart"):
        rebuild(keras.Model(inputs, Own(name="mine")(inputs)))


@pytest.mark.parametrize("io_dtype", ["int8", "float32"])
def test_quantization_aware_training_gives_an_int8_file(model, images, labels, tuning, io_dtype):
    before = [weight.copy() for weight in model.get_weights()]
    made = tfmot.quantization_aware(model, images, labels, tuning, io_dtype=io_dtype)
    assert made.facts["inputs"][0]["dtype"] == io_dtype
    assert set(made.facts["not_delegated"]) <= {"SOFTMAX"}
    assert made.facts["training"]["epochs"] == 2
    float_scores = predict(to_tflite(model).content, images)
    agree = predict(made.content, images).argmax(1) == float_scores.argmax(1)
    assert agree.mean() > 0.7
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_branches_that_meet_keep_their_order_in_quantization_aware_training():
    """quantize_model swaps the two inputs of this concatenation, which makes another function."""
    inputs = keras.Input((16, 16, 3))
    tensors = {}
    for name in ("left", "right"):
        x = keras.layers.Conv2D(8, 3, use_bias=False, name=f"{name}_conv")(inputs)
        x = keras.layers.BatchNormalization(momentum=0.0, name=f"{name}_bn")(x)
        tensors[name] = keras.layers.ReLU(name=f"{name}_relu")(x)
    deep = keras.layers.DepthwiseConv2D(3, padding="same", name="left_spatial")(tensors["left"])
    x = keras.layers.Concatenate(name="join")([tensors["right"], deep])
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(6, name="head")(x))
    images = np.random.default_rng(0).uniform(-1, 1, (64, 16, 16, 3)).astype(np.float32)
    model(images, training=True)  # with momentum 0 the statistics are those of the images
    hardly = tfmot.FineTuning(epochs=1, batch_size=64, learning_rate=1e-9)
    made = tfmot.quantization_aware(model, images, np.arange(64) % 6, hardly)
    expected, found = np.asarray(model(images)), predict(made.content, images)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.99


def test_pruning_zeroes_the_share_that_was_asked(model, images, labels, tuning):
    sparse = tfmot.pruned(model, images, labels, 0.6, tuning)
    kernel = sparse.get_layer("pointwise").get_weights()[0]
    assert (kernel == 0).mean() == pytest.approx(0.6, abs=0.02)
    assert (model.get_layer("pointwise").get_weights()[0] == 0).mean() < 0.1
    packed = [len(gzip.compress(to_tflite(m).content)) for m in (sparse, model)]
    assert packed[0] < packed[1]


def test_clustering_leaves_few_weights(model, images, labels, tuning):
    few = tfmot.clustered(model, images, labels, 8, tuning)
    assert len(np.unique(few.get_layer("pointwise").get_weights()[0])) <= 8
    assert (np.asarray(few(images)).argmax(1) == np.asarray(model(images)).argmax(1)).mean() > 0.5


def test_a_layer_that_cannot_be_trained_for_int8_is_named():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.LayerNormalization(name="by_image")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    images = np.zeros((32, 8, 8, 3), np.float32)
    with pytest.raises(ValueError, match="cannot train .* for int8: Layer by_image"):
        tfmot.quantization_aware(keras.Model(inputs, x), images, np.zeros(32))


def test_a_condensed_network_is_trained_for_int8_and_clustered():
    from keras_lwcnn.condensation import condense, deploy
    from keras_lwcnn.models import CondenseNeXt

    network = CondenseNeXt(
        input_shape=(16, 16, 3), classes=4, stages=(2, 1), growth_rates=(8, 8), name="dense"
    )
    condense(network)
    images = np.random.default_rng(0).uniform(-1, 1, (64, 16, 16, 3)).astype(np.float32)
    labels = np.arange(64) % 4
    hardly = tfmot.FineTuning(epochs=1, batch_size=64, learning_rate=1e-9)
    made = tfmot.quantization_aware(network, images, labels, hardly)
    assert made.facts["partitions"] == 1
    expected, found = np.asarray(network(images)), predict(made.content, images)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.97

    few = tfmot.clustered(network, images, labels, 4, hardly)
    kernel = few.get_layer("stage1_layer1_learned_conv").get_weights()[0]
    assert len(np.unique(kernel)) <= 4
    assert [layer.name for layer in few.layers] == [
        layer.name for layer in deploy(network, "masked").layers
    ]


def test_values_that_mean_nothing_are_refused(model, images, labels):
    with pytest.raises(ValueError, match="sparsity=1.5 .* between 0 and 1"):
        tfmot.pruned(model, images, labels, 1.5)
    with pytest.raises(ValueError, match="clusters=1 .* allowed are 2"):
        tfmot.clustered(model, images, labels, 1)
    with pytest.raises(ValueError, match="io_dtype='int4' .* allowed are int8, uint8, float32"):
        tfmot.quantization_aware(model, images, labels, io_dtype="int4")


def test_nothing_leaks_into_a_fresh_process(model, images, labels, tmp_path):
    model.save(tmp_path / "model.keras")
    script = f"""
        import os
        from convert.source.float_tflite import load_model
        from convert.optimize.legacy import rebuild
        rebuild(load_model({str(tmp_path / "model.keras")!r}))
        import tensorflow as tf
        import tensorflow_model_optimization
        assert tf.keras.__version__.startswith("3."), tf.keras.__version__
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
