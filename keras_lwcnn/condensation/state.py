"""How far a model is condensed, and condensing it at once."""

import keras

from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D


def condensable_layers(model: keras.Model) -> list[LearnedGroupConv2D]:
    """Return the model's learned group convolutions, those of nested models included."""
    layers = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            layers += condensable_layers(layer)
        elif isinstance(layer, LearnedGroupConv2D):
            layers.append(layer)
    return layers


def condense(model: keras.Model) -> None:
    """Prune all learned groups to their last stage at once, and the classifier.

    Training with a condensation schedule prunes step by step instead and loses less accuracy.
    Without training, it shows what the condensed network costs.

    Args:
        model: a model with learned group convolutions; it is changed in place.
    """
    for layer in condensable_layers(model):
        layer.drop_to_stage(layer.last_stage)
    condense_classifier(model)


def condense_classifier(model: keras.Model) -> None:
    """Let condensed dense layers keep only their strongest inputs, once training is done."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            condense_classifier(layer)
        elif isinstance(layer, CondensedDense):
            layer.condense()


def is_condensed(model: keras.Model) -> bool:
    """Tell whether every learned group convolution is at its last stage."""
    return all(layer.stage == layer.last_stage for layer in condensable_layers(model))
