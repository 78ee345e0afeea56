"""What cannot be trained on the device, or does not learn, is refused by name."""

from dataclasses import replace

import keras
import pytest
from keras import layers

from convert import trainable_tflite
from convert.on_device import signatures
from convert.on_device.check import TrainingCheck, check_training


def ending(*last):
    return keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), *last])


def two_outputs():
    inputs = keras.Input((4, 4, 3))
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(2)(x)])


def ends_in_an_operation():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, keras.ops.softmax(layers.Dense(3)(layers.Flatten()(inputs))))


def dense_on_maps():
    return keras.Sequential([keras.Input((4, 4, 3)), layers.Dense(3, name="maps")])


def called_twice():
    inputs = keras.Input((4, 4, 3))
    dense = layers.Dense(4, name="shared")
    return keras.Model(inputs, dense(dense(layers.Dense(4)(layers.Flatten()(inputs)))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ending(layers.Dense(3), layers.ReLU(name="end")), r"'end' \(ReLU\).*Dense"),
        (ends_in_an_operation, r"\(Softmax\).*Dense"),
        (lambda: ending(layers.Dense(3, "sigmoid", name="end")), "'end'.*'sigmoid'.*softmax"),
        (lambda: ending(layers.Dense(1, name="end")), r"'end'.*\(None, 1\).*2 classes"),
        (dense_on_maps, r"'maps'.*\(None, 4, 4, 3\)"),
        (called_twice, "'shared'.*called 2 times"),
        (lambda: keras.Sequential([layers.Dense(3)]), "not built"),
        (two_outputs, "2 outputs"),
        (lambda: 3, "keras.Model or the path"),
        (lambda: "none.keras", "none.keras does not exist"),
    ],
)
def test_models_without_a_head_to_train_are_refused_by_name(make, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        trainable_tflite(make())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 .*1 or more"),
        ({"batch_size": 2.0}, r"batch_size=2\.0 .*whole number"),
        ({"io_dtype": "int8"}, "io_dtype='int8' does not apply.*input_range, output"),
        ({"output": "scores"}, "output='scores'.*logits"),
        ({"class_names": ["a"]}, "class_names has 1 names; allowed are 7"),
    ],
)
def test_bad_options_are_answered_with_the_allowed_ones(build_model, options, message):
    with pytest.raises(ValueError, match=message):
        trainable_tflite(build_model(activation=None), **options)


def test_a_file_that_computes_something_else_is_refused(build_model, monkeypatch):
    made = signatures.trainable_flatbuffer

    def wrong(body, head, *rest):
        return made(body, replace(head, kernel=head.kernel * 1.01), *rest)

    monkeypatch.setattr(signatures, "trainable_flatbuffer", wrong)
    message = "trainable file differs from the Keras model by 0.0.*; allowed is at most 0.0001"
    with pytest.raises(ValueError, match=message):
        trainable_tflite(build_model(activation=None))
    kept = trainable_tflite(build_model(activation=None), verify=False)
    assert kept.facts["verification"]["largest_difference"] > 1e-3


@pytest.mark.parametrize("after", [2.0, float("nan")])
def test_a_file_that_does_not_learn_is_refused(after):
    with pytest.raises(
        ValueError, match=r"rate 0.1 took the loss of 4 images from 2 to .* verify=False keeps"
    ):
        check_training(TrainingCheck(4, 0.1, loss_before=2.0, loss_after=after))
