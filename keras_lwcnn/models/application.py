"""What every builder shares with `keras.applications`: input, head, trained weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_lwcnn.weights.index import shipped, shipped_names
from keras_lwcnn.weights.loading import HEAD, load_shipped

POOLINGS = (None, "avg", "max")
SMALL_SIZE = 64
WEIGHT_FILES = (".weights.h5", ".keras")


def application(
    features: Callable[[Any], Any],
    *,
    name: str,
    input_shape: tuple[int | None, int | None, int] | None,
    default_size: int,
    minimum_size: int | Callable[[tuple], int] = 1,
    include_top: bool,
    weights: str | Path | None,
    input_tensor: Any,
    pooling: str | None,
    classes: int,
    classifier_activation: str | Callable | None,
    classifier: Callable[..., layers.Layer] = layers.Dense,
    dropout: float = 0.0,
    pretrained: str | None = None,
) -> keras.Model:
    """Put a network's features between an input and a head, as `keras.applications` does.

    Args:
        features: maps the input tensor (batch, height, width, channels) to the last feature map.
        name: name of the model.
        input_shape: (height, width, channels); height and width may be None without the top.
            None: `default_size` with 3 channels, or (None, None, 3) without the top.
        default_size: height and width when nothing else is said.
        minimum_size: the smallest height and width that the features can take, or a function
            that tells it from the input shape.
        include_top: whether to end in global average pooling and a classifier.
        weights: None for random ones, or a file written by `save_weights` (`.weights.h5`) or
            `save` (`.keras`), or the data set's name of a set that is shipped for `pretrained`;
            what holds a top also serves a model without.
        input_tensor: a Keras tensor to build upon, or None.
        pooling: without the top: None for the feature map, "avg" or "max" for a vector.
        classes: number of outputs of the classifier.
        classifier_activation: activation of the classifier; None gives logits.
        classifier: makes the classifier layer, called as `keras.layers.Dense`.
        dropout: rate of a dropout in front of the classifier; 0 adds no layer.
        pretrained: name of the network in `keras_lwcnn.weights` whose shipped sets `weights` may
            name; None where there are none.

    Returns:
        The model.

    Raises:
        ValueError: arguments that contradict each other or the network.
    """
    _check_arguments(include_top, pooling, classes)
    if weights is not None and not _is_weight_file(weights):
        _check_shipped(str(weights), pretrained)
        if include_top:
            _check_shipped_top(str(weights), pretrained, classes, classifier_activation)
    inputs = _image_input(input_shape, input_tensor, include_top, default_size)
    _check_size(tuple(inputs.shape[1:]), minimum_size, name)
    x = features(inputs)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        if dropout:
            x = layers.Dropout(dropout, name="top_dropout")(x)
        x = classifier(classes, activation=classifier_activation, name=HEAD)(x)
    elif pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "max":
        x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    if input_tensor is not None:
        inputs = keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(inputs, x, name=name)
    if weights is not None:
        if _is_weight_file(weights):
            load_weights(model, weights)
        else:
            load_shipped(model, pretrained, str(weights))
    return model


def is_small(input_shape: tuple[int | None, int | None, int]) -> bool:
    """Tell whether images are small, as CIFAR's: height and width known and at most 64 px."""
    height, width, _ = input_shape
    return None not in (height, width) and max(height, width) <= SMALL_SIZE


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Load the weights of a `.weights.h5` or `.keras` file into `model`.

    A `.keras` file is matched by layer name and may hold more layers than the model has.

    Raises:
        ValueError: a layer of the model is missing in the file, or its shapes differ.
    """
    if not str(path).endswith(".keras"):
        model.load_weights(path)
        return
    source = {layer.name: layer for layer in keras.saving.load_model(path, compile=False).layers}
    for layer in model.layers:
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if not wanted:
            continue
        if layer.name not in source:
            raise ValueError(f"{path} has no layer {layer.name!r}, which {model.name!r} needs")
        found = [tuple(weight.shape) for weight in source[layer.name].weights]
        if found != wanted:
            raise ValueError(
                f"Layer {layer.name!r} of {model.name!r} has weights of shapes {wanted}; "
                f"those in {path} have {found}"
            )
        layer.set_weights(source[layer.name].get_weights())


def _is_weight_file(weights: str | Path) -> bool:
    return str(weights).endswith(WEIGHT_FILES) and Path(weights).is_file()


def _check_shipped(weights: str, pretrained: str | None) -> None:
    names = shipped_names(pretrained)
    if weights not in names:
        shipped_ones = f", the name of shipped weights ({', '.join(map(repr, names))})"
        raise ValueError(
            f"weights must be None (random initialization){shipped_ones if names else ''} or the "
            f"path of an existing file that ends in {' or '.join(WEIGHT_FILES)}. "
            f"Received: weights={weights!r}"
        )


def _check_shipped_top(
    weights: str, pretrained: str, classes: int, activation: str | Callable | None
) -> None:
    expected = len(shipped(pretrained, weights).class_names)
    if classes != expected:
        raise ValueError(
            f"With weights={weights!r} and include_top=True, classes must be {expected}. "
            f"Received: classes={classes}"
        )
    if keras.activations.get(activation) not in (
        keras.activations.softmax,
        keras.activations.linear,
    ):
        raise ValueError(
            f"With weights={weights!r} and include_top=True, classifier_activation must be "
            f"'softmax' or None. Received: classifier_activation={activation!r}"
        )


def _check_arguments(include_top: bool, pooling: str | None, classes: int) -> None:
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "These networks are built with data format 'channels_last'. Received: "
            f"keras.config.image_data_format() == {keras.config.image_data_format()!r}"
        )
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {POOLINGS}. Received: pooling={pooling!r}")
    if include_top and classes < 1:
        raise ValueError(f"classes must be at least 1. Received: classes={classes}")


def _image_input(
    input_shape: tuple[int | None, int | None, int] | None,
    input_tensor: Any,
    include_top: bool,
    default_size: int,
) -> Any:
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            raise ValueError(
                "input_tensor must be a Keras tensor, such as keras.Input gives. "
                f"Received: {type(input_tensor).__name__}"
            )
        if input_shape is not None and tuple(input_shape) != tuple(input_tensor.shape[1:]):
            raise ValueError(
                "input_shape and input_tensor contradict each other. Received: "
                f"input_shape={tuple(input_shape)}, input_tensor of shape {input_tensor.shape}"
            )
        input_shape = tuple(input_tensor.shape[1:])
    if input_shape is None:
        size = default_size if include_top else None
        input_shape = (size, size, 3)
    if len(input_shape) != 3 or not isinstance(input_shape[-1], int) or input_shape[-1] < 1:
        raise ValueError(
            "input_shape must be (height, width, channels) with a known number of channels. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    if input_tensor is not None:
        return input_tensor
    return layers.Input(shape=tuple(input_shape), name="image")


def _check_size(
    input_shape: tuple[int | None, int | None, int],
    minimum_size: int | Callable[[tuple], int],
    name: str,
) -> None:
    minimum = minimum_size(input_shape) if callable(minimum_size) else minimum_size
    if any(side is not None and side < minimum for side in input_shape[:2]):
        raise ValueError(
            f"{name} needs images of at least {minimum}x{minimum} pixels. "
            f"Received: input_shape={input_shape}"
        )
