"""What the argument `weights` of a builder names: a file, or weights that the package holds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.weights.index import shipped, shipped_names

FILE_ENDINGS = (".weights.h5", ".keras")


def shipped_network(
    weights: str | Path | None,
    networks: Mapping[str, Mapping[str, Sequence[int]]],
    own: Mapping[str, Any],
) -> str | None:
    """Return the network whose shipped weights are asked for; None for a file and for no weights.

    Args:
        weights: what the builder was given.
        networks: name in `keras_lwcnn.weights` -> the arguments that make the builder's network
            that one.
        own: the builder's own arguments.

    Raises:
        ValueError: neither a file nor shipped weights, or those of other arguments.
    """
    if weights is None or (str(weights).endswith(FILE_ENDINGS) and Path(weights).is_file()):
        return None
    fitting = [
        name
        for name, needed in networks.items()
        if all(tuple(own[key]) == tuple(value) for key, value in needed.items())
    ]
    holders = [name for name in networks if str(weights) in shipped_names(name)]
    for name in holders:
        if name in fitting:
            return name
    if holders:
        asked = {key: own[key] for key in networks[holders[0]]}
        raise ValueError(
            f"weights={str(weights)!r} do not fit {asked}; they are shipped for "
            + " and ".join(f"{name}, {dict(networks[name])}" for name in holders)
            + "."
        )
    names = [repr(data) for name in fitting for data in shipped_names(name)]
    by_name = f"the name of shipped weights ({', '.join(names)}), " if names else ""
    raise ValueError(
        f"weights={str(weights)!r} is unknown; allowed are None (random initialization), {by_name}"
        f"or the path of an existing file that ends in {' or '.join(FILE_ENDINGS)}."
    )


def check_shipped_head(
    network: str, data: str, classes: int, activation: str | Callable | None
) -> None:
    """Check that a model with the top has the head of the weights that it is to get.

    Raises:
        ValueError: other classes, or an activation that makes no probabilities of the logits.
    """
    trained = len(shipped(network, data).class_names)
    without_top = "Use include_top=False for the features alone."
    if classes != trained:
        raise ValueError(
            f"classes={classes} does not go with weights={data!r}; allowed is {trained}. "
            f"{without_top}"
        )
    allowed = (keras.activations.softmax, keras.activations.linear)
    if keras.activations.get(activation) not in allowed:
        raise ValueError(
            f"classifier_activation={activation!r} does not go with weights={data!r}; allowed are "
            f"'softmax' and None (logits). {without_top}"
        )


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Load the weights of a `.weights.h5` or `.keras` file into `model`.

    A `.keras` file is matched by layer name and may hold more layers than the model has.

    Raises:
        ValueError: a layer of the model is missing in the file, or its shapes differ.
    """
    if not str(path).endswith(".keras"):
        model.load_weights(path)
        return
    stored = {layer.name: layer for layer in keras.saving.load_model(path, compile=False).layers}
    for layer in model.layers:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if not shapes:
            continue
        if layer.name not in stored:
            raise ValueError(
                f"weights={str(path)!r} has no layer {layer.name!r}, which {model.name!r} needs."
            )
        stored_shapes = [tuple(weight.shape) for weight in stored[layer.name].weights]
        if stored_shapes != shapes:
            raise ValueError(
                f"weights={str(path)!r} has shapes {stored_shapes} in layer {layer.name!r}; "
                f"{model.name!r} needs {shapes}."
            )
        layer.set_weights(stored[layer.name].get_weights())
