"""The same network in tf_keras (Keras 2), which tensorflow-model-optimization works on."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import keras
import numpy as np

SWITCH = "TF_USE_LEGACY_KERAS"
TOLERANCE = 1e-5
COUNTERPARTS = {"GroupConv2D": "Conv2D"}
"""Our layers that compute what one of tf_keras with another name does."""
UNKNOWN = ("batch_shape", "optional", "dtype", "build_config", "quantization_config")


@contextmanager
def legacy_keras() -> Iterator[ModuleType]:
    """Yield the tf_keras module, and leave the environment as it was.

    Importing tensorflow-model-optimization sets a switch that makes other code, and child
    processes, take Keras 2 for Keras.
    """
    before = os.environ.get(SWITCH)
    import tensorflow as tf

    # tf.keras is resolved when it is first looked into; after that the switch cannot change it.
    kept = tf.keras.__version__
    try:
        import tf_keras

        yield tf_keras
    finally:
        if before is None:
            os.environ.pop(SWITCH, None)
        else:
            os.environ[SWITCH] = before
    if tf.keras.__version__ != kept:
        raise RuntimeError(f"tf.keras was {kept} and has become {tf.keras.__version__}")


def rebuild(model: keras.Model) -> Any:
    """Return a tf_keras model of the same layers, names and weights.

    Args:
        model: a functional or sequential Keras 3 model without models inside it, with one input.

    Raises:
        ValueError: a layer, named, that tf_keras does not have; or outputs that differ by more
            than 1e-5 of the largest.
    """
    with legacy_keras() as legacy:
        config = _functional_config(model)
        tensors: dict[str, Any] = {}
        layers: dict[str, Any] = {}
        for entry in config["layers"]:
            name = entry["config"]["name"]
            if entry["class_name"] == "InputLayer":
                tensors[name] = legacy.Input(tuple(model.inputs[0].shape[1:]), name=name)
                continue
            if len(entry["inbound_nodes"]) != 1:
                raise ValueError(f"layer {name!r} is called several times, which is not rebuilt")
            layer = model.get_layer(name)
            sources = _sources(entry["inbound_nodes"][0])
            inputs = [tensors[source] for source in sources]
            if type(layer).__name__ in MOVING_CHANNELS:
                tensors[name] = MOVING_CHANNELS[type(layer).__name__](legacy, layer, inputs[0])
                continue
            layers[name] = _translate(legacy, layer, entry)
            tensors[name] = layers[name](inputs if len(inputs) > 1 else inputs[0])
        first = tensors[config["layers"][0]["config"]["name"]]
        rebuilt = legacy.Model(first, tensors[model.layers[-1].name], name=model.name)
        for name, layer in layers.items():
            layer.set_weights(model.get_layer(name).get_weights())
    _check_equal(model, rebuilt)
    return rebuilt


def copy_weights(rebuilt: Any, model: keras.Model) -> None:
    """Set the weights of a Keras 3 model to those of its tf_keras twin.

    Raises:
        ValueError: a layer whose weights have another form there.
    """
    for layer in model.layers:
        if layer.weights:
            weights = rebuilt.get_layer(layer.name).get_weights()
            if [w.shape for w in weights] != [tuple(w.shape) for w in layer.weights]:
                raise ValueError(
                    f"layer {layer.name!r} ({type(layer).__name__}) cannot take weights back"
                )
            layer.set_weights(weights)


def _functional_config(model: keras.Model) -> dict[str, Any]:
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    config = model.get_config()
    if "layers" not in config or len(model.inputs) != 1:
        raise ValueError(f"model {model.name!r} is no functional model with one input")
    return config


def _sources(node: dict[str, Any]) -> list[str]:
    """Return the names of the layers whose outputs a call takes."""
    names: list[str] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            names.append(value["config"]["keras_history"][0])
        elif isinstance(value, dict):
            for part in value.values():
                visit(part)
        elif isinstance(value, list | tuple):
            for part in value:
                visit(part)

    visit(node["args"])
    visit(node["kwargs"])
    return names


def _translate(legacy: ModuleType, layer: Any, entry: dict[str, Any]) -> Any:
    name = type(layer).__name__
    kind = getattr(legacy.layers, COUNTERPARTS.get(name, name), None)
    if kind is None or isinstance(layer, keras.Model):
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}) has no counterpart in tf_keras"
        )
    accepted = set()
    for base in kind.__mro__:
        if "__init__" in vars(base):
            accepted |= set(inspect.signature(base.__init__).parameters)
    config = {
        key: value
        for key, value in entry["config"].items()
        if key in accepted and key not in UNKNOWN and not _is_random(key)
    }
    return kind.from_config(config)


def _slice(legacy: ModuleType, layer: Any, x: Any) -> Any:
    """Take channels `start` to `stop`, in layers that tensorflow-model-optimization knows."""
    height, width, channels = x.shape[1:]
    x = legacy.layers.Reshape((height * width, channels, 1), name=f"{layer.name}_columns")(x)
    cropping = ((0, 0), (layer.start, channels - layer.stop))
    x = legacy.layers.Cropping2D(cropping, name=f"{layer.name}_crop")(x)
    return legacy.layers.Reshape((height, width, layer.stop - layer.start), name=layer.name)(x)


def _shuffle(legacy: ModuleType, layer: Any, x: Any) -> Any:
    """Deal the channels of `groups` groups out in turn, in layers of the same kind."""
    height, width, channels = x.shape[1:]
    grouped = (height, width, layer.groups, channels // layer.groups)
    x = legacy.layers.Reshape(grouped, name=f"{layer.name}_groups")(x)
    x = legacy.layers.Permute((1, 2, 4, 3), name=f"{layer.name}_deal")(x)
    return legacy.layers.Reshape((height, width, channels), name=layer.name)(x)


MOVING_CHANNELS: dict[str, Callable[[ModuleType, Any, Any], Any]] = {
    "ChannelSlice": _slice,
    "ChannelShuffle": _shuffle,
}
"""Our layers without weights that take several of tf_keras; the last one has their name."""


def _is_random(key: str) -> bool:
    """Initializers are overwritten by the weights, and differ in form between the versions."""
    return key.endswith("_initializer") or key == "seed"


def _check_equal(model: keras.Model, rebuilt: Any) -> None:
    shape = tuple(model.inputs[0].shape[1:])
    images = np.random.default_rng(0).uniform(-1, 1, (4, *shape)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    outputs = np.asarray(rebuilt(images, training=False))
    difference = np.abs(outputs - expected).max() / max(float(np.abs(expected).max()), 1e-9)
    if not difference <= TOLERANCE:
        raise ValueError(
            f"model {model.name!r} rebuilt in tf_keras differs by {difference:.2g} of its largest "
            f"output; allowed is at most {TOLERANCE:g}"
        )
