"""Condensation: pruning learned groups in training, and the forms a condensed model ships in."""

from keras_lwcnn.condensation.callback import Condensation
from keras_lwcnn.condensation.deployment import FORMS, deploy
from keras_lwcnn.condensation.schedule import CondensationSchedule
from keras_lwcnn.condensation.state import (
    condensable_layers,
    condense,
    condense_classifier,
    is_condensed,
)

__all__ = [
    "FORMS",
    "Condensation",
    "CondensationSchedule",
    "condensable_layers",
    "condense",
    "condense_classifier",
    "deploy",
    "is_condensed",
]
