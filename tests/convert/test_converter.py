import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from android_bench.worker import open_interpreter
from convert import MODES, TFLiteModel, inspect_tflite, predict, read_sidecar, to_tflite
from convert.tflite.sidecar import REQUIRED, Sidecar, sidecar_path

FLOAT_MODES = ("float32", "float16", "dynamic")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_written_with_the_types_that_were_asked(files, mode):
    found = inspect_tflite(files[mode])
    assert found.inputs[0].dtype == MODES[mode].io_dtypes[0]
    assert found.outputs[0].dtype == MODES[mode].io_dtypes[0]
    assert found.inputs[0].shape == (1, 24, 24, 3)
    assert found.custom_ops == ()


@pytest.mark.parametrize("mode", ["float32", "float16", "int8"])
def test_the_delegate_takes_the_whole_graph(files, mode):
    found = inspect_tflite(files[mode])
    assert found.partitions == 1
    assert found.delegated_nodes == found.nodes


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_agrees_with_keras(files, model, images, labels, mode):
    logits = keras.Model(model.inputs, model.output)
    expected = np.asarray(logits(images))
    scores = predict(files[mode], images)
    assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.9
    if mode == "float32":
        shifted = np.exp(scores - scores.max(1, keepdims=True))
        np.testing.assert_allclose(shifted / shifted.sum(1, keepdims=True), expected, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_the_sidecar_says_what_the_file_is(files, mode):
    facts = read_sidecar(files[mode])
    found = inspect_tflite(files[mode])
    assert facts["file"] == files[mode].name
    assert facts["sha256"] == found.sha256
    assert facts["size"] == files[mode].stat().st_size
    assert facts["engine"] == MODES[mode].engine
    assert facts["partitions"] == found.partitions
    assert facts["versions"]["tensorflow"]
    if MODES[mode].calibrated:
        assert facts["calibration"]["count"] == 120
        assert facts["calibration"]["distinct"] == 120
        assert facts["calibration"]["input_range"] == [-1.0, 1.0]
    else:
        assert facts["calibration"] is None


def test_a_sidecar_of_another_file_is_refused(files, tmp_path):
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(files["float32"].read_bytes())
    sidecar_path(copy).write_bytes(sidecar_path(files["int8"]).read_bytes())
    with pytest.raises(ValueError, match="describes another file"):
        read_sidecar(copy)
    sidecar_path(copy).write_text(json.dumps({"kind": "train"}))
    with pytest.raises(ValueError, match="no sidecar of a .tflite file"):
        read_sidecar(copy)


@pytest.mark.parametrize(
    ("mode", "io_dtype"), [("int8", "int8"), ("int8", "uint8"), ("int8", "float32"),
                           ("int16x8", "float32"), ("int16x8", "int16")]
)  # fmt: skip
def test_integer_modes_offer_their_io_types(model, images, mode, io_dtype):
    made = to_tflite(model, mode, images, io_dtype=io_dtype)
    found = inspect_tflite(made.content)
    assert (found.inputs[0].dtype, found.outputs[0].dtype) == (io_dtype, io_dtype)
    agree = predict(made.content, images).argmax(1) == np.asarray(model(images)).argmax(1)
    assert agree.mean() > 0.85


def test_a_keras_file_gives_the_file_that_the_model_gives(model, images, tmp_path):
    model.save(tmp_path / "model.keras")
    direct = to_tflite(model, "int8", images)
    loaded = to_tflite(tmp_path / "model.keras", "int8", images)
    np.testing.assert_array_equal(predict(direct.content, images), predict(loaded.content, images))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("output", ["model", "logits", "probabilities"])
def test_output_is_the_form_that_was_asked(build_model, images, activation, output):
    keras.utils.set_random_seed(1)
    small = build_model(activation=activation)
    scores = predict(to_tflite(small, output=output).content, images)
    given = np.asarray(small(images))
    linear = keras.Model(small.inputs, small.layers[-1].input)(images)
    kernel, bias = small.layers[-1].get_weights()
    logits = np.asarray(linear) @ kernel + bias
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = {
        "model": given,
        "logits": logits,
        "probabilities": given if activation else softmax,
    }[output]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_nested_model_loses_its_softmax_too(build_model, images):
    inner = build_model()
    inputs = keras.Input((24, 24, 3))
    outer = keras.Model(inputs, inner(inputs))
    scores = predict(to_tflite(outer, output="logits").content, images)
    assert not np.allclose(scores.sum(1), 1)
    assert (scores.argmax(1) == np.asarray(outer(images)).argmax(1)).all()


def test_the_callers_model_is_left_as_it_was(model, images):
    before = [weight.copy() for weight in model.get_weights()]
    to_tflite(model, "int8", images, output="logits")
    assert model.layers[-1].activation is keras.activations.softmax
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_unknown_names_are_answered_with_the_allowed_ones(model, images):
    with pytest.raises(ValueError, match=r"'int4' is unknown.*float32, float16, dynamic, .*int8"):
        to_tflite(model, "int4")
    with pytest.raises(
        ValueError, match=r"io_dtype='int8' does not apply to mode 'float32'; allowed are float32"
    ):
        to_tflite(model, "float32", io_dtype="int8")
    with pytest.raises(ValueError, match=r"output='scores'.*model, logits, probabilities"):
        to_tflite(model, output="scores")
    with pytest.raises(ValueError, match="class_names"):
        to_tflite(model, class_names=["a", "b"])
    with pytest.raises(ValueError, match="needs a representative_dataset"):
        to_tflite(model, "int8")


@pytest.mark.parametrize("mode", MODES)
def test_files_carry_a_signature_with_plain_names(files, mode):
    signatures = open_interpreter(str(files[mode])).get_signature_list()
    assert signatures == {"serving_default": {"inputs": ["images"], "outputs": ["logits"]}}


def two_outputs():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, [keras.layers.Flatten()(inputs), keras.layers.ReLU()(inputs)])


def two_inputs():
    inputs = [keras.Input((4,), name="left"), keras.Input((4,), name="right")]
    return keras.Model(inputs, keras.layers.Add()(inputs))


def open_size():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))


def with_lambda():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2, name="twice")(inputs))


def unbuilt():
    return keras.Sequential([keras.layers.Dense(3)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_outputs, "2 outputs"),
        (two_inputs, "2 inputs .*left, right"),
        (open_size, "open size"),
        (with_lambda, "'twice' is a Lambda"),
        (unbuilt, "not built"),
        (lambda: 3, "keras.Model or the path"),
    ],
)
def test_models_that_cannot_be_covered_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        to_tflite(make())


def test_a_foreign_or_truncated_keras_file_is_a_one_line_error(model, tmp_path):
    whole = tmp_path / "whole.keras"
    model.save(whole)
    for name, content in (
        ("text.keras", b"not a model"),
        ("cut.keras", whole.read_bytes()[:-2000]),
        ("empty.keras", b""),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name) as caught:
            to_tflite(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"missing\.keras"):
        to_tflite(tmp_path / "missing.keras")


def test_a_file_with_lambda_code_is_not_run(tmp_path):
    path = tmp_path / "code.keras"
    with_lambda().save(path)
    with pytest.raises(ValueError, match=r"code\.keras cannot be loaded"):
        to_tflite(path)


def test_the_conversion_is_silent(model, images, capfd):
    to_tflite(model, "int8", images)
    out, err = capfd.readouterr()
    assert out == ""
    assert "INFO: Created TensorFlow Lite XNNPACK delegate" in err or err == ""


def test_a_logger_made_while_output_is_held_back_writes_on_afterwards(capfd):
    from convert.quiet import quiet

    with quiet():
        handler = logging.StreamHandler()  # keeps the standard error that it finds
        handler.emit(logging.makeLogRecord({"msg": "held back"}))
    handler.emit(logging.makeLogRecord({"msg": "shown"}))
    assert capfd.readouterr().err == "shown\n"


def test_what_was_held_back_is_shown_when_a_conversion_fails(capfd):
    from convert.quiet import quiet

    with pytest.raises(RuntimeError), quiet():
        os.write(1, b"the native reason\n")
        raise RuntimeError
    assert "the native reason" in capfd.readouterr().err


def test_a_kill_while_writing_leaves_the_old_file_whole(files, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    script = f"""
        import os, signal
        from pathlib import Path
        from convert import TFLiteModel
        from convert.tflite.sidecar import Sidecar
        write = Path.write_bytes
        def half(self, content):
            write(self, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        Path.write_bytes = half
        source = Path({str(files["float32"])!r})
        TFLiteModel(source.read_bytes(), Sidecar.read(source)).save({str(path)!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert not sidecar_path(path).exists()


def test_a_failed_conversion_leaves_nothing_behind(model, images, tmp_path):
    with pytest.raises(ValueError, match="one image repeated"):
        to_tflite(model, "int8", np.repeat(images[:1], 30, axis=0), path=tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_importing_convert_loads_neither_tensorflow_nor_keras():
    check = "import sys, convert; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_written_files_run_in_a_plain_interpreter(files, images):
    interpreter = open_interpreter(str(files["int8"]))
    detail = interpreter.get_input_details()[0]
    assert detail["dtype"] is np.int8
    scale, zero_point = detail["quantization"]
    stored = np.clip(np.rint(images[:1] / scale) + zero_point, -128, 127).astype(np.int8)
    interpreter.set_tensor(detail["index"], stored)
    interpreter.invoke()
    out = interpreter.get_output_details()[0]
    scale, zero_point = out["quantization"]
    value = (interpreter.get_tensor(out["index"]).astype(np.float32) - zero_point) * scale
    np.testing.assert_allclose(value, predict(files["int8"], images[:1]), rtol=1e-6)


def test_the_range_of_the_training_record_holds_for_the_calibration(model, images, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    record = {"kind": "train", "input_range": [-1.0, 1.0]}
    path.with_suffix(".json").write_text(json.dumps(record))
    halved = (np.clip(images, -1, 1) + 1) / 2
    with pytest.raises(ValueError, match=r"-1.*1"):
        to_tflite(path, "int8", halved, path=tmp_path / "model.tflite")
    assert not (tmp_path / "model.tflite").exists()


def test_a_dead_layer_is_named_where_its_int8_file_cannot_be_opened():
    inputs = keras.Input((16, 16, 3))
    silent = keras.initializers.Constant(-100.0)
    x = keras.layers.Conv2D(8, 3, activation="relu", bias_initializer=silent, name="dead")(inputs)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="after")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    images = np.random.default_rng(0).uniform(-1, 1, (24, 16, 16, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="dead.* gives nothing but 0"):
        to_tflite(model, "int8", images, input_range=(-1.0, 1.0))


def test_a_converted_model_has_a_short_repr_and_a_sidecar_that_stays(files, tmp_path):
    source = files["int8"]
    file = TFLiteModel(source.read_bytes(), Sidecar.read(source))
    assert repr(file) == f"TFLiteModel(int8, {source.stat().st_size:,} bytes, not saved)"
    assert len(repr(file.sidecar)) < 200
    saved = file.save(tmp_path / "other.tflite")
    assert (file.sidecar.file, saved.sidecar.file) == (source.name, "other.tflite")
    assert read_sidecar(saved.path) == saved.to_dict() == saved.facts
    with pytest.raises(dataclasses.FrozenInstanceError):
        file.sidecar.file = "other.tflite"


def test_a_sidecar_of_an_older_version_is_read(files, tmp_path):
    path = tmp_path / files["int8"].name
    path.write_bytes(files["int8"].read_bytes())
    facts = {key: value for key, value in read_sidecar(files["int8"]).items() if key in REQUIRED}
    sidecar_path(path).write_text(json.dumps(facts | {"key_of_the_future": 1}))
    old = Sidecar.read(path)
    assert (old.partitions, old.options, old.conversion_seconds()) == (None, None, None)
    assert read_sidecar(path)["ops"] == facts["ops"]
    del facts["ops"]
    sidecar_path(path).write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"lacks \['ops'\]"):
        read_sidecar(path)
