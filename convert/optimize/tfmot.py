"""tensorflow-model-optimization on Keras 3 models: training for int8, pruning, clustering."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from convert.lowering import lower
from convert.modes import io_dtype_for, mode_named
from convert.optimize.aware import aware_twin
from convert.optimize.legacy import copy_weights, legacy_keras, rebuild
from convert.quiet import quiet
from convert.tflite import flatbuffer
from convert.tflite.inspection import inspect_tflite
from convert.tflite.sidecar import Sidecar
from convert.tflite_model import TFLiteModel

FINAL_SHARE = 0.5
"""Share of the training steps after which the wanted sparsity is reached."""


@dataclass(frozen=True)
class FineTuning:
    """How the network is trained further while it is quantized, pruned or clustered.

    Attributes:
        epochs: passes over the images.
        batch_size: images per step.
        learning_rate: of Adam; a tenth or less of what trained the network.
        seed: of the order of images.
    """

    epochs: int = 1
    batch_size: int = 64
    learning_rate: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: quoting the setting, its value and what is allowed.
        """
        for name, allowed in (("epochs", "at least 1"), ("batch_size", "at least 1"),
                              ("learning_rate", "above 0")):  # fmt: skip
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"{name}={value} is too small; allowed are values {allowed}")

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
    input_range: tuple[float, float] | None = None,
    class_names: Sequence[str] | None = None,
    progress: Callable[[str], Any] | None = None,
) -> TFLiteModel:
    """Train a model further with rounding simulated in it, and convert it to int8.

    A condensed network is trained in its deployment form `masked`, and weights that were pruned
    come back. Batch normalizations that follow no convolution, and average pools, are trained as
    the depthwise convolutions that they are converted to.

    Args:
        model: a trained Keras 3 classifier, whose weights stay as they are.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        tuning: how to train.
        io_dtype: "int8", "uint8" or "float32".
        input_range: (low, high) of the images, for the sidecar.
        class_names: names of the classes, for the sidecar.
        progress: called with a line for each step.

    Returns:
        The int8 file, with `facts["training"]` telling how it was trained.

    Raises:
        ValueError: a layer, named, that tf_keras or tensorflow-model-optimization lacks.
    """
    tuning = tuning or FineTuning()
    dtype = io_dtype_for(mode_named("int8"), io_dtype)
    began = time.perf_counter()
    # quantize_model refuses the ones, and gives the others scales that TFLite refuses.
    model, _ = lower(model, rewrites=["normalization_as_depthwise", "average_pool_as_depthwise"])
    with legacy_keras() as legacy, quiet():
        aware = aware_twin(legacy, model, images)
        _fit(legacy, aware, model, images, labels, tuning, progress)
        content = _convert_aware(aware, tuple(model.inputs[0].shape[1:]), dtype)
    sidecar = Sidecar.of(
        inspect_tflite(content),
        mode_named("int8"),
        dtype,
        seconds=time.perf_counter() - began,
        model=model.name,
        input_range=None if input_range is None else list(input_range),
        class_names=None if class_names is None else list(class_names),
        training={"method": "quantization-aware training", **tuning.to_dict()},
    )
    return TFLiteModel(content, sidecar)


def pruned(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    sparsity: float = 0.5,
    tuning: FineTuning | None = None,
    *,
    progress: Callable[[str], Any] | None = None,
) -> keras.Model:
    """Return a copy of a model with the smallest weights at zero, trained to do without them.

    The file keeps its size until it is compressed: compare gzip sizes. The copy of a condensed
    network has the deployment form `masked`.

    Args:
        model: a trained Keras 3 classifier, which stays as it is.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        sparsity: share of the weights of each convolution and dense layer to zero, 0 to 1.
        tuning: how to train.
        progress: called with a line for each step.

    Raises:
        ValueError: a share outside of 0 to 1, or a layer without counterpart; the error names it.
    """
    if not 0 < sparsity < 1:
        raise ValueError(
            f"sparsity={sparsity!r} is no share of weights; allowed are values between 0 and 1"
        )
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

        return _optimized(
            legacy, model, images, labels, tuning, progress, lambda twin: wrap(twin, sparse)
        )


def clustered(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    clusters: int = 32,
    tuning: FineTuning | None = None,
    *,
    progress: Callable[[str], Any] | None = None,
) -> keras.Model:
    """Return a copy of a model whose layers hold few different weights each.

    The file keeps its size until it is compressed: compare gzip sizes. The copy of a condensed
    network has the deployment form `masked`.

    Args:
        model: a trained Keras 3 classifier, which stays as it is.
        images: float32 (count, height, width, channels), preprocessed.
        labels: (count,) class indices.
        clusters: number of different weights per layer, 2 or more.
        tuning: how to train.
        progress: called with a line for each step.

    Raises:
        ValueError: fewer than two clusters, or a layer without counterpart; the error names it.
    """
    if clusters < 2:
        raise ValueError(f"clusters={clusters!r} are too few; allowed are 2 and more")
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
            legacy, model, images, labels, tuning, progress, lambda twin: wrap(twin, clustering)
        )


def _optimized(
    legacy: Any,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: FineTuning,
    progress: Callable[[str], Any] | None,
    wrap: Callable[[Any], tuple[Any, list[Any], Callable]],
) -> keras.Model:
    model, _ = lower(model, rewrites=[])  # Condensed layers in a form that tf_keras has.
    work, callbacks, strip = wrap(rebuild(model))
    _fit(legacy, work, model, images, labels, tuning, progress, callbacks)
    copy = keras.models.clone_model(model)
    copy_weights(strip(work), copy)
    return copy


def _fit(
    legacy: Any,
    work: Any,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    tuning: FineTuning,
    progress: Callable[[str], Any] | None,
    callbacks: Sequence[Any] = (),
) -> None:
    activation = getattr(model.layers[-1], "activation", None)
    squashed = getattr(activation, "__name__", "linear") in ("softmax", "sigmoid")
    if model.outputs[0].shape[-1] == 1:
        loss = legacy.losses.BinaryCrossentropy(from_logits=not squashed)
    else:
        loss = legacy.losses.SparseCategoricalCrossentropy(from_logits=not squashed)
    if progress is not None:
        steps = -(-len(images) // tuning.batch_size)
        say = legacy.callbacks.LambdaCallback(
            on_batch_end=lambda batch, logs: progress(
                f"step {batch + 1} of {steps}, loss {logs['loss']:.3f}"
            )
        )
        callbacks = [*callbacks, say]
    legacy.utils.set_random_seed(tuning.seed)
    work.compile(legacy.optimizers.Adam(tuning.learning_rate), loss)
    work.fit(
        images,
        np.asarray(labels).reshape(-1).astype(np.int32),
        batch_size=tuning.batch_size,
        epochs=tuning.epochs,
        callbacks=list(callbacks),
        verbose=0,
    )


def _convert_aware(aware: Any, shape: tuple[int, ...], dtype: str) -> bytes:
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *shape), tf.float32, name="images")]
    function = tf.function(lambda x: aware(x, training=False), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], aware
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.as_dtype(dtype)
    converter.inference_output_type = tf.as_dtype(dtype)
    return flatbuffer.finish(bytes(converter.convert()))
