"""The weights that the package holds: loaded whole, checked before they are opened."""

import io
import json
import shutil

import keras
import numpy as np
import pytest

from keras_lwcnn.condensation import condense, is_condensed
from keras_lwcnn.costs import costs
from keras_lwcnn.data import load_data, scale_images
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.models import CondenseNeXt, LMobileNet, build
from keras_lwcnn.models.condensenet import PRESETS
from keras_lwcnn.weights import archive, index, load_shipped, shipped, shipped_sets
from keras_lwcnn.weights.checking import checked
from keras_lwcnn.weights.measured import MeasuredMode, wilson_interval
from keras_lwcnn.weights.packaging import add_set, describe
from lwcnn.main import main

NETWORKS = ("l_mobilenet", "condensenext_tiny")
SHAPE = (32, 32, 3)
TEST = Split(np.zeros((4, *SHAPE), "uint8"), np.arange(4))
RECORD = {
    "kind": "train",
    "dataset": {
        "name": "digits",
        "source": "digits",
        "input_shape": list(SHAPE),
        "class_names": [str(i) for i in range(10)],
        "images": {"train": 1293, "val": 144, "test": 360},
    },
    "input_range": [-1.0, 1.0],
    "output": "logits",
    "recipe": {"epochs": 1, "seed": 0},
    "val": {"loss": 1.0, "top1": 0.5},
    "versions": {"keras": "3"},
    "date": "2026-01-01T00:00:00+00:00",
}


def images(count=2, size=32):
    return np.random.default_rng(0).uniform(-1, 1, (count, size, size, 3)).astype("float32")


def row(mode, top1=0.5, count=360):
    return {
        "mode": mode, "images": count, "top1": top1, "size": 2000, "gzip_size": 1000, "drop": 0.0,
        "agreement": 1.0,
    }  # fmt: skip


def described(network, content, record=RECORD, **more):
    arguments = {"costs": {}, "test": TEST, "rows": [row("float32"), row("int8")], **more}
    return describe(network, {"model": network, **record}, content, **arguments)


def untrained(network):
    """A network with logits whose weights, statistics and masks are all its own."""
    keras.utils.set_random_seed(0)
    model = build(network, input_shape=SHAPE, classifier_activation=None)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    condense(model)
    return model


@pytest.fixture(scope="module")
def sources():
    return {network: untrained(network) for network in NETWORKS}


@pytest.fixture(scope="module")
def packed(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    index.write_index([], folder)
    for network, model in sources.items():
        content = archive.pack(archive.arrays_of(model))
        add_set(described(network, content), content, folder)
    return folder


@pytest.fixture
def package(packed, tmp_path, monkeypatch):
    """A folder of weights of our own, in place of the package's."""
    folder = shutil.copytree(packed, tmp_path / "weights")
    monkeypatch.setattr(index, "FOLDER", folder)
    return folder


@pytest.mark.parametrize("network", NETWORKS)
def test_named_weights_give_the_outputs_of_the_trained_network(package, sources, network):
    x = images()
    logits = sources[network].predict(x, verbose=0)
    model = build(network, weights="digits", input_shape=SHAPE, classifier_activation=None)
    np.testing.assert_allclose(model.predict(x, verbose=0), logits, atol=1e-5)
    probabilities = build(network, weights="digits").predict(x, verbose=0)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_without_the_top_all_other_weights_serve_other_sizes(package, sources, network):
    source = sources[network]
    backbone = keras.Model(source.inputs, source.get_layer("avg_pool").output)
    arguments = {"weights": "digits", "include_top": False, "pooling": "avg"}
    model = build(network, input_shape=SHAPE, classes=3, **arguments)
    x = images()
    np.testing.assert_allclose(
        model.predict(x, verbose=0), backbone.predict(x, verbose=0), atol=1e-5
    )
    wide = build(network, input_shape=(96, 96, 3), **arguments)
    given = archive.arrays_of(source)
    for name, ours in archive.arrays_of(wide).items():
        np.testing.assert_array_equal(ours, given[name])


def test_weights_that_a_mask_takes_out_are_packed_as_zeros(sources):
    model = sources["condensenext_tiny"]
    conv = model.get_layer("stage2_layer1_learned_conv")
    kernel = archive.arrays_of(model)[f"{conv.name}/kernel"]
    assert np.count_nonzero(kernel) * conv.condensation_factor == kernel.size
    assert np.count_nonzero(conv.kernel) == kernel.size


def test_the_weights_of_the_preset_arrive_condensed(package):
    assert is_condensed(CondenseNeXt(**PRESETS["tiny"], weights="digits"))
    assert not is_condensed(CondenseNeXt(**PRESETS["tiny"]))


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (LMobileNet, {"classes": 7}, "classes=7.*allowed is 10"),
        (LMobileNet, {"classifier_activation": "relu"}, "'relu'.*'softmax' and None"),
        (
            LMobileNet,
            {"weights": "imagenet"},
            r"'imagenet'.*None.*\('digits'\).*\.weights\.h5 or \.keras",
        ),
        (
            LMobileNet,
            {"input_shape": (32, 32, 1)},
            r"'stem_conv'.*\(3, 3, 1, 16\).*\(3, 3, 3, 16\)",
        ),
        (LMobileNet, {"expansion": 2}, r"'stage1_block1.*\(1, 1, 16, 16\).*\(1, 1, 16, 24\)"),
        (
            LMobileNet,
            {"stages": ((16, 1), (24, 2)), "strides": (1, 1, 2), "include_top": False},
            r"shape \(1, 1, 24, 36\) in layer 'stage3_block1_\w+'; 'l_mobilenet' has no such",
        ),
        (CondenseNeXt, {}, r"\(14, 14, 14\).*condensenext_tiny.*\(4, 4, 4\)"),
        (
            CondenseNeXt,
            {**PRESETS["tiny"], "groups": 2},
            r"'stage1_layer1_learned_conv'.*'mask' of shape \(16, 2\).*\(16, 4\)",
        ),
        (
            CondenseNeXt,
            {**PRESETS["tiny"], "condensation_factor": 4},
            "'stage1_layer1_learned_conv'.*condensation_factor=4.*stage 7",
        ),
        (
            CondenseNeXt,
            {**PRESETS["tiny"], "classifier_condensation": 1},
            r"'mask' of shape \(112,\) in layer 'predictions'",
        ),
    ],
)
def test_what_the_weights_do_not_fit_is_refused(package, builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        builder(**{"weights": "digits", **arguments})


def test_a_model_that_is_refused_keeps_its_weights(package):
    model = build("condensenext_tiny", classes=3)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'predictions'.*\(112, 3\).*\(112, 10\)"):
        load_shipped(model, "condensenext_tiny", "digits")
    for ours, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)


def test_a_changed_file_is_refused_before_it_is_opened(package, monkeypatch):
    stated = shipped("condensenext_tiny", "digits")
    file = package / stated.file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was opened"))
    found = archive.digest(bytes(content))
    with pytest.raises(ValueError, match=f"{stated.file}.*{found}.*{stated.sha256}"):
        build("condensenext_tiny", weights="digits")


def test_a_file_with_python_objects_is_refused(package):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{"stem_conv/kernel": np.array([{}], object)})
    content = buffer.getvalue()
    add_set(described("condensenext_tiny", content), content, package)
    with pytest.raises(ValueError, match="not an .npz archive of plain arrays"):
        build("condensenext_tiny", weights="digits")


def test_weights_that_are_too_large_are_not_packed(monkeypatch):
    monkeypatch.setattr(archive, "MAXIMUM_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 1,000"):
        archive.pack({"a/b": np.random.default_rng(0).random(1000)})


def test_an_entry_is_what_was_described_and_replaces_an_older_one(package):
    content = b"other"
    made = described("l_mobilenet", content, rows=[row("float32", 0.25)])
    add_set(made, content, package)
    assert shipped("l_mobilenet", "digits") == made
    assert [each.network for each in shipped_sets()] == ["condensenext_tiny", "l_mobilenet"]
    assert made.mode("float32").right == 90
    assert repr(made) == "ShippedSet('l_mobilenet' on 'digits', float32 25.00%)"
    with pytest.raises(ValueError, match="'int8'.*float32"):
        made.mode("int8")
    with pytest.raises(ValueError, match="'cifar10'.*l_mobilenet on digits"):
        shipped("l_mobilenet", "cifar10")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"model": "xception"}, "'xception', not of 'l_mobilenet'"),
        ({"output": "probabilities"}, "'probabilities'; only networks with logits"),
        ({"origin": {"data": "cifar100"}}, "began with weights trained on 'cifar100'; only"),
        ({"dataset": {**RECORD["dataset"], "source": "d/digits.npz"}}, "'d/digits.npz'"),
    ],
)
def test_a_training_that_cannot_be_repeated_is_not_shipped(record, message):
    with pytest.raises(ValueError, match=message):
        described("l_mobilenet", b"", {**RECORD, **record})


def test_intervals_are_wilsons():
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    with pytest.raises(ValueError, match="right=11, images=10.*at least 1"):
        wilson_interval(11, 10)


@pytest.mark.parametrize(
    ("mode", "right", "same", "holds"),
    [
        ("float32", 4001, True, True),
        ("float32", 3998, True, False),
        ("int8", 4020, True, True),
        ("int8", 4021, True, False),
        ("float32", 4120, False, True),
        ("float32", 4240, False, False),
    ],
)
def test_as_much_difference_is_allowed_as_noise_makes(mode, right, same, holds):
    stated = MeasuredMode.from_row(row(mode, 0.5, 8000))
    assert checked(stated, right, 8000, same_images=same).holds is holds


def test_the_verb_lists_what_there_is(package, capsys):
    assert main(["weights", "list"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in (*NETWORKS, "digits", "50.00%"))
    index.write_index([], package)
    assert main(["weights", "list"]) == 0
    assert "no weights" in capsys.readouterr().out
    assert main(["weights", "check", "l_mobilenet"]) == 2
    assert "shipped are none" in capsys.readouterr().err


def test_the_verb_tells_a_stated_accuracy_that_is_not_found(package, sources, tmp_path):
    data = load_data("digits")
    scores = sources["condensenext_tiny"].predict(
        scale_images(data.test.images, (-1.0, 1.0)), verbose=0
    )
    top1 = float((scores.argmax(axis=1) == data.test.labels).mean())
    content = (package / shipped("condensenext_tiny", "digits").file).read_bytes()
    rows = [row("float32", top1), row("int8", 1.0)]
    add_set(described("condensenext_tiny", content, test=data.test, rows=rows), content, package)
    file = tmp_path / "rows.jsonl"
    words = ["weights", "check", "condensenext_tiny", "--data", "digits", "--rows", str(file)]
    assert main(words) == 1
    found = {r["mode"]: r for r in map(json.loads, file.read_text().splitlines())}
    assert found["float32"]["holds"] and found["float32"]["same_images"]
    assert not found["int8"]["holds"] and found["int8"]["stated"] == 1.0
    assert {r["kind"] for r in found.values()} == {"weights_check"}


def test_every_shipped_set_loads_and_is_described():
    for each in shipped_sets():
        assert (index.FOLDER / each.file).stat().st_size <= archive.MAXIMUM_BYTES
        model = build(each.network, weights=each.data, classifier_activation=None)
        assert is_condensed(model)
        assert costs(model).to_dict() == {**each.costs, "uncounted": ()}
        assert [mode.mode for mode in each.measured] == ["float32", "int8"]


@pytest.mark.real_data
def test_every_shipped_set_is_as_accurate_as_stated(real_data):
    for each in shipped_sets():
        test = load_data(each.data).test
        chosen = np.random.default_rng(0).permutation(len(test))[:1000]
        model = build(each.network, weights=each.data)
        scores = model.predict(scale_images(test.images[chosen], each.input_range), verbose=0)
        top1 = (scores.argmax(axis=1) == test.labels[chosen]).mean()
        stated = each.mode("float32").top1
        error = np.sqrt(stated * (1 - stated) / len(chosen))
        assert abs(top1 - stated) <= 3 * error, (each.id, top1, stated)
