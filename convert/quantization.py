"""Float TFLite flatbuffer -> the other modes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from convert.calibration import tflite_generator
from convert.modes import Mode
from convert.quiet import quiet
from convert.ranges import choose_range

STATISTICS_IMAGES = 128
"""Images whose activations are looked at one by one; all images give the smallest and largest
values."""


@dataclass(frozen=True)
class QuantizationOptions:
    """What int8 quantization does beyond TensorFlow's per-channel weights and min-max activations.

    Attributes:
        ranges: how activation ranges are chosen: "minmax", "percentile" or "mse".
        percentile: share of values to cover in percent, for "percentile".
        equalize: spread channels over the range of their tensors where the layers around them
            allow it.
        correct_bias: take back the mean error of rounded weights.
        round_weights: round weights so that their errors cancel on the calibration images, instead
            of each to the nearest; includes the correction of biases.
        keep_float: names of op output tensors whose ops stay float32.
    """

    ranges: str = "minmax"
    percentile: float = 99.99
    equalize: bool = False
    correct_bias: bool = False
    round_weights: bool = False
    keep_float: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ValueError: unknown `ranges`, or a percentile outside of (50, 100].
        """
        choose_range(np.ones(1), 0.0, 1.0, self.ranges, self.percentile)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return dict(asdict(self), keep_float=list(self.keep_float))


STOCK = QuantizationOptions()


def quantize(
    content: bytes,
    mode: Mode,
    images: np.ndarray | None = None,
    io_dtype: str = "float32",
    options: QuantizationOptions = STOCK,
) -> bytes:
    """Return `content`, a float32 flatbuffer, in another mode.

    Args:
        content: a float32 TFLite flatbuffer with batch 1.
        mode: the mode to write.
        images: float32 (count, height, width, channels), for the modes that are calibrated.
        io_dtype: number type of the input and the output.
        options: for the int8 modes.
    """
    if mode.name == "float32":
        return content
    with quiet():
        if mode.activations == "int8":
            return int8(content, images, io_dtype, options)
        if mode.activations == "int16":
            return _int16x8(content, images, io_dtype)
        return _UNCALIBRATED[mode.name](content)


def int8(
    content: bytes, images: np.ndarray, io_dtype: str, options: QuantizationOptions = STOCK
) -> bytes:
    """Return a float32 flatbuffer with int8 weights and activations.

    Args:
        content: a float32 TFLite flatbuffer with batch 1.
        images: float32 (count, height, width, channels).
        io_dtype: "int8", "uint8" or "float32".
        options: how to go beyond the stock quantization.
    """
    # TensorFlow has no public name for quantizing a flatbuffer; the version is pinned.
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    dtype = tf.as_dtype(io_dtype)
    return bytes(
        mlir_quantize(
            calibrated(content, images, options),
            input_data_type=dtype,
            output_data_type=dtype,
            denylisted_nodes=list(options.keep_float) or None,
        )
    )


def calibrated(content: bytes, images: np.ndarray, options: QuantizationOptions = STOCK) -> bytes:
    """Return the float flatbuffer with each activation's range stored, as the quantizer takes it.

    The options that change weights or biases have been applied to it.
    """
    from convert.bias_correction import correct_bias
    from convert.equalization import equalize
    from convert.rounding import round_weights
    from convert.statistics import collect

    ranged = _with_limits(content, images)
    if options == QuantizationOptions(keep_float=options.keep_float):
        return ranged
    some = images[np.linspace(0, len(images) - 1, min(STATISTICS_IMAGES, len(images))).astype(int)]
    statistics = collect(content, some, _limits(ranged))
    if options.equalize:
        content = equalize(content, statistics)
        ranged = _with_limits(content, images)
        statistics = collect(content, some, _limits(ranged))
    if options.round_weights:
        ranged = round_weights(ranged, some, options.keep_float)
    elif options.correct_bias:
        ranged = correct_bias(ranged, statistics, options.keep_float)
    limits = _limits(ranged)
    for index, found in statistics.items():
        if index in limits:
            limits[index] = choose_range(
                found.histogram, *limits[index], options.ranges, options.percentile
            )
    return _store_limits(ranged, limits)


def _with_limits(content: bytes, images: np.ndarray) -> bytes:
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    return Calibrator(content).calibrate(tflite_generator(images))


def _limits(content: bytes) -> dict[int, tuple[float, float]]:
    from convert import flatbuffer

    return {
        index: (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for index, tensor in enumerate(flatbuffer.read(content).subgraphs[0].tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None
    }


def _store_limits(content: bytes, limits: dict[int, tuple[float, float]]) -> bytes:
    from convert import flatbuffer

    model = flatbuffer.read(content)
    for index, (low, high) in limits.items():
        quantization = model.subgraphs[0].tensors[index].quantization
        quantization.min, quantization.max = [low], [high]
    return flatbuffer.write(model)


def _edge_quantize(content: bytes, configure: Callable) -> bytes:
    from ai_edge_quantizer import quantizer

    work = quantizer.Quantizer(bytearray(content))
    configure(work)
    return bytes(work.quantize(enable_progress_report=False).quantized_model)


def _float16(content: bytes) -> bytes:
    from ai_edge_quantizer import algorithm_manager, qtyping

    half = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=16, dtype=qtyping.TensorDataType.FLOAT
        ),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    return _edge_quantize(
        content,
        lambda work: work.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
            op_config=half,
        ),
    )


def _dynamic(content: bytes) -> bytes:
    """int8 for weights of 1,024 values or more, as TensorFlow's dynamic mode has it: with the small
    ones in int8 as well, L-Mobilenet's error doubles for 3 % of the file.
    Depthwise convolutions, which XNNPACK runs in float only, widen theirs when the file is opened,
    so that the graph stays in one piece."""
    from ai_edge_quantizer import recipe

    (large,) = recipe.dynamic_legacy_wi8_afp32()
    widened = large["op_config"] | {"compute_precision": "FLOAT", "explicit_dequantize": True}
    depthwise = large | {"operation": "DEPTHWISE_CONV_2D", "op_config": widened}
    return _edge_quantize(content, lambda work: work.load_quantization_recipe([large, depthwise]))


def _weight_int8(content: bytes) -> bytes:
    from ai_edge_quantizer import recipe

    return _edge_quantize(
        content, lambda work: work.load_quantization_recipe(recipe.weight_only_wi8_afp32())
    )


def _int16x8(content: bytes, images: np.ndarray, io_dtype: str) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    dtype = tf.as_dtype(io_dtype)
    return bytes(
        Calibrator(content).calibrate_and_quantize(
            tflite_generator(images),
            dtype,
            dtype,
            False,
            activations_type=tf.int16,
            bias_type=tf.int64,
        )
    )


_UNCALIBRATED = {"float16": _float16, "dynamic": _dynamic, "weight_int8": _weight_int8}
