"""The class-balanced focal loss is the formula, and what it is at its limits."""

import keras
import numpy as np
import pytest

from keras_lwcnn.losses import ClassBalancedFocalLoss

LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-3.0, 4.0, 0.0]], "float32")
LABELS = np.array([0, 2, 2])


def test_it_is_the_published_formula():
    counts, beta, gamma = [5000, 500, 50], 0.999, 2.0
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    p = p[np.arange(3), LABELS]
    weights = [(1 - beta) / (1 - beta ** counts[label]) for label in LABELS]
    expected = np.mean(weights * (1 - p) ** gamma * -np.log(p))
    loss = ClassBalancedFocalLoss(counts, beta, gamma, from_logits=True)
    assert float(loss(LABELS, LOGITS)) == pytest.approx(expected, rel=1e-5)
    softmax = keras.ops.softmax(LOGITS)
    loss = ClassBalancedFocalLoss(counts, beta, gamma)
    assert float(loss(LABELS[:, None], softmax)) == pytest.approx(expected, rel=1e-5)


def test_without_balance_and_focus_it_is_cross_entropy():
    ours = ClassBalancedFocalLoss([1, 2, 3], beta=0.0, gamma=0.0, from_logits=True)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(ours(LABELS, LOGITS)) == pytest.approx(float(theirs(LABELS, LOGITS)), rel=1e-5)


def test_it_survives_serialization():
    loss = ClassBalancedFocalLoss([10, 20, 30], beta=0.9, gamma=1.0, from_logits=True)
    config = keras.saving.serialize_keras_object(loss)
    copy = keras.saving.deserialize_keras_object(config)
    assert float(copy(LABELS, LOGITS)) == float(loss(LABELS, LOGITS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples_per_class": []}, "samples_per_class"),
        ({"samples_per_class": [3, 0]}, r"\[3, 0\]"),
        ({"samples_per_class": [3], "beta": 1.0}, "beta=1.0"),
        ({"samples_per_class": [3], "gamma": -1}, "gamma=-1"),
    ],
)
def test_bad_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassBalancedFocalLoss(**arguments)
