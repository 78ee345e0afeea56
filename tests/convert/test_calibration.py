import tracemalloc

import keras
import numpy as np
import pytest

from convert import Calibration, check_calibration, to_tflite
from convert.source.input_range import check_against_statistics, declared_range
from convert.source.validation import check_validation

SHAPE = (24, 24, 3)


def test_all_forms_give_the_same_images(images):
    batches = [images[:50], images[50:]]
    forms = {
        "array": images,
        "list": list(images),
        "batches": batches,
        "tflite lists": lambda: ([image[None]] for image in images),
        "dictionaries": lambda: ({"pixels": image[None]} for image in images),
        "labelled": [(batch, np.zeros(len(batch))) for batch in batches],
        "generator": (image for image in images),
    }
    for name, form in forms.items():
        found = check_calibration(form, SHAPE)
        np.testing.assert_array_equal(found.images, images, err_msg=name)


def test_the_facts_describe_the_data(images):
    facts = check_calibration(images, SHAPE, input_range=(-1, 1)).to_dict()
    assert facts["count"] == facts["distinct"] == len(images)
    assert facts["min"] == pytest.approx(images.min())
    assert facts["mean"] == pytest.approx(images.mean(), abs=1e-6)
    assert facts["std"] == pytest.approx(images.std(dtype=np.float64))
    assert facts["input_range"] == [-1.0, 1.0]
    assert facts["sha256"] == check_calibration(list(images), SHAPE).to_dict()["sha256"]


def test_a_generator_may_fill_one_array_again_and_again(images):
    def refilled():
        buffer = np.empty_like(images[:1])
        for image in images:
            buffer[0] = image
            yield buffer

    np.testing.assert_array_equal(check_calibration(refilled, SHAPE).images, images)


def test_checking_an_array_takes_little_memory_beside_it(images):
    many = np.concatenate([images] * 4)
    tracemalloc.start()
    check_calibration(many, SHAPE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * many.nbytes


def damaged(images, value):
    copy = images.copy()
    copy[3, 0, 0, 0] = value
    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:19], "19 calibration images are too few. Give at least 20"),
        (lambda x: x[:, :12], r"shape \(120, 12, 24, 3\)"),
        (lambda x: x[..., :1], "shape"),
        (lambda x: damaged(x, np.nan), "NaN or infinity, the first at index 3"),
        (lambda x: damaged(x, np.inf), "NaN or infinity"),
        (lambda x: np.repeat(x[:1], 40, axis=0), "one image repeated. Give at least 20 distinct"),
        (lambda x: np.repeat(x[:10], 4, axis=0), "only 10 of 40 .* Give at least 20 distinct"),
        (lambda x: np.zeros_like(x), "constant"),
        (lambda x: x * 127.5 + 127.5, r"span 0 to 255.*-1 to 1"),
        (lambda x: x / 2 + 0.5, r"span 0 to 1, 50%"),
        (lambda x: x.astype(str), "dtype <U32; allowed are integers and floats"),
        (lambda x: [], "empty"),
        (lambda x: {"a": x}, "of type dict holds no images; allowed are an array"),
        (lambda x: "folder", "of type str holds no images; allowed are an array"),
        (lambda x: 5, "of type int holds no images; allowed are an array"),
        (lambda x: [{"a": x, "b": x}], r"keys \['a', 'b'\]"),
    ],
)
def test_data_that_would_quantize_a_model_badly_is_refused(images, change, message):
    with pytest.raises(ValueError, match=message):
        check_calibration(change(images), SHAPE, input_range=(-1.0, 1.0))


def test_fewer_images_are_taken_when_asked(images):
    assert len(check_calibration(images[:2], SHAPE, minimum=1).images) == 2


@pytest.mark.parametrize("bad", [(1, -1), (0, 0), (0, np.inf), (0, np.nan)])
def test_an_impossible_range_is_refused(images, bad):
    with pytest.raises(ValueError, match="input_range"):
        check_calibration(images, SHAPE, input_range=bad)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: keras.layers.Rescaling(1 / 127.5, offset=-1), (0, 255)),
        (lambda: keras.layers.Rescaling(1 / 255), (0, 255)),
        (lambda: keras.layers.Rescaling(2.0, offset=-1), (0, 1)),
        (lambda: keras.layers.Normalization(mean=[124.0, 117.0, 104.0], variance=[1, 1, 1]),
         (0, 255)),
        (lambda: keras.layers.ReLU(), None),
    ],
)  # fmt: skip
def test_a_leading_layer_declares_the_raw_range(layer, expected):
    inputs = keras.Input(SHAPE)
    inner = keras.Model(inputs, layer()(inputs))
    outer = keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Flatten()])
    assert declared_range(inner) == expected
    assert declared_range(outer) == expected


def test_scaled_images_are_refused_by_a_model_that_rescales(build_model, images):
    inputs = keras.Input(SHAPE)
    rescaling = keras.Model(inputs, build_model()(keras.layers.Rescaling(1 / 127.5, -1)(inputs)))
    with pytest.raises(ValueError, match="0 to 255"):
        to_tflite(rescaling, "int8", images)
    made = to_tflite(rescaling, "int8", images * 127.5 + 127.5)
    assert made.facts["calibration"]["input_range"] == [0.0, 255.0]


def trained(build_model, images, labels, steps, momentum=0.99):
    keras.utils.set_random_seed(steps)
    model = build_model()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    for _ in range(steps):
        model.train_on_batch(images[:64], labels[:64])
    return model


@pytest.mark.parametrize("momentum", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("steps", [1, 10, 100])
def test_correct_data_pass_after_any_length_of_training(
    build_model, images, labels, steps, momentum
):
    model = trained(build_model, images, labels, steps, momentum)
    check_against_statistics(model, images)


@pytest.mark.parametrize("momentum", [0.9, 0.99])
@pytest.mark.parametrize("steps", [1, 10, 100])
def test_raw_pixels_are_refused_by_a_model_trained_on_scaled_ones(
    build_model, images, labels, steps, momentum
):
    model = trained(build_model, images, labels, steps, momentum)
    with pytest.raises(ValueError, match=r"'stem_bn' is unlike.*declare input_range"):
        check_against_statistics(model, images * 127.5 + 127.5)


def test_scaled_pixels_are_refused_by_a_model_trained_on_raw_ones(build_model, images, labels):
    model = trained(build_model, images * 127.5 + 127.5, labels, 100)
    with pytest.raises(ValueError, match="unlike"):
        check_against_statistics(model, images)
    check_against_statistics(model, images * 127.5 + 127.5)


def test_an_untrained_model_takes_any_range(build_model, images):
    check_against_statistics(build_model(), images * 127.5 + 127.5)


def test_images_are_looked_at_once(images, monkeypatch):
    checked = check_calibration(Calibration(images, (-1.0, 1.0), "somewhere", (1, 2)), SHAPE)
    assert (checked.source, checked.indices) == ("somewhere", (1, 2))

    def again(*_, **__):
        raise AssertionError("the images were looked at again")

    monkeypatch.setattr("convert.source.calibration.collect_images", again)
    assert check_calibration(checked, SHAPE).facts is checked.facts
    with pytest.raises(ValueError, match=r"span .*preprocessing gives 0 to 255"):
        check_calibration(checked, SHAPE, input_range=(0, 255))
    with pytest.raises(ValueError, match="calibration images have shape .* takes .count, 8, 8, 3"):
        check_calibration(checked, (8, 8, 3))
    with pytest.raises(ValueError, match="120 calibration images are too few. Give at least 500"):
        check_calibration(checked, SHAPE, minimum=500)


def test_validation_images_are_called_by_their_name(images, labels):
    validation = check_validation((images, labels), SHAPE)
    np.testing.assert_array_equal(validation.images, images)
    with pytest.raises(ValueError, match="10 validation images are too few. Give at least 20"):
        check_validation(images[:10], SHAPE)
    with pytest.raises(ValueError, match="7 labels for 120 validation images"):
        check_validation((images, labels[:7]), SHAPE)
    with pytest.raises(ValueError, match="validation_data of type int holds no images"):
        check_validation(5, SHAPE)


def test_what_holds_images_has_a_short_repr(images):
    for value in (check_calibration(images, SHAPE), check_validation(images, SHAPE)):
        assert "120 images" in repr(value) and len(repr(value)) < 200
