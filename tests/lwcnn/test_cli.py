import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_lwcnn.training import RECIPES, Recipe
from lwcnn.main import VERBS, main
from lwcnn.verbs import train
from lwcnn.verbs.convert import delegation_lines


def fails_with_one_line(capsys, *argv):
    """Run a verb on bad input; give the one line that it leaves."""
    assert main([str(word) for word in argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    line = lines[-1]
    assert line.startswith(f"lwcnn {argv[0]}: ") and "Traceback" not in "".join(lines)
    return line


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_loads_nothing_heavy(verb):
    """Help has to be instant, so it may not import what takes seconds; no clock decides here."""
    words = ["--help"] if verb is None else [verb, "--help"]
    code = (
        "import sys\nfrom lwcnn.main import main\n"
        f"try: main({words!r})\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'keras', 'tensorflow', 'numpy', 'rich', 'matplotlib', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: lwcnn")


@pytest.mark.parametrize("words", [["train", "none"], ["run", "--model", "none"]])
def test_tensorflow_says_nothing_while_it_is_loaded(words):
    """Its C++ does, before a log level can be set: bad input leaves one line all the same."""
    words = [*words, "--data", "digits", "--out", os.devnull]
    code = f"import sys\nfrom lwcnn.main import main\nsys.exit(main({words!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"lwcnn {words[0]}: ") and done.stderr.count("\n") == 1


def test_models_lists_parameters_and_macs(capsys):
    assert (
        main(["models", "xception_lite", "--image-size", "224", "--classes", "101", "--json"]) == 0
    )
    row = json.loads(capsys.readouterr().out)
    assert row["model"] == "xception_lite" and row["parameters"] == 15_834_933


def test_recipes_lists_the_published_beside_ours(capsys):
    assert main(["recipes", "condensenet", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    published = next(row for row in rows if row["id"] == "condensenet/cifar10/published")
    assert (published["epochs"], published["optimizer"]) == (300, "sgd")
    assert "CVPR 2018" in published["source"]
    assert main(["recipes", "condensenet"]) == 0
    assert "condensenet/cifar10/ours" in capsys.readouterr().out


def test_a_recipe_is_named_or_read_from_a_record_and_changed_by_options(tmp_path):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)

    def recipe(*words, model="l_mobilenet", data="path/cifar10.npz"):
        args = parser.parse_args([model, "--data", data, "--out", "x", *words])
        return train.recipe_from(args, model)

    assert recipe() == Recipe()
    named = recipe("--recipe", "short", "--seed", "3")
    assert named == replace(RECIPES["l_mobilenet/cifar10/short"].recipe, seed=3)
    muon = RECIPES["l_mobilenet/cifar10/ours"].recipe
    assert recipe("--recipe", "ours", "--adam-learning-rate", "0.01") == replace(
        muon, adam_learning_rate=0.01
    )
    # What is Muon's is not taken over by another optimizer.
    assert recipe("--recipe", "ours", "--optimizer", "adamw") == replace(
        muon, optimizer="adamw", adam_learning_rate=Recipe.adam_learning_rate
    )
    record = tmp_path / "model.json"
    record.write_text(json.dumps({"kind": "train", "recipe": {"epochs": 7, "ema": 0.5}}))
    assert recipe("--recipe", str(record), "--epochs", "9") == Recipe(epochs=9, ema=0.5)


@pytest.mark.parametrize(
    ("argv", "found", "allowed"),
    [
        (["models", "resnet"], "'resnet'", "l_mobilenet"),
        (["train", "resnet", "--data", "digits", "--out", "x"], "'resnet'", "xception_lite"),
        (
            ["train", "l_mobilenet", "--data", "cifar10", "--out", "x", "--recipe", "mine"],
            "'l_mobilenet/cifar10/mine'",
            "l_mobilenet/cifar10/ours",
        ),
        (
            ["train", "l_mobilenet", "--data", "digits", "--out", "x", "--recipe", "none.json"],
            "none.json",
            "no such file",
        ),
        (
            ["train", "l_mobilenet", "--data", "digits", "--out", "x", "--processes", "2"],
            "--coordinator, --process-id is missing",
            "--processes",
        ),
        (["recipes", "vgg"], "vgg", "l_mobilenet"),
        (["train", "l_mobilenet", "--data", "mnist", "--out", "x"], "'mnist'", "cifar100, digits"),
        (["run", "--data", "digits", "--out", "x", "--modes", "float32,int4"], "'int4'", "int16x8"),
        (["run", "--data", "digits", "--out", "x", "--modes", "int8"], "int8", "float32"),
        (["run", "--data", "digits", "--out", "x", "--model", "vgg"], "'vgg'", "condensenext"),
        (["run", "--data", "imagenet", "--out", "x"], "'imagenet'", "digits"),
        (["run", "--data", "digits", "--out", "x", "--calibration-images", "5"], "5", "20"),
        (["run", "--data", "digits", "--out", "x", "--calibration-images", "0"], "0", "1 to 1293"),
        (["compare", "m.keras", "--modes", "float32,int4"], "'int4'", "int16x8"),
        (["compare", "m.keras", "--modes", "int8,dynamic"], "int8, dynamic", "float32"),
        (["compare", "m.keras", "m.int8.tflite"], "m.int8.tflite", "one MODEL.keras"),
        (["compare", "m.keras", "n.keras"], "n.keras", "one MODEL.keras"),
        (["compare", "m.h5"], "m.h5", ".keras"),
        (["compare", "m.int8.tflite", "--modes", "float32"], "m.int8.tflite", "MODEL.keras"),
        (["compare", "m.int8.tflite", "--out", "x"], "--out", "MODEL.keras"),
        (["compare", "m.keras", "--plot", "costs.gif"], "costs.gif", ".png"),
    ],
)
def test_unknown_names_are_answered_with_the_allowed_ones(
    capsys, tmp_path, monkeypatch, argv, found, allowed
):
    monkeypatch.chdir(tmp_path)
    line = fails_with_one_line(capsys, *argv)
    assert found in line and allowed in line
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("run --data digits --out x --optimizer lion", ("lwcnn run: ", "'lion'", "adamw", "muon")),
        ("train l_mobilenet --data digits --out x --schedule up", ("'up'", "cosine", "constant")),
        ("convert m.keras --output raw", ("lwcnn convert: ", "'raw'", "logits")),
        ("bench compare before.jsonl", ("lwcnn bench compare: ", "AFTER.jsonl")),
        ("levitate", ("lwcnn: ", "'levitate'", "train")),
        ("train l_mobilenet --epochs many", ("--epochs", "'many'")),
    ],
)
def test_words_that_the_parser_refuses_leave_one_line_too(capsys, words, parts):
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in parts) and line.endswith("--help")


def test_an_unknown_device_is_answered_with_the_allowed_ones(capsys, tmp_path):
    file = tmp_path / "m.tflite"
    file.write_bytes(b"\0\0\0\0TFL3")
    assert "ssh" in fails_with_one_line(capsys, "bench", file, "--device", "toaster")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not a model at all"])
def test_foreign_keras_files_leave_one_line(capsys, tmp_path, content):
    file = tmp_path / "model.keras"
    file.write_bytes(content)
    assert "model.keras" in fails_with_one_line(capsys, "convert", file, "--modes", "float32")
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("verb", ["bench", "compare"])
@pytest.mark.parametrize("content", [b"", b"\x1c\0\0\0TFL3 cut", b"not a model at all"])
def test_foreign_tflite_files_leave_one_line(capsys, tmp_path, verb, content):
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    extra = ["--data", "digits"] if verb == "compare" else []
    assert "model.tflite" in fails_with_one_line(capsys, verb, file, *extra)


@pytest.fixture
def convertible(tmp_path):
    """A small network with an average pool that XNNPACK refuses, and 150 training images."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 1, name="last")(x))
    keras.Model(inputs, keras.layers.Dense(2, name="scores")(x)).save(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3), "uint8")
    labels = np.arange(200) % 2
    np.savez(
        tmp_path / "images.npz",
        x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:],
    )  # fmt: skip
    return ["convert", str(tmp_path / "model.keras"), "--data", str(tmp_path / "images.npz"),
            "--modes", "int8", "--input-range", "-1", "1"]  # fmt: skip


def test_convert_says_what_it_rewrote_and_what_leaves_the_delegate_by_layer(convertible, capsys):
    main(convertible)
    shown = " ".join(capsys.readouterr().out.split())
    assert "rewritten for LiteRT: average_pool_as_depthwise (pool)" in shown
    assert "XNNPACK leaves out" not in shown
    main([*convertible, "--no-lowering"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "model.int8.tflite: XNNPACK leaves out AVERAGE_POOL_2D of pool" in shown
    assert "rewritten" not in shown


def test_of_many_layers_the_first_are_named():
    rewrites = {"carry_lone_activation": [f"relu{i}" for i in range(9)]}
    row = {"file": "a.tflite", "lowering": {"rewrites": rewrites}, "outside_delegate": None}
    assert delegation_lines([row]) == [
        "rewritten for LiteRT: carry_lone_activation (relu0, relu1, relu2, relu3 and 5 more)"
    ]


def test_few_training_images_are_all_calibrated_with_unless_more_are_asked_for(
    convertible, capsys, tmp_path
):
    main(convertible)
    facts = json.loads((tmp_path / "model.int8.tflite.json").read_text())
    assert facts["calibration"]["count"] == 135, "a tenth of the 150 is held back for validation"
    line = fails_with_one_line(capsys, *convertible, "--calibration-images", "136")
    assert "136 calibration images asked for; allowed are 1 to 135" in line


def test_files_that_are_missing_leave_one_line(capsys, tmp_path):
    missing = tmp_path / "none"
    for argv in (
        ["convert", missing.with_suffix(".keras")],
        ["compare", missing.with_suffix(".keras")],
        ["compare", missing.with_suffix(".tflite")],
        ["bench", missing.with_suffix(".tflite")],
        ["report", missing.with_suffix(".jsonl")],
    ):
        assert "none." in fails_with_one_line(capsys, *argv)


def test_the_package_imports_no_tensorflow_on_another_backend():
    code = (
        "import sys, keras_lwcnn\n"
        "keras_lwcnn.LMobileNet(input_shape=(32, 32, 3), stages=((16, 1),), strides=(2, 2))\n"
        "import keras_lwcnn.training, keras_lwcnn.data, lwcnn.report\n"
        "assert 'tensorflow' not in sys.modules"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", ["OPTIMIZERS", "SCHEDULES", "AUGMENTATIONS", "LOSSES", "PRECISIONS"]
)
def test_the_options_of_a_recipe_offer_what_a_recipe_allows(name):
    from keras_lwcnn.training import recipe
    from lwcnn.verbs import train

    assert getattr(train, name) == getattr(recipe, name)
