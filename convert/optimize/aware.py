"""What quantize_model of tensorflow-model-optimization returns, mended in two places."""

from typing import Any

import keras
import numpy as np

from convert.optimize.legacy import rebuild

RANGE_IMAGES = 256
RANGE_BATCH = 16
WRAPPED = "quant_"
"""Prefix that tensorflow-model-optimization adds to the name of a layer that it wraps."""


def aware_twin(legacy: Any, model: keras.Model, images: np.ndarray) -> Any:
    """Return a tf_keras model of the same weights that rounds as an int8 file does.

    Args:
        legacy: the tf_keras module.
        model: a trained Keras 3 classifier.
        images: float32 (count, height, width, channels), preprocessed; some of them tell ranges.

    Raises:
        ValueError: a layer, named, that tf_keras or tensorflow-model-optimization lacks.
    """
    from tensorflow_model_optimization.quantization.keras import quantize_model

    twin = rebuild(model)
    try:
        quantized = quantize_model(twin)
    except RuntimeError as error:
        raise ValueError(
            f"tensorflow-model-optimization cannot train {model.name!r} for int8: {error}"
        ) from error
    aware = _in_order(legacy, quantized, twin)
    _start_ranges(legacy, aware, twin, model, images[:RANGE_IMAGES])
    return aware


def _in_order(legacy: Any, aware: Any, twin: Any) -> Any:
    """Return a model whose layers take their inputs in the order that the network has.

    Where branches meet, quantize_model takes the inputs in the order of its list of layers, which
    its own rewriting has changed: a concatenation may come out swapped, and another function.
    """
    from tensorflow_model_optimization.quantization.keras import quantize_scope

    def sources(entry: dict[str, Any]) -> list[str]:
        nodes = entry["inbound_nodes"]
        return [connection[0] for connection in nodes[0]] if nodes else []

    wanted = {
        entry["config"]["name"]: [f"{WRAPPED}{name}" for name in sources(entry)]
        for entry in twin.get_config()["layers"]
    }
    config = aware.get_config()
    swapped = False
    for entry in config["layers"]:
        # Built from it, and built again when it is called, a layer would have weights twice.
        entry.pop("build_config", None)
        order = wanted.get(entry["config"]["name"].removeprefix(WRAPPED), [])
        present = sources(entry)
        if present != order and sorted(present) == sorted(order):
            entry["inbound_nodes"][0].sort(key=lambda connection: order.index(connection[0]))
            swapped = True
    if not swapped:
        return aware
    with quantize_scope():
        ordered = legacy.Model.from_config(config)
    for layer in aware.layers:
        ordered.get_layer(layer.name).set_weights(layer.get_weights())
    return ordered


def _start_ranges(
    legacy: Any, aware: Any, twin: Any, model: keras.Model, images: np.ndarray
) -> None:
    """Let the activation ranges begin at those of the float network.

    They begin at -6 and 6 otherwise, and follow the data by a moving average that takes thousands
    of steps: a short training ends with ranges that are far too wide or cut activations off.
    """
    limits = []
    for layer in aware.layers:
        # The layer in front of the first one quantizes the images themselves.
        name = layer.layer.name if hasattr(layer, "layer") else twin.layers[0].name
        ranges = {w.name.rpartition("/")[2]: w for w in layer.weights if not w.shape.rank}
        for what, low in ranges.items():
            if "_min" not in what or "kernel" in what:
                continue
            # What stands before a softmax is not known from what comes out of it.
            if what.startswith("pre_") and model.get_layer(name).activation.__name__ != "linear":
                continue
            limits.append((name, low, ranges[what.replace("_min", "_max")]))
    watched = legacy.Model(twin.inputs, [twin.get_layer(name).output for name, _, _ in limits])
    lowest, highest = np.zeros(len(limits)), np.zeros(len(limits))
    for start in range(0, len(images), RANGE_BATCH):
        values = watched(images[start : start + RANGE_BATCH], training=False)
        lowest = np.minimum(lowest, [np.min(value) for value in values])
        highest = np.maximum(highest, [np.max(value) for value in values])
    for (_, low, high), least, most in zip(limits, lowest, highest, strict=True):
        low.assign(least)
        high.assign(most)
