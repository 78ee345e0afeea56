import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import inspect_tflite, predict, to_tflite
from convert.modes import MODES
from convert.options import ConversionOptions, QuantizationOptions
from convert.quantize.activations import activations, collect
from convert.quantize.bias_correction import expected_shift
from convert.quantize.preparation import Preparation
from convert.quantize.quantization import int8, quantize
from convert.quantize.ranges import choose_range
from convert.quantize.rounding import rounded
from convert.quantize.search import CANDIDATES, Judge, search
from convert.quantize.weighted_ops import rounding_error, weighted_ops
from convert.tflite import flatbuffer, metrics


@pytest.fixture(scope="module")
def float_file(model):
    return to_tflite(model, output="logits").content


@pytest.fixture(scope="module")
def statistics(float_file, images):
    return collect(float_file, images, {})


def test_minmax_covers_all_and_mse_gives_outliers_up():
    histogram = np.zeros(2048, int)
    histogram[900:1100] = 1000
    histogram[-1] = 1
    assert choose_range(histogram, -1.0, 1.0, "minmax") == (-1.0, 1.0)
    low, high = choose_range(histogram, -1.0, 1.0, "mse")
    assert -0.6 < low < -0.1
    assert 0.07 < high < 0.9


def test_percentile_cuts_the_share_that_was_asked():
    histogram = np.ones(2000, int)
    low, high = choose_range(histogram, -1.0, 1.0, "percentile", 95.0)
    assert low == pytest.approx(-0.9, abs=1e-3)
    assert high == pytest.approx(0.9, abs=1e-3)


def test_mse_is_never_worse_than_minmax_in_mean_squared_error():
    random = np.random.default_rng(0)
    values = random.laplace(size=20_000).astype(np.float32)
    histogram, edges = np.histogram(values, 2048)

    def error(low, high):
        step = (high - low) / 255
        stored = np.clip(np.rint((values - low) / step), 0, 255)
        return ((stored * step + low - values) ** 2).mean()

    low, high = choose_range(histogram, float(edges[0]), float(edges[-1]), "mse")
    assert error(low, high) < error(edges[0], edges[-1])


@pytest.mark.parametrize(("method", "percentile"), [("median", 99), ("percentile", 40)])
def test_unknown_range_methods_are_refused(method, percentile):
    with pytest.raises(ValueError, match="median|40"):
        QuantizationOptions(ranges=method, percentile=percentile)


def test_statistics_are_those_of_the_values(float_file, images, statistics):
    ops = list(activations(float_file, images[:3]))
    assert set(statistics) == set(ops[0])
    source = int(flatbuffer.read(float_file).subgraphs[0].inputs[0])
    found = statistics[source]
    assert found.histogram.sum() == images.size
    np.testing.assert_allclose(found.channel_mean, images.mean(axis=(0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(found.channel_low, images.min(axis=(0, 1, 2)))


def test_bias_correction_predicts_the_shift_that_rounded_weights_make(float_file, statistics):
    for op in weighted_ops(flatbuffer.read(float_file)):
        if op.name == "FULLY_CONNECTED":
            means = statistics[op.source].channel_mean
            expected = rounding_error(op) @ means
            np.testing.assert_allclose(expected_shift(op, means), expected, rtol=1e-6)


def test_rounding_beats_the_nearest_and_keeps_the_scales():
    random = np.random.default_rng(1)
    inputs = random.normal(size=(2000, 2, 24)) @ random.normal(size=(24, 24))
    weights = random.normal(size=(2, 5, 24))
    moments = np.einsum("ngk,ngl->gkl", inputs, inputs) / len(inputs)
    after = rounded(weights, moments)
    scale = np.abs(weights).max(axis=2, keepdims=True) / 127
    np.testing.assert_allclose(np.rint(after / scale), after / scale, atol=1e-6)
    np.testing.assert_allclose(np.abs(after).max(axis=2), np.abs(weights).max(axis=2))

    def error(found):
        return (np.einsum("ngk,grk->ngr", inputs, found - weights) ** 2).mean()

    assert error(after) < 0.7 * error(np.rint(weights / scale) * scale)


@pytest.mark.parametrize("options", CANDIDATES, ids=lambda o: str(o)[20:70])
def test_every_way_keeps_the_function(float_file, images, options):
    found = predict(int8(float_file, images, "int8", options), images)
    expected = predict(float_file, images)
    assert metrics.agreement(found, expected) > 0.85
    assert inspect_tflite(int8(float_file, images, "int8", options)).partitions == 1


def test_rounded_weights_arrive_in_the_file_as_they_were_chosen(float_file, images):
    options = QuantizationOptions(round_weights=True)
    chosen = {
        op.model.subgraphs[0].tensors[op.target].name: op.weights
        for op in weighted_ops(flatbuffer.read(Preparation(float_file, images)(options)))
    }
    model = flatbuffer.read(int8(float_file, images, "int8", options))
    graph = model.subgraphs[0]
    compared = 0
    for op in graph.operators:
        name = graph.tensors[op.outputs[0]].name
        if name in chosen:
            tensor = graph.tensors[op.inputs[1]]
            stored = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.int8)
            scales = np.asarray(tensor.quantization.scale)
            axis = tensor.quantization.quantizedDimension
            shape = [-1 if i == axis else 1 for i in range(len(tensor.shape))]
            values = stored.reshape(tensor.shape) * scales.reshape(shape)
            np.testing.assert_allclose(values, chosen[name], atol=1e-3 * scales.max())
            compared += 1
    assert compared >= 3


def test_layers_named_to_stay_in_float_do(float_file, images):
    options = QuantizationOptions(keep_float=("logits",))
    plain, mixed = (
        inspect_tflite(int8(float_file, images, "int8", o)) for o in (STOCK_OPTIONS, options)
    )
    assert "DEQUANTIZE" not in plain.ops
    assert mixed.ops["DEQUANTIZE"] == 1
    assert mixed.partitions == 1


@pytest.mark.parametrize("change", ["round_weights", "correct_bias"])
def test_layers_that_stay_in_float_keep_their_weights(float_file, images, change):
    graph = flatbuffer.read(float_file).subgraphs[0]
    every = tuple(graph.tensors[op.outputs[0]].name.decode() for op in graph.operators)
    options = QuantizationOptions(**{change: True}, keep_float=every)
    found = predict(int8(float_file, images, "float32", options), images)
    np.testing.assert_allclose(found, predict(float_file, images), atol=1e-5)


STOCK_OPTIONS = QuantizationOptions()


def test_auto_keeps_the_way_nearest_to_float(model, images):
    made = to_tflite(model, "int8", images, input_range=(-1, 1), quantization="auto")
    trials = made.facts["search"]["trials"]
    best = made.facts["search"]["best"]
    assert best["divergence"] == min(trial["divergence"] for trial in trials)
    assert made.facts["quantization"] == best["options"]
    assert best["divergence"] <= trials[0]["divergence"]


def test_max_drop_leaves_layers_in_float_until_it_holds(float_file, images):
    judge = Judge(float_file, images[:60], images[60:])
    layers = ["logits", "nothing of this name"]

    def fake(options):
        trial = judge_real(options)
        object.__setattr__(trial, "agreement", 0.9 + 0.05 * len(options.keep_float))
        return trial

    judge_real = Judge.__call__.__get__(judge)
    fake.candidates = judge.candidates[:1]
    found = search(fake, layers, max_drop=5.0)
    assert len(found.best.options.keep_float) == 1
    found = search(fake, layers, max_drop=0.1)
    assert len(found.best.options.keep_float) == 2
    with pytest.raises(ValueError, match="max_drop=-1.* allowed are 0 and more"):
        search(fake, layers, max_drop=-1.0)


def test_a_bound_that_nothing_meets_is_an_error(float_file, images, labels):
    judge = Judge(float_file, images[:60], images[60:])
    bad = judge(QuantizationOptions())
    object.__setattr__(bad, "agreement", 0.5)

    def always(options):
        return bad

    always.candidates = judge.candidates[:1]
    with pytest.raises(ValueError, match=r"no mixture .* max_drop=1 .*best lost 50"):
        search(always, ["logits"], max_drop=1.0)


def test_options_that_do_not_apply_are_refused():
    with pytest.raises(ValueError, match="max_drop=1.*needs quantization='auto'"):
        ConversionOptions(max_drop=1)
    with pytest.raises(ValueError, match="quantization='best' is unknown; allowed are 'auto'"):
        ConversionOptions(quantization="best")
    with pytest.raises(ValueError, match="max_drop=-2"):
        ConversionOptions(quantization="auto", max_drop=-2)


def test_quantizing_twice_gives_the_same_file(float_file, images):
    options = QuantizationOptions(round_weights=True, ranges="mse")
    first, second = (int8(float_file, images, "int8", options) for _ in range(2))
    np.testing.assert_array_equal(predict(first, images), predict(second, images))


def test_dynamic_stores_large_weights_in_int8_and_stays_in_one_piece():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(128, 1, name="few_weights"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Conv2D(16, 1, name="pointwise"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, name="also_few"),
        ]
    )
    content = quantize(to_tflite(model, lower=False).content, MODES["dynamic"])
    graph = flatbuffer.read(content).subgraphs[0]
    stored = sorted(t.shape.tolist() for t in graph.tensors if t.type == schema.TensorType.INT8)
    assert stored == [[1, 3, 3, 128], [16, 1, 1, 128]]
    found = inspect_tflite(content)
    assert found.partitions == 1
    assert found.not_delegated == ()
