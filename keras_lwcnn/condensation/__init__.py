"""Condensation: pruning learned groups in training, and the forms a condensed model ships in."""

from keras_lwcnn.condensation.state import (
    condensable_layers,
    condense,
    condense_classifier,
    is_condensed,
)

__all__ = ["condensable_layers", "condense", "condense_classifier", "is_condensed"]
