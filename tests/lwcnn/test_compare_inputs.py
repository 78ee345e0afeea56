import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from keras_lwcnn.data import ImageDataset
from keras_lwcnn.data.dataset import Split
from lwcnn.compare_inputs import check_classes, read_files
from lwcnn.main import main


@pytest.fixture
def write(tmp_path):
    """Return a function that writes what starts like a .tflite file, with its sidecar."""

    def write_one(mode, name=None, **facts):
        path = tmp_path / (name or f"m.{mode}.tflite")
        path.write_bytes(b"\0\0\0\0TFL3" + mode.encode())
        sidecar = {
            "kind": "convert",
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": 8,
            "mode": mode,
            "inputs": [{"shape": [1, 32, 32, 3]}],
            "outputs": [{"shape": [1, 10]}],
            "ops": {},
            "versions": {},
            "input_range": [-1.0, 1.0],
            **facts,
        }
        path.with_name(path.name + ".json").write_text(json.dumps(sidecar))
        return path

    return write_one


def dataset(*names):
    split = Split(np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int64))
    return ImageDataset("pictures", split, split, split, names)


def test_files_tell_their_modes_range_and_classes(write):
    files = [write("int8"), write("float32", class_names=list("abcdefghij"))]
    compared = read_files(files)
    assert compared.paths == {"int8": files[0], "float32": files[1]}
    assert (compared.input_range, compared.image_size, compared.classes) == ((-1.0, 1.0), 32, 10)
    assert compared.class_names == list("abcdefghij")
    one_unit = read_files([write("float32", outputs=[{"shape": [1, 1]}])])
    assert one_unit.classes == 2 and one_unit.class_names is None


def test_files_that_cannot_be_compared_are_refused(write, tmp_path):
    alone = r"m\.int8\.tflite \(int8\) cannot be compared without a float32 file"
    with pytest.raises(ValueError, match=alone):
        read_files([write("int8")])
    with pytest.raises(ValueError, match="both are float32"):
        read_files([write("float32"), write("float32", "other.tflite")])
    with pytest.raises(ValueError, match=r"input ranges .*\(0.0, 1.0\).*; allowed is one range"):
        read_files([write("float32"), write("int8", input_range=[0.0, 1.0])])
    with pytest.raises(FileNotFoundError, match="none.tflite does not exist"):
        read_files([tmp_path / "none.tflite"])
    alone = write("float32")
    alone.with_name(alone.name + ".json").unlink()
    with pytest.raises(FileNotFoundError, match="has no sidecar"):
        read_files([alone])


def test_a_data_set_of_other_classes_is_refused():
    file = Path("m.float32.tflite")
    check_classes(dataset("cat", "dog"), 2, ["cat", "dog"], file)
    check_classes(dataset("0", "1"), 2, ["cat", "dog"], file)
    check_classes(dataset("cat", "dog"), 2, None, file)
    with pytest.raises(ValueError, match=r"pictures has 2 classes; m.float32.tflite .* 3 apart"):
        check_classes(dataset("cat", "dog"), 3, ["cat", "dog", "owl"], file)
    with pytest.raises(ValueError, match=r"classes cat, owl; m.float32.tflite has cat, dog"):
        check_classes(dataset("cat", "owl"), 2, ["cat", "dog"], file)


def test_bad_files_end_the_command_before_images_are_loaded(write, capsys, monkeypatch):
    def load_data(*_, **__):
        raise AssertionError("the images were loaded first")

    monkeypatch.setattr("keras_lwcnn.data.load_data", load_data)
    assert main(["compare", str(write("int8")), "--data", "digits"]) == 2
    assert "without a float32 file" in capsys.readouterr().err
    assert main(["compare", str(write("float32"))]) == 2
    assert "Give --data" in capsys.readouterr().err


def test_images_of_other_classes_end_the_command_before_any_file_is_run(write, capsys):
    seven = write("float32", outputs=[{"shape": [1, 7]}])
    assert main(["compare", str(seven), "--data", "digits"]) == 2
    assert "digits has 10 classes" in capsys.readouterr().err
