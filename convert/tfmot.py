"""tensorflow-model-optimization on Keras 3 models: training for int8, pruning, clustering."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from convert.converter import TFLiteModel
from convert.legacy import copy_weights, legacy_keras, rebuild
from convert.modes import io_dtype_for, mode_named
from convert.quiet import quiet

FINAL_SHARE = 0.5
"""Share of the pruning steps after which the asked sparsity is reached."""


RANGE_IMAGES = 256
RANGE_BATCH = 16
WRAPPED = "quant_"
"""What tensorflow-model-optimization puts in front of the name of a layer that it wraps."""


@dataclass(frozen=True)
class FineTuning:
    """How the network is trained on while it is quantized, pruned or clustered.

    Attributes:
        epochs: passes over the images.
        batch_size: images a step.
        learning_rate: of Adam; a tenth or less of what trained the network.
        seed: of the order of images.
    """

    epochs: int = 1
    batch_size: int = 64
    learning_rate: float = 1e-4
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def quantization_aware(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: FineTuning | None = None,
    *,
    io_dtype: str = "int8",
) -> TFLiteModel:
    """Train a model further with rounding simulated in it, and convert it to int8.

    Args:
        model: a trained Keras 3 classifier, whose weights stay as they are.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        tuning: how to train.
        io_dtype: "int8", "uint8" or "float32".

    Returns:
        The int8 file, with `facts["training"]` telling how it was trained.

    Raises:
        ValueError: a layer that tf_keras or tensorflow-model-optimization lacks, named; such is
            a batch normalization that follows no convolution, as in dense blocks.
    """
    tuning = tuning or FineTuning()
    dtype = io_dtype_for(mode_named("int8"), io_dtype)
    began = time.perf_counter()
    with legacy_keras() as legacy, quiet():
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
        _fit(legacy, aware, model, images, labels, tuning)
        content = _convert_aware(aware, tuple(model.inputs[0].shape[1:]), dtype)
    return _described(content, model, dtype, tuning, time.perf_counter() - began)


def pruned(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    sparsity: float = 0.5,
    tuning: FineTuning | None = None,
) -> keras.Model:
    """Return a copy of a model with the smallest weights at zero, trained to do without them.

    The file keeps its size until it is compressed: compare gzip sizes.

    Args:
        model: a trained Keras 3 classifier, which stays as it is.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        sparsity: share of the weights of each convolution and dense layer to zero, 0 to 1.
        tuning: how to train.

    Raises:
        ValueError: a share outside of 0 to 1, or a layer without counterpart, named.
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"sparsity={sparsity!r} has to be between 0 and 1")
    tuning = tuning or FineTuning()
    steps = tuning.epochs * -(-len(images) // tuning.batch_size)

    def wrap(twin: Any, sparse: Any) -> tuple[Any, list[Any], Callable]:
        schedule = sparse.PolynomialDecay(
            0.0, sparsity, 0, max(1, int(FINAL_SHARE * steps)), frequency=1
        )
        work = sparse.prune_low_magnitude(twin, pruning_schedule=schedule)
        return work, [sparse.UpdatePruningStep()], sparse.strip_pruning

    with legacy_keras() as legacy, quiet():
        from tensorflow_model_optimization.sparsity import keras as sparse

        return _optimized(legacy, model, images, labels, tuning, lambda twin: wrap(twin, sparse))


def clustered(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    clusters: int = 32,
    tuning: FineTuning | None = None,
) -> keras.Model:
    """Return a copy of a model whose layers hold few different weights each.

    The file keeps its size until it is compressed: compare gzip sizes.

    Args:
        model: a trained Keras 3 classifier, which stays as it is.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        clusters: number of different weights a layer, 2 or more.
        tuning: how to train.

    Raises:
        ValueError: fewer than two clusters, or a layer without counterpart, named.
    """
    if clusters < 2:
        raise ValueError(f"clusters={clusters!r} has to be 2 or more")
    tuning = tuning or FineTuning()

    def wrap(twin: Any, clustering: Any) -> tuple[Any, list[Any], Callable]:
        work = clustering.cluster_weights(
            twin,
            number_of_clusters=clusters,
            cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
        )
        return work, [], clustering.strip_clustering

    with legacy_keras() as legacy, quiet():
        from tensorflow_model_optimization.clustering import keras as clustering

        return _optimized(
            legacy, model, images, labels, tuning, lambda twin: wrap(twin, clustering)
        )


def _optimized(
    legacy: Any,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: FineTuning,
    wrap: Callable[[Any], tuple[Any, list[Any], Callable]],
) -> keras.Model:
    work, callbacks, strip = wrap(rebuild(model))
    _fit(legacy, work, model, images, labels, tuning, callbacks)
    copy = keras.models.clone_model(model)
    copy_weights(strip(work), copy)
    return copy


def _in_order(legacy: Any, aware: Any, twin: Any) -> Any:
    """Give layers of several inputs their inputs in the order that they had.

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
        found = sources(entry)
        if found != order and sorted(found) == sorted(order):
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
        found = watched(images[start : start + RANGE_BATCH], training=False)
        lowest = np.minimum(lowest, [np.min(value) for value in found])
        highest = np.maximum(highest, [np.max(value) for value in found])
    for (_, low, high), least, most in zip(limits, lowest, highest, strict=True):
        low.assign(least)
        high.assign(most)


def _fit(
    legacy: Any,
    work: Any,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: FineTuning,
    callbacks: list[Any] | None = None,
) -> None:
    activation = getattr(model.layers[-1], "activation", None)
    squashed = getattr(activation, "__name__", "linear") in ("softmax", "sigmoid")
    if model.outputs[0].shape[-1] == 1:
        loss = legacy.losses.BinaryCrossentropy(from_logits=not squashed)
    else:
        loss = legacy.losses.SparseCategoricalCrossentropy(from_logits=not squashed)
    legacy.utils.set_random_seed(tuning.seed)
    work.compile(legacy.optimizers.Adam(tuning.learning_rate), loss)
    work.fit(
        images,
        np.asarray(labels).reshape(-1).astype(np.int32),
        batch_size=tuning.batch_size,
        epochs=tuning.epochs,
        callbacks=callbacks or [],
        verbose=0,
    )


def _convert_aware(aware: Any, shape: tuple[int, ...], dtype: str) -> bytes:
    import tensorflow as tf

    from convert import flatbuffer

    signature = [tf.TensorSpec((1, *shape), tf.float32, name="images")]
    function = tf.function(lambda x: aware(x, training=False), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], aware
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.as_dtype(dtype)
    converter.inference_output_type = tf.as_dtype(dtype)
    return flatbuffer.finish(bytes(converter.convert()))


def _described(
    content: bytes, model: keras.Model, dtype: str, tuning: FineTuning, seconds: float
) -> TFLiteModel:
    from convert.inspection import inspect_tflite
    from convert.pipeline import describe

    training = {"method": "quantization-aware training", **tuning.to_dict()}
    facts = describe(
        mode_named("int8"),
        dtype,
        inspect_tflite(content),
        seconds,
        model=model.name,
        output="model",
        training=training,
    )
    return TFLiteModel(content, "int8", facts)
