import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from convert import check_calibration, predict, to_tflite, to_tflites
from convert.options import ConversionOptions, QuantizationOptions
from convert.parcel import is_stored, restore, store


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


def test_a_process_of_its_own_writes_the_same_files(model, saved, images):
    steps = []
    modes = ["float32", "dynamic", "int8"]
    apart = to_tflites(saved, modes, images, progress=steps.append, input_range=(-1, 1))
    here = to_tflites(model, modes, images, isolated=False, input_range=(-1, 1))
    for mode in modes:
        np.testing.assert_array_equal(
            predict(apart[mode].content, images), predict(here[mode].content, images)
        )
    assert steps[0] == "loading the model"
    assert steps[-1] == "writing int8"
    assert apart["int8"].facts["calibration"] == here["int8"].facts["calibration"]


def test_a_refusal_in_the_process_is_the_same_error(tmp_path):
    inputs = keras.Input((8, 8, 3))
    two = keras.Model(inputs, [keras.layers.Flatten()(inputs), keras.layers.ReLU()(inputs)])
    two.save(tmp_path / "two.keras")
    with pytest.raises(ValueError, match="2 outputs"):
        to_tflite(tmp_path / "two.keras")


def test_a_crash_of_the_converter_is_an_error_with_its_last_words(saved, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if '-m' in sys.orig_argv and 'convert.isolation' in sys.orig_argv:\n"
        "    os.write(2, b'last words\\n')\n"
        "    os.kill(os.getpid(), 11)\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(RuntimeError, match=r"by SIGSEGV\nlast words"):
        to_tflite(saved)


def test_another_backend_converts_through_a_process_of_its_own(tmp_path):
    script = """
        import keras, numpy as np
        from convert import to_tflite
        model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
                                  keras.layers.Dense(3)])
        made = to_tflite(model)
        assert made.facts["outputs"][0]["shape"] == [1, 3], made.facts["outputs"]
        assert keras.backend.backend() == "jax"
        print("converted")
    """
    environment = dict(os.environ, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    lines = "\n".join(line[8:] for line in script.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", lines], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "converted", done.stderr


@dataclasses.dataclass
class Foreign:
    """A dataclass of another package."""


def test_arguments_and_results_survive_the_way_into_the_process(images, tmp_path):
    options = ConversionOptions(
        input_range=(-1, 1),
        class_names=["a", "b"],
        quantization=QuantizationOptions(ranges="mse", keep_float=("x",)),
    )
    calibration = check_calibration(images, None, input_range=(-1, 1))
    value = {
        "options": options,
        "nested": [{"x": 1.5}, b"TFL3", True, None],
    }
    store({**value, "calibration": calibration}, tmp_path / "job")
    restored = restore(tmp_path / "job")
    found = restored.pop("calibration")
    assert restored == value
    np.testing.assert_array_equal(found.images, images)
    assert found.to_dict() == calibration.to_dict()


@pytest.mark.parametrize("value", [object(), Foreign(), {"a": np.float32}, np.float32(1)])
def test_what_cannot_travel_is_named(value, tmp_path):
    with pytest.raises(TypeError, match="cannot travel to another process"):
        store([value], tmp_path / "job")
    assert not is_stored(tmp_path / "job")


def test_a_process_that_converts_apart_loads_no_framework_itself(saved, tmp_path):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).uniform(-1, 1, (20, 24, 24, 3)))
    code = (
        "import sys, numpy as np\n"
        "from convert import to_tflites\n"
        f"images = np.load({str(tmp_path / 'images.npy')!r})\n"
        f"files = to_tflites({str(saved)!r}, ['int8'], images, paths={{'int8': sys.argv[1]}},"
        " input_range=(-1, 1))\n"
        "assert files['int8'].facts['partitions'] == 1\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "int8.tflite")]
    subprocess.run(words, check=True, timeout=300)
