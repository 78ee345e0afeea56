"""The candidates of the search for L-Mobilenet's default design."""

import pytest

from benchmarks.architectures.networks import R1, R3
from keras_lwcnn.costs import costs
from keras_lwcnn.models import LMobileNet
from keras_lwcnn.models.l_mobilenet import LARGE_STRIDES

LARGE = {"input_shape": (224, 224, 3), "classes": 1000, "strides": LARGE_STRIDES}


@pytest.mark.parametrize(
    ("arguments", "trainable", "macs"),
    [
        (R1, 619_610, 31_829_888),
        (R3, 619_466, 33_524_864),
        ({**R1, **LARGE}, 937_400, None),
        ({**R3, **LARGE}, 937_256, None),
    ],
)
def test_the_first_candidates_have_their_stated_counts(arguments, trainable, macs):
    counts = costs(LMobileNet(**arguments))
    assert counts.trainable_parameters == trainable
    if macs is not None:
        assert counts.macs == macs
