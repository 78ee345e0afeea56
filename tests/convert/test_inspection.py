import keras
import numpy as np
import pytest

from convert import inspect_tflite, to_tflite


def test_foreign_files_are_a_one_line_error_that_names_them(files, tmp_path):
    whole = files["float32"].read_bytes()
    for name, content in (
        ("empty.tflite", b""),
        ("text.tflite", b"hello, this is no model"),
        ("zip.tflite", b"PK\x03\x04" + bytes(100)),
        ("head.tflite", whole[:8]),
        ("half.tflite", whole[: len(whole) // 2]),
        ("short.tflite", whole[:-64]),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name) as caught:
            inspect_tflite(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="gone"):
        inspect_tflite(tmp_path / "gone.tflite")


def test_every_truncation_is_refused_and_none_ends_the_process(files, tmp_path):
    whole = files["int8"].read_bytes()
    for size in np.linspace(0, len(whole) - 5, 60).astype(int):
        with pytest.raises(ValueError, match="model content"):
            inspect_tflite(whole[:size])


def test_ops_and_their_number_are_counted(files):
    found = inspect_tflite(files["float32"])
    assert found.nodes == sum(found.ops.values())
    assert found.ops["CONV_2D"] == 2
    assert found.ops["DEPTHWISE_CONV_2D"] == 1


def test_quantization_of_inputs_covers_their_range(files):
    pixels = inspect_tflite(files["int8"]).inputs[0]
    low = (-128 - pixels.zero_point) * pixels.scale
    high = (127 - pixels.zero_point) * pixels.scale
    assert low == pytest.approx(-1, abs=0.02)
    assert high == pytest.approx(1, abs=0.02)


class Inverse(keras.layers.Layer):
    """A layer with an op that TFLite has no builtin for."""

    def call(self, x):
        return keras.ops.linalg.inv(x)


def test_ops_without_a_builtin_are_refused_unless_asked(capfd):
    inputs = keras.Input((3, 8, 8))
    model = keras.Model(inputs, Inverse(name="inverse")(inputs))
    with pytest.raises(ValueError, match=r"no builtin for tf.MatrixInverse at .*inverse"):
        to_tflite(model)
    assert "MatrixInverse" not in capfd.readouterr().err
    found = inspect_tflite(to_tflite(model, allow_select_ops=True).content)
    assert found.custom_ops == ("FlexMatrixInverse",)
    assert found.partitions is None
    assert found.inputs[0].shape == (1, 3, 8, 8)
