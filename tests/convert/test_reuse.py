import numpy as np
import pytest

from convert import Calibration, ConversionOptions, to_tflites
from convert.reuse import reusable

OPTIONS = {"input_range": (-1.0, 1.0), "class_names": tuple("abcdefg")}


@pytest.fixture(scope="module")
def saved(model, images, tmp_path_factory):
    """A `.keras` file with its float32 and int8 file."""
    folder = tmp_path_factory.mktemp("saved")
    path = folder / "model.keras"
    model.save(path)
    paths = {mode: folder / f"model.{mode}.tflite" for mode in ("float32", "int8")}
    to_tflites(path, list(paths), images, paths=paths, description="written before", **OPTIONS)
    return path, paths


def found(saved, images, paths=None, **options):
    path, written = saved
    chosen = ConversionOptions(**{**OPTIONS, **options})
    return reusable(path, paths or written, Calibration(images, (-1.0, 1.0)), chosen)


def test_files_of_the_same_model_images_and_options_are_found(saved, images, tmp_path):
    missing = saved[1] | {"dynamic": tmp_path / "model.dynamic.tflite"}
    again = found(saved, images, missing)
    assert list(again) == ["float32", "int8"]
    assert again["int8"].mode == "int8"
    assert again["int8"].options["description"] == "written before"


def test_files_of_other_images_or_options_are_not_written_over(saved, images):
    with pytest.raises(ValueError, match=r"model\.int8\.tflite .*other calibration images"):
        found(saved, images[:40])
    with pytest.raises(ValueError, match=r"output='model', not 'logits'"):
        found(saved, images, output="logits")
    with pytest.raises(ValueError, match=r"class_names=.*'g'.*, not None"):
        found(saved, images, class_names=None)


def test_files_of_another_model_and_changed_files_are_made_again(saved, images, model, tmp_path):
    other = tmp_path / "model.keras"
    shifted = [weight + np.float32(0.01) for weight in model.get_weights()]
    weights = model.get_weights()
    model.set_weights(shifted)
    model.save(other)
    model.set_weights(weights)
    assert found((other, saved[1]), images) == {}
    changed = {"float32": tmp_path / "changed.tflite"}
    changed["float32"].write_bytes(saved[1]["int8"].read_bytes())
    sidecar = saved[1]["float32"].with_name("model.float32.tflite.json")
    (tmp_path / "changed.tflite.json").write_bytes(sidecar.read_bytes())
    assert found(saved, images, changed) == {}
