"""Loading a shipped set into a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keras_lwcnn.weights import index
from keras_lwcnn.weights.archive import read_archive

if TYPE_CHECKING:
    import keras
    import numpy as np

HEAD = "predictions"
"""The classifier's layer, which a model without the top lacks."""
WAY_OUT = "Build the network with the arguments that the weights were trained with."


def load_shipped(model: keras.Model, network: str, data: str) -> index.ShippedSet:
    """Load a shipped set into a model; a model that it does not fit is left as it was.

    Args:
        model: the network that the set is of, for images of any size; with or without the top.
        network: name of the set's network.
        data: name of the data set that it was trained on.

    Returns:
        The set.

    Raises:
        FileNotFoundError: the set's file is missing.
        ValueError: there is no such set, its file is not the one that the index describes, or the
            model is another network.
    """
    chosen = index.shipped(network, data)
    arrays = read_archive(index.FOLDER / chosen.file, chosen.sha256)
    assign(model, arrays, f"the shipped weights {data!r} of {network!r}")
    return chosen


def assign(model: keras.Model, arrays: Mapping[str, np.ndarray], whose: str) -> None:
    """Set the weights of a model's layers; model and arrays must have the same, but for the head.

    Args:
        model: is changed only if everything fits.
        arrays: values by LAYER/VARIABLE.
        whose: what errors call the arrays.

    Raises:
        ValueError: a weight that only one side has, other shapes, or masks that belong to no stage
            of the model's learned groups.
    """
    variables = {
        (layer.name, variable.name): variable
        for layer in model.layers
        for variable in layer.weights
    }
    rest = {tuple(name.split("/", 1)): array for name, array in arrays.items()}
    values = {}
    for (layer, name), variable in variables.items():
        shape = tuple(variable.shape)
        value = rest.pop((layer, name), None)
        if value is None or value.shape != shape:
            theirs = "no such weight" if value is None else f"shape {value.shape}"
            raise ValueError(
                f"Layer {layer!r} of {model.name!r} has {name!r} of shape {shape}; {whose} have "
                f"{theirs}. {WAY_OUT}"
            )
        values[layer, name] = value
    headless = all(layer.name != HEAD for layer in model.layers)
    for (layer, name), value in rest.items():
        if not (headless and layer == HEAD):
            raise ValueError(
                f"{whose} have {name!r} of shape {value.shape} in layer {layer!r}; {model.name!r} "
                f"has no such weight. {WAY_OUT}"
            )
    _check_masks(model, values, whose)
    for key, variable in variables.items():
        variable.assign(values[key])


def _check_masks(
    model: keras.Model, values: Mapping[tuple[str, str], np.ndarray], whose: str
) -> None:
    # Another condensation_factor has the same shapes, but another number of inputs at each stage.
    from keras_lwcnn.layers import LearnedGroupConv2D

    for layer in model.layers:
        if isinstance(layer, LearnedGroupConv2D):
            mask, stage = values[layer.name, "mask"], int(values[layer.name, "stage"])
            reads = mask.sum(axis=0).astype(int)
            if stage > layer.last_stage or (reads != layer.inputs_at(stage)).any():
                raise ValueError(
                    f"Layer {layer.name!r} of {model.name!r} has condensation_factor="
                    f"{layer.condensation_factor}; in {whose}, its groups read {reads.tolist()} of "
                    f"{len(mask)} inputs at stage {stage}. {WAY_OUT}"
                )
