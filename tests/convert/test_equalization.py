import keras
import numpy as np
import pytest
from keras import layers

from convert import predict, to_tflite
from convert.options import QuantizationOptions
from convert.quantize.activations import collect
from convert.quantize.channel_groups import channels
from convert.quantize.equalization import can_equalize, equalize
from convert.quantize.quantization import int8
from convert.quantize.weighted_ops import weighted_ops
from convert.tflite import flatbuffer


def conv(filters, kernel=1, **options):
    return layers.Conv2D(filters, kernel, padding="same", **options)


def dense_block(x):
    """Concatenations behind one another, each read by a normalization and by the next one."""
    for _ in range(2):
        new = layers.ReLU(6.0)(layers.DepthwiseConv2D(1)(x))
        x = layers.Concatenate()([x, conv(4)(new)])
    return layers.DepthwiseConv2D(3)(layers.AveragePooling2D(2)(x))


def residual(x):
    return layers.ReLU()(layers.Add()([x, conv(x.shape[-1], 3)(conv(12, activation="relu6")(x))]))


def grouped(x):
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    return layers.MaxPooling2D(2)(conv(8, groups=4)(x))


BLOCKS = {"dense_block": dense_block, "residual": residual, "grouped": grouped}


def network(block):
    """Stem, block and classifier, with channels that reach from a hundredth to the whole."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((24, 24, 3))
    x = block(conv(8, 3, strides=2)(inputs))
    outputs = layers.Dense(7)(layers.GlobalAveragePooling2D()(layers.ReLU()(conv(16)(x))))
    model = keras.Model(inputs, outputs)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * np.geomspace(0.02, 2.0, kernel.shape[-1]), bias])
    return model


@pytest.fixture(scope="module", params=BLOCKS)
def content(request):
    return to_tflite(network(BLOCKS[request.param]), output="logits").content


def reach_ratio(content, images):
    """Largest over smallest reach of channels, in the tensor where it is worst."""
    model = flatbuffer.read(content)
    found, statistics = channels(model), collect(content, images, {})
    ratios = []
    for tensor, slots in found.slots.items():
        of = statistics[tensor]
        reach = np.maximum(np.abs(of.channel_low), np.abs(of.channel_high))
        if not found.fixed[slots].any() and reach.min() > 0:
            ratios.append(reach.max() / reach.min())
    return max(ratios)


def test_equalization_keeps_the_function(content, images):
    before = predict(content, images)
    after = predict(equalize(content, collect(content, images, {})), images)
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


def test_equalization_brings_channels_nearer_to_each_other(content, images):
    after = equalize(content, collect(content, images, {}))
    assert reach_ratio(after, images) < 0.5 * reach_ratio(content, images)


def test_equalization_lowers_the_error_of_int8(content, images):
    before = predict(content, images)

    def error(options):
        return ((predict(int8(content, images, "float32", options), images) - before) ** 2).mean()

    assert error(QuantizationOptions(equalize=True)) < 0.8 * error(QuantizationOptions())


def test_a_channel_is_one_channel_through_concatenations_pools_and_sums():
    model = flatbuffer.read(to_tflite(network(dense_block), output="logits").content)
    found = channels(model)
    graph = model.subgraphs[0]
    ops = [(flatbuffer.op_name(model, op), op) for op in graph.operators]
    first, second = [op for name, op in ops if name == "CONCATENATION"]
    one, other = (found.slots[int(op.outputs[0])] for op in (first, second))
    assert (len(one), len(other)) == (12, 16)
    np.testing.assert_array_equal(found.group[one], found.group[other[:12]])
    assert len(np.unique(found.group[other])) == 16
    assert len(np.unique(found.family[other])) == 1
    assert not found.mixed[other].any(), "depthwise convolutions alone read them"


def test_inputs_outputs_and_what_other_ops_read_are_fixed(images):
    inputs = keras.Input((24, 24, 3))
    x = conv(6, 3, activation="sigmoid")(inputs)
    outputs = layers.Dense(7)(layers.Flatten()(layers.MaxPooling2D(8)(x)))
    content = to_tflite(keras.Model(inputs, outputs), output="logits").content
    assert not can_equalize(content)
    assert predict(equalize(content, collect(content, images, {})), images) == pytest.approx(
        predict(content, images)
    )


def test_a_mean_over_channels_is_no_pool(images):
    """Its output may be as wide as its input by chance."""
    inputs = keras.Input((24, 24, 3))
    x = conv(24, 3)(inputs)
    outputs = layers.Dense(7)(keras.ops.mean(x, axis=(1, 3)))
    content = to_tflite(keras.Model(inputs, outputs), output="logits").content
    assert not can_equalize(content)


def test_a_channel_that_meets_the_limit_of_its_relu6_is_left_alone(images):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((24, 24, 3))
    x = conv(3, use_bias=True, activation="relu6", name="limited")(inputs)
    outputs = layers.Dense(7)(
        layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3, name="reader")(x))
    )
    model = keras.Model(inputs, outputs)
    # The first channel meets 6; the second reaches 3, the third 1.
    kernel = np.diag([9.0, 3.0, 1.0]).astype(np.float32)[None, None]
    model.get_layer("limited").set_weights([kernel, np.zeros(3, np.float32)])
    content = to_tflite(model, output="logits").content
    changed = equalize(content, collect(content, images, {}))
    before, after = (
        next(weighted_ops(flatbuffer.read(each))).weights for each in (content, changed)
    )
    np.testing.assert_allclose(
        after.max(axis=(1, 2, 3)) / before.max(axis=(1, 2, 3)), [1, 2, 6], rtol=1e-5
    )
    np.testing.assert_allclose(predict(changed, images), predict(content, images), atol=1e-5)
