import json

import keras
import numpy as np
import pytest

from keras_lwcnn import LMobileNet
from keras_lwcnn.data import ImageDataset, load_data
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.training import Recipe, train, transfer, with_new_head
from keras_lwcnn.training.freezing import frozen, stages
from lwcnn.main import main

SMALL = dict(stages=((16, 1), (16, 1)), strides=(2, 2, 2), classifier_activation=None)


def network(classes=10, size=32):
    return LMobileNet(input_shape=(size, size, 3), classes=classes, **SMALL)


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


@pytest.fixture(scope="module")
def odd(digits):
    """The same digits with other classes: even and odd."""
    names = ("even", "odd")
    splits = (
        Split(s.images[:600], s.labels[:600] % 2) for s in (digits.train, digits.val, digits.test)
    )
    return ImageDataset("parity", *splits, names)


@pytest.fixture(scope="module")
def source(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    keras.utils.set_random_seed(0)
    train(network(), digits, Recipe(epochs=3, learning_rate=1e-2), folder)
    return folder / "model.keras"


def body(model):
    """Weights of all layers but the head, by layer."""
    return {layer.name: layer.get_weights() for layer in model.layers[:-1] if layer.weights}


def changed(before, after):
    return {
        name
        for name in before
        if any((a != b).any() for a, b in zip(before[name], after[name], strict=True))
    }


def test_stages_are_what_layer_names_begin_with():
    assert stages(network()) == ["stem", "stage1", "stage2"]


def test_a_new_head_keeps_the_body_and_takes_other_classes_and_sizes():
    model = network()
    other = with_new_head(model, 3, (48, 48, 3))
    assert other.output_shape == (None, 3) and other.input_shape == (None, 48, 48, 3)
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    assert not changed(body(model), body(other))
    # A copy: training it leaves the source as it was.
    other.layers[1].set_weights([w + 1 for w in other.layers[1].get_weights()])
    assert changed(body(model), body(other)) == {"stem_conv"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1,), "classes=1 is too small; allowed is 2 or more"),
        ((3, (32, 32, 1)), r"shape \(32, 32, 1\); l_mobilenet takes 3 channels"),
    ],
)
def test_heads_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        with_new_head(network(), *arguments)


def test_a_model_without_a_head_is_refused():
    with pytest.raises(ValueError, match="last layer of l_mobilenet is .* a dense one is needed"):
        with_new_head(LMobileNet(input_shape=(32, 32, 3), include_top=False), 3)


def test_freezing_ends_with_the_block_and_names_the_stages_of_a_model():
    model = network()
    with frozen(model, "stage1", normalization=True):
        kept = {layer.name for layer in model.layers if layer.weights and not layer.trainable}
        assert "stem_conv" in kept and "stage1_block1_project_conv" in kept
        assert "stage2_block1_project_conv" not in kept and "stage2_block1_project_bn" in kept
    assert all(layer.trainable for layer in model.layers)
    message = "'stage9' is no stage or layer of .*; allowed are base, stem, stage1, stage2"
    with pytest.raises(ValueError, match=message), frozen(model, "stage9", normalization=False):
        pass


def test_the_first_step_leaves_the_base_and_its_statistics_the_second_trains_all(
    source, odd, tmp_path
):
    head, whole = transfer(
        source, odd, Recipe(epochs=6, learning_rate=1e-2, batch_size=50), tmp_path
    )
    before = body(keras.saving.load_model(source))
    first = keras.saving.load_model(tmp_path / "head" / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    assert not changed(before, body(first))
    moved = changed(before, body(second))
    assert "stem_conv" in moved and "stage2_block1_project_conv" in moved
    # In inference mode the statistics stay, and so do scale and shift.
    assert not any(name.endswith("_bn") for name in moved)
    assert all(layer.trainable for layer in second.layers)
    assert second.output_shape == (None, 2)
    assert whole.val["top1"] > 0.6
    assert (head.recipe["frozen"], whole.recipe["frozen_normalization"]) == ("base", True)
    assert whole.recipe["epochs"] == 2 and whole.recipe["learning_rate"] == pytest.approx(1e-3)
    assert whole.origin["data"] == "digits" and whole.origin["epochs"] == 3


def test_a_finished_first_step_is_not_trained_again(source, odd, tmp_path):
    recipe = Recipe(epochs=2, batch_size=50)
    transfer(source, odd, recipe, tmp_path)
    written = (tmp_path / "head" / "model.json").stat().st_mtime_ns
    transfer(source, odd, recipe, tmp_path)
    assert (tmp_path / "head" / "model.json").stat().st_mtime_ns == written
    transfer(source, odd, Recipe(epochs=1, batch_size=50), tmp_path)
    assert (tmp_path / "head" / "model.json").stat().st_mtime_ns != written


def test_a_source_without_its_record_is_refused(odd, tmp_path):
    network().save(tmp_path / "bare.keras")
    with pytest.raises(ValueError, match="no training record .*bare.json"):
        transfer(tmp_path / "bare.keras", odd, Recipe(), tmp_path / "out")


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "train"}', '{"kind": "data", "model": "x"}'])
def test_a_damaged_record_is_refused_by_name(odd, tmp_path, text):
    network().save(tmp_path / "bare.keras")
    (tmp_path / "bare.json").write_text(text)
    with pytest.raises(ValueError, match="bare.json is not a training record.*Train the model"):
        transfer(tmp_path / "bare.keras", odd, Recipe(), tmp_path / "out")


def test_the_command_transfers_and_says_what_came_of_it(source, tmp_path, capsys):
    options = ["--epochs", "1", "--tuning-epochs", "1", "--frozen", "stage1"]
    out = tmp_path / "out"
    rows = tmp_path / "rows.jsonl"
    words = ["transfer", str(source), "--data", "digits", "--out", str(out), "--rows", str(rows)]
    assert main([*words, *options]) == 0
    printed = capsys.readouterr().out
    assert "l_mobilenet, head: top-1" in printed and f"wrote {out / 'model.keras'}" in printed
    first, second = (json.loads(line) for line in rows.read_text().splitlines())
    assert first["recipe"]["frozen"] == "stage1" and second["recipe"]["epochs"] == 1
    assert np.isfinite(second["history"]["loss"]).all()
    assert main([*words[:1], str(tmp_path / "none.keras"), *words[2:]]) == 2
    assert "is no file; allowed are" in capsys.readouterr().err
