"""A written file goes on learning, as Keras would, with LiteRT's builtin ops alone."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from android_bench.worker import open_interpreter
from convert import inspect_tflite, predict, read_sidecar, to_tflite, trainable_tflite
from convert.tflite.metadata import read_labels
from keras_lwcnn.condensation import condense
from keras_lwcnn.data import load_data, scale_images
from keras_lwcnn.models import CondenseNeXt, LMobileNet
from lwcnn.main import main

BATCH, CLASSES, SHAPE = 6, 5, (16, 16, 3)
SIGNATURES = {"infer", "train", "get_weights", "set_weights"}
DOCS = Path(__file__).parents[2] / "docs" / "converting.md"


def l_mobilenet(activation="softmax"):
    return LMobileNet(
        input_shape=SHAPE,
        stages=((16, 1), (24, 2)),
        strides=(2, 1, 2),
        classes=CLASSES,
        classifier_activation=activation,
    )


def condensenext():
    model = CondenseNeXt(
        input_shape=SHAPE,
        stages=(1, 1),
        growth_rates=(8, 8),
        classes=CLASSES,
        classifier_activation=None,
    )
    condense(model)
    return model


def nested():
    """A network in a network, a dropout that inference leaves out, and a head without bias."""
    base = keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(8, 3, activation="relu"), layers.Flatten()]
    )
    head = [layers.Dropout(0.5), layers.Dense(CLASSES, use_bias=False)]
    return keras.Sequential(
        [keras.Input(SHAPE), base, *head, layers.Dense(CLASSES, use_bias=False)]
    )


NETWORKS = {
    "l_mobilenet_softmax": l_mobilenet,
    "l_mobilenet_logits": lambda: l_mobilenet(None),
    "condensenext": condensenext,
    "nested_without_bias": nested,
}


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request):
    """A network and its trainable file."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[request.param]()
    return model, trainable_tflite(model, batch_size=BATCH)


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (BATCH, *SHAPE)).astype(np.float32)
    return {"images": images, "labels": np.array([0, 3, 1, 4, 2, 3], np.int32)}


def runner(content, name):
    return open_interpreter(content).get_signature_runner(name)


def rate_of(file):
    return np.float32(file.facts["training"]["check"]["learning_rate"])


def weights_of(interpreter):
    return interpreter.get_signature_runner("get_weights")(unused=np.int32(0))


def steps(interpreter, batch, rate, count):
    train = interpreter.get_signature_runner("train")
    return [float(train(**batch, learning_rate=np.float32(rate))["loss"]) for _ in range(count)]


def test_the_file_has_four_signatures_of_builtin_ops(pair):
    _, file = pair
    found = inspect_tflite(file.content)
    assert set(open_interpreter(file.content).get_signature_list()) == SIGNATURES
    assert found.custom_ops == ()
    assert found.partitions == 1
    assert found.nodes - found.delegated_nodes == 1, found.not_delegated


def test_infer_gives_what_keras_gives(pair, batch):
    model, file = pair
    expected = np.asarray(model(batch["images"], training=False))
    infer = runner(file.content, "infer")
    name = "probabilities" if np.allclose(expected.sum(axis=1), 1) else "logits"
    found = np.concatenate([infer(images=image[None])[name] for image in batch["images"]])
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(predict(file.content, batch["images"]), found)


def test_training_steps_are_those_of_keras_sgd(pair, batch):
    model, file = pair
    phone = open_interpreter(file.content)
    losses = steps(phone, batch, rate_of(file), 3)
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    head = twin.layers[-1]
    for layer in twin.layers[:-1]:
        layer.trainable = False
    head.activation = keras.activations.linear
    # In inference mode: without dropout, and with the stored statistics.
    features = keras.Model(twin.inputs, head.input)(batch["images"], training=False)
    last = keras.Sequential([keras.Input(features.shape[1:]), head])
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    last.compile(keras.optimizers.SGD(float(rate_of(file))), crossentropy)
    for loss in losses:
        expected = last.train_on_batch(features, batch["labels"])
        assert loss == pytest.approx(float(expected), rel=1e-4)
    found = weights_of(phone)
    kernel = np.asarray(getattr(head, "active_kernel", head.kernel))
    np.testing.assert_allclose(found["kernel"], kernel, atol=1e-4 * np.abs(kernel).max())
    bias = np.zeros(CLASSES) if head.bias is None else np.asarray(head.bias)
    np.testing.assert_allclose(found["bias"], bias, atol=1e-5)


def test_weights_carried_to_another_interpreter_give_equal_outputs(pair, batch):
    _, file = pair
    image = {"images": batch["images"][:1]}
    first, second = open_interpreter(file.content), open_interpreter(file.content)
    (name,) = first.get_signature_list()["infer"]["outputs"]
    before = second.get_signature_runner("infer")(**image)[name]
    losses = steps(first, batch, rate_of(file), 5)
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
    weights = weights_of(first)
    given_back = second.get_signature_runner("set_weights")(**weights)
    for key, value in weights.items():
        np.testing.assert_array_equal(given_back[key], value)
        np.testing.assert_array_equal(weights_of(second)[key], value)
    trained = first.get_signature_runner("infer")(**image)[name]
    np.testing.assert_array_equal(second.get_signature_runner("infer")(**image)[name], trained)
    assert not np.array_equal(trained, before)


@pytest.mark.parametrize("pair", ["l_mobilenet_logits"], indirect=True)
@pytest.mark.parametrize("label", [-1, CLASSES])
def test_images_with_a_label_that_is_no_class_are_left_out(pair, batch, label):
    model, file = pair
    padded = {"images": batch["images"].copy(), "labels": batch["labels"].copy()}
    padded["labels"][4:] = label
    found = []
    for filling in (0.0, 1.0):
        padded["images"][4:] = filling
        phone = open_interpreter(file.content)
        losses = steps(phone, padded, rate_of(file), 2)
        found.append((losses, weights_of(phone)["kernel"].tolist()))
    assert found[0] == found[1]
    expected = keras.losses.sparse_categorical_crossentropy(
        batch["labels"][:4], model(batch["images"][:4]), from_logits=True
    )
    assert found[0][0][0] == pytest.approx(float(np.mean(expected)), rel=1e-4)


@pytest.mark.parametrize("pair", ["condensenext"], indirect=True)
def test_what_was_pruned_stays_pruned(pair, batch):
    model, file = pair
    pruned = ~model.layers[-1].active_inputs
    phone = open_interpreter(file.content)
    before = weights_of(phone)["kernel"]
    steps(phone, batch, rate_of(file), 2)
    after = weights_of(phone)["kernel"]
    assert pruned.any() and not after[pruned].any()
    assert (after != before)[~pruned].any()


def test_the_sidecar_says_what_the_file_is(batch, tmp_path):
    names = [f"class {index}" for index in range(CLASSES)]
    told = []
    model = nested()
    made = trainable_tflite(
        model,
        batch_size=2,
        path=tmp_path / "out" / "model.trainable.tflite",
        progress=told.append,
        input_range=(-1, 1),
        class_names=names,
        output="probabilities",
    )
    assert told[0] == "converting the Keras model" and told[-1] == "checking the file"
    facts = read_sidecar(made.path)
    assert facts == json.loads(json.dumps(made.to_dict()))
    assert (facts["kind"], facts["mode"]) == ("convert", "trainable")
    assert facts["input_range"] == [-1.0, 1.0] and facts["class_names"] == names
    assert facts["training"]["layer"] == model.layers[-1].name
    assert facts["training"]["batch_size"] == 2
    assert facts["inputs"][0]["shape"] == [1, *SHAPE]
    expected = keras.ops.softmax(model(batch["images"]))
    np.testing.assert_allclose(predict(made.path, batch["images"]), np.asarray(expected), atol=1e-4)
    assert read_labels(made.content) == tuple(names)


def test_a_learning_rate_comes_from_the_images_that_are_given():
    model = nested()
    images = np.random.default_rng(0).uniform(-1, 1, (30, *SHAPE)).astype(np.float32)
    file = trainable_tflite(model, images, input_range=(-1, 1))
    assert file.facts["calibration"]["count"] == 30
    features = keras.Model(model.inputs, model.layers[-1].input)(images[:16], training=False)
    squares = np.square(features).sum(axis=1) + 1
    assert rate_of(file) == pytest.approx(2 / squares.mean(), rel=1e-4)
    with pytest.raises(ValueError, match="NaN"):
        trainable_tflite(model, images * np.nan)


def test_the_command_writes_a_file_that_compare_takes(tmp_path, capsys):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, *SHAPE), np.uint8)
    labels = np.arange(60) % CLASSES
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    model = nested()
    model.save(tmp_path / "m.keras")
    convert = ["convert", str(tmp_path / "m.keras"), "--input-range", "-1", "1", "--trainable"]
    assert main([*convert, "--train-batch-size", "0"]) == 2
    assert "batch_size=0" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("*.tflite")] == []
    data = ["--data", str(tmp_path / "d.npz"), "--calibration-images", "40"]
    assert main([*convert, *data, "--train-batch-size", "3"]) == 0
    assert [path.name for path in tmp_path.glob("*.tflite")] == ["m.trainable.tflite"]
    facts = read_sidecar(tmp_path / "m.trainable.tflite")
    assert facts["training"]["batch_size"] == 3 and facts["calibration"]["count"] == 40
    to_tflite(model, path=tmp_path / "m.float32.tflite", input_range=(-1, 1))
    files = [str(tmp_path / f"m.{mode}.tflite") for mode in ("float32", "trainable")]
    capsys.readouterr()
    assert main(["compare", *files, *data[:2]]) == 0
    assert re.search(r"trainable.* 100\.00%", capsys.readouterr().out)


def test_the_documented_steps_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    nested().save("runs/mine/model.keras")
    (code,) = [part for part in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)]
    images = np.random.default_rng(0).uniform(-1, 1, (64, *SHAPE)).astype(np.float32)
    names = {"images": images, "labels": np.full(64, 2, np.int32)}
    exec(code, names)
    losses = [float(line) for line in capsys.readouterr().out.split()]
    assert len(losses) == 4 and losses == sorted(losses, reverse=True)
    assert names["scores"]["logits"].shape == (1, CLASSES)
    assert read_sidecar(names["file"]) == names["trainable"].to_dict()


@pytest.mark.real_data
def test_the_loss_falls_on_cifar10(real_data):
    """Ten classes that an untrained network's features tell apart a little."""
    data = load_data("cifar10")
    images = scale_images(data.train.images[:320], (-1.0, 1.0))
    labels = data.train.labels[:320].astype(np.int32)
    keras.utils.set_random_seed(0)
    model = LMobileNet(
        input_shape=(32, 32, 3), classes=10, stages=((16, 1), (24, 2)), strides=(2, 2, 1)
    )
    file = trainable_tflite(model, images, batch_size=32)
    phone = open_interpreter(file.content)
    epochs = []
    for _ in range(6):
        batches = [
            {"images": images[start : start + 32], "labels": labels[start : start + 32]}
            for start in range(0, 320, 32)
        ]
        epochs.append(np.mean([steps(phone, part, rate_of(file), 1) for part in batches]))
    assert epochs[-1] < epochs[0] and epochs[-1] < np.log(10), epochs
