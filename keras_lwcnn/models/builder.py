"""What all builders share with `keras.applications`: arguments, documentation, input and head.

A network's file holds a function from images to features, with the network's own arguments; the
decorator `builder` makes the public function of it.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import keras
from keras import layers

from keras_lwcnn.models.image_input import ImageShape, image_input
from keras_lwcnn.models.weight_sources import check_shipped_head, load_weights, shipped_network
from keras_lwcnn.weights.loading import HEAD, load_shipped

POOLINGS = (None, "avg", "max")

ARGUMENTS = """\
input_shape: (height, width, channels), by default ({size}, {size}, 3), or (None, None, 3)
    without the top. Pixels in [{low:g}, {high:g}], see `preprocess_input`.
include_top: whether to end in global average pooling and a classifier.
weights: None (random) or the path of a `.weights.h5` or `.keras` file, which may hold a top that
    the model lacks.{shipped}
input_tensor: a Keras tensor to build upon.
pooling: without the top: None for the feature map, "avg" or "max" for a vector.
classes: number of classes.
classifier_activation: "softmax" ("sigmoid" for one class), or None for logits.
name: name of the model.
"""
SHIPPED = """ Or a data set's name, "cifar10", for trained weights that the package holds
    (`lwcnn weights list`)."""
RETURNS = """\
Returns:
    The model; output (batch, classes), or the feature map or vector without the top.

Raises:
    ValueError: what `keras.applications` refuses, images that are too small for the strides, or
        weights that do not fit.
"""


@dataclass(frozen=True)
class Features:
    """A network up to its last feature map, and the kind of its classifier.

    Attributes:
        output: the feature map, a Keras tensor (batch, height, width, channels).
        dropout: rate of a dropout in front of the classifier; 0 adds no layer.
        classifier: makes the classifier layer, called as `keras.layers.Dense`.
    """

    output: Any
    dropout: float = 0.0
    classifier: Callable[..., layers.Layer] = layers.Dense


def builder(
    *,
    name: str,
    size: int,
    classes: int,
    input_range: tuple[float, float] = (-1.0, 1.0),
    shipped: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
) -> Callable[[Callable[..., Features]], Callable[..., keras.Model]]:
    """Return a decorator that turns a network's function into a public builder.

    The function takes the images, a Keras tensor (batch, height, width, channels), and by keyword
    the arguments that only this network has. It checks those and the size of the images, and
    returns `Features`. Its docstring describes its own arguments in `Args:` and `Raises:`, and ends
    in `Example:`.

    The builder has the arguments of `keras.applications` in front of the network's own, in its
    signature as in its docstring. It checks them, and adds input, head and weights.

    Args:
        name: default name of the model.
        size: height and width of the images when nothing is said.
        classes: default number of classes.
        input_range: the pixel values that the network expects.
        shipped: name of a network in `keras_lwcnn.weights` -> the own arguments (sequences) with
            which the builder makes that network. By default, no weights are shipped.
    """
    networks = shipped or {}

    def decorate(features: Callable[..., Features]) -> Callable[..., keras.Model]:
        def build(
            input_shape: ImageShape | None = None,
            include_top: bool = True,
            weights: str | Path | None = None,
            input_tensor: Any = None,
            pooling: str | None = None,
            classes: int = classes,
            classifier_activation: str | Callable | None = "softmax",
            name: str = name,
            **own: Any,
        ) -> keras.Model:
            _check_top(include_top, pooling, classes)
            network = shipped_network(weights, networks, {**features.__kwdefaults__, **own})
            if network and include_top:
                check_shipped_head(network, str(weights), classes, classifier_activation)
            images = image_input(input_shape, input_tensor, size if include_top else None)
            last = features(images, **own)
            if include_top:
                output = _classified(last, classes, classifier_activation)
            else:
                output = _pooled(last.output, pooling)
            if input_tensor is not None:
                images = keras.utils.get_source_inputs(input_tensor)
            model = keras.Model(images, output, name=name)
            if network:
                load_shipped(model, network, str(weights))
            elif weights is not None:
                load_weights(model, weights)
            return model

        _present(build, features)
        build.__doc__ = _documentation(features.__doc__, size, input_range, bool(networks))
        return build

    return decorate


def _present(build: Callable[..., keras.Model], features: Callable[..., Features]) -> None:
    """Set the name of `build` to that of `features`, and add its keyword arguments."""
    *common, _ = inspect.signature(build).parameters.values()
    own = [
        parameter
        for parameter in inspect.signature(features).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    functools.update_wrapper(build, features)
    build.__signature__ = inspect.Signature([*common, *own], return_annotation=keras.Model)
    build.__annotations__ = {each.name: each.annotation for each in [*common, *own]}


def _documentation(own: str, size: int, input_range: tuple[float, float], has_shipped: bool) -> str:
    """Return a network's docstring with what is true of all builders added to its sections."""
    low, high = input_range
    arguments = ARGUMENTS.format(
        size=size, low=low, high=high, shipped=SHIPPED if has_shipped else ""
    )
    own = inspect.cleandoc(own)
    own = own.replace("Args:\n", "Args:\n" + indent(arguments, "    "), 1)
    return own.replace("Raises:\n", RETURNS, 1)


def _check_top(include_top: bool, pooling: str | None, classes: int) -> None:
    data_format = keras.config.image_data_format()
    if data_format != "channels_last":
        raise ValueError(
            f"keras.config.image_data_format() is {data_format!r}; allowed is 'channels_last'. "
            "Use keras.config.set_image_data_format('channels_last')."
        )
    if pooling not in POOLINGS:
        raise ValueError(f"pooling={pooling!r} is unknown; allowed are {POOLINGS}.")
    if include_top and classes < 1:
        raise ValueError(
            f"classes={classes} is too few; at least 1 is allowed. Use include_top=False for a "
            "model without a classifier."
        )


def _classified(last: Features, classes: int, activation: str | Callable | None) -> Any:
    x = layers.GlobalAveragePooling2D(name="avg_pool")(last.output)
    if last.dropout:
        x = layers.Dropout(last.dropout, name="top_dropout")(x)
    return last.classifier(classes, activation=activation, name=HEAD)(x)


def _pooled(x: Any, pooling: str | None) -> Any:
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="max_pool")(x)
    return x
