import numpy as np
import pytest

from convert import layer_errors, predict, to_tflite
from convert.comparison.layer_error import layer_of, plot_layer_errors, worth_excluding
from convert.options import QuantizationOptions


@pytest.fixture(scope="module")
def errors(files, model, images):
    names = [layer.name for layer in model.layers]
    return layer_errors(files["float32"], files["int8"], images[:30], names)


def test_every_layer_with_weights_is_found_by_its_keras_name(errors):
    found = {error.layer for error in errors}
    assert {"stem_relu", "depthwise_relu", "pool"} <= found
    assert [error.op for error in errors].count("CONV_2D") == 2
    assert errors[-1].tensor == "logits"


def test_the_last_error_is_that_of_the_outputs(errors, files, images):
    expected, found = (predict(files[mode], images[:30]) for mode in ("float32", "int8"))
    assert errors[-1].mse == pytest.approx(((found - expected) ** 2).mean(), rel=0.5)
    sqnr = 10 * np.log10((expected**2).sum() / ((found - expected) ** 2).sum())
    assert errors[-1].sqnr == pytest.approx(sqnr, abs=2)
    flat = expected.ravel() @ found.ravel()
    cosine = flat / np.linalg.norm(expected) / np.linalg.norm(found)
    assert errors[-1].cosine == pytest.approx(cosine, abs=1e-3)


def test_int16_activations_err_less_at_every_layer(errors, files, images):
    finer = {e.tensor: e for e in layer_errors(files["float32"], files["int16x8"], images[:30])}
    for error in errors:
        if error.tensor in finer:
            assert finer[error.tensor].mse < error.mse


def test_excluding_the_worst_layers_helps(errors, model, images, files):
    worst = worth_excluding(errors, 2)
    assert len(worst) == 2
    mixed = to_tflite(
        model,
        "int8",
        images,
        output="logits",
        quantization=QuantizationOptions(keep_float=tuple(worst)),
    )
    expected = predict(files["float32"], images)

    def error(file):
        return ((predict(file, images) - expected) ** 2).mean()

    assert error(mixed.content) < error(files["int8"])


def test_the_errors_are_drawn(errors, tmp_path):
    path = plot_layer_errors(errors, tmp_path / "errors.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("m_1/stem_relu_1/Relu;m_1/stem_conv_1/convolution", "stem_relu"),
        ("m_1/block_2/add", "block_2"),
        ("logits", "logits"),
    ],
)
def test_tensor_names_lead_to_layers(tensor, layer):
    assert layer_of(tensor, ["stem_conv", "stem_relu", "block_2"]) == layer


def test_files_of_other_models_are_refused(files, build_model, images):
    with pytest.raises(ValueError, match="0 images are too few; allowed are 1"):
        layer_errors(files["float32"], files["int8"], images[:0])
    with pytest.raises(ValueError, match="no quantized tensor in common"):
        layer_errors(files["float32"], files["float16"], images)
