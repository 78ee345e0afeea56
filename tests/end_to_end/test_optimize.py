"""From a trained network to files that were trained for int8, pruned, and looked into."""

import json

import keras
import numpy as np
import pytest

from keras_lwcnn import Recipe, load_data, train
from lwcnn.main import main
from lwcnn.rows import read_rows


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A small trained network, its float32 and int8 files."""
    out = tmp_path_factory.mktemp("small")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(16, 3, 2, use_bias=False, name="stem_conv")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9, name="stem_bn")(x)
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.Conv2D(16, 3, 2, activation="relu", name="second")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(10, name="logits")(x), name="small")
    recipe = Recipe(epochs=12, batch_size=32)
    train(model, load_data("digits"), recipe, out, show_progress=False)
    assert main(["convert", str(out / "model.keras"), "--modes", "float32,int8"]) == 0
    return out


def test_files_of_all_ways_stand_in_one_comparison(home, tmp_path, capsys):
    model = str(home / "model.keras")
    quick = ["--images", "200", "--batch-size", "32", "--learning-rate", "1e-5"]
    assert main(["optimize", model, "--for", "int8", *quick]) == 0
    assert "wrote" in capsys.readouterr().out
    assert main(["optimize", model, "--for", "pruned", "--sparsity", "0.4", *quick]) == 0
    pruned = home / "model.pruned.keras"
    kernel = keras.saving.load_model(pruned).get_layer("second").get_weights()[0]
    assert np.mean(kernel == 0) == pytest.approx(0.4, abs=0.01)
    record = json.loads(pruned.with_suffix(".json").read_text())
    assert record["origin"]["sparsity"] == 0.4
    assert f"top-1 {record['val']['top1']:.2%} on the 144 validation" in capsys.readouterr().out

    assert main(["convert", str(pruned), "--modes", "int8"]) == 0
    files = [
        str(home / f"model.{name}.tflite") for name in ("float32", "int8", "qat", "pruned.int8")
    ]
    rows = tmp_path / "rows.jsonl"
    assert main(["compare", *files, "--no-latency", "--rows", str(rows)]) == 0
    found = {row["mode"]: row for row in read_rows(rows)}
    assert list(found) == ["float32", "int8", "model.qat", "model.pruned.int8"]
    assert found["model.qat"]["agreement"] > 0.6


def test_layer_errors_as_a_table_rows_and_a_picture(home, tmp_path, capsys):
    rows, picture = tmp_path / "rows.jsonl", tmp_path / "layers.png"
    files = [str(home / f"model.{mode}.tflite") for mode in ("float32", "int8")]
    words = ["layers", *files, "--images", "20", "--rows", str(rows), "--plot", str(picture)]
    assert main(words) == 0
    found = read_rows(rows)
    assert {row["kind"] for row in found} == {"layer_error"}
    assert {"second", "logits"} <= {row["layer"] for row in found}
    assert all(row["sqnr"] > 10 and row["mode"] == "int8" for row in found)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "SQNR dB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["optimize", "model.keras", "--for", "int8", "--epochs", "0"],
            "epochs=0 is too small; allowed are values at least 1",
        ),
        (
            ["optimize", "model.keras", "--for", "pruned", "--sparsity", "2", "--images", "50"],
            "sparsity=2.0 is no share of weights; allowed are values between 0 and 1",
        ),
        (
            ["optimize", "model.keras", "--for", "int8", "--sparsity", "0.3"],
            "--sparsity 0.3 is for --for pruned; this is --for int8",
        ),
        (["optimize", "none.keras", "--for", "int8"], "none.keras does not exist"),
        (["layers", "model.float32.tflite", "model.float32.tflite"], "both are float32"),
        (
            ["layers", "model.float32.tflite", "model.int8.tflite", "--images", "0"],
            "--images 0 is too few; allowed are 1 and more",
        ),
    ],
)
def test_bad_input_leaves_one_line(home, monkeypatch, capsys, words, message):
    monkeypatch.chdir(home)
    assert main(words) == 2
    assert message in capsys.readouterr().err
