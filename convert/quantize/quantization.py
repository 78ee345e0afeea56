"""Float TFLite flatbuffer -> the other modes."""

from collections.abc import Callable, Collection

import numpy as np

from convert.modes import Mode
from convert.options import STOCK, QuantizationOptions
from convert.quiet import quiet
from convert.source.calibration import tflite_generator


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
    from convert.quantize.preparation import Preparation

    return prepared_int8(Preparation(content, images)(options), io_dtype, options.keep_float)


def prepared_int8(content: bytes, io_dtype: str, keep_float: Collection[str] = ()) -> bytes:
    """Return a float32 flatbuffer that stores its activations' ranges in int8.

    Args:
        content: what `convert.quantize.preparation.Preparation` returns.
        io_dtype: "int8", "uint8" or "float32".
        keep_float: names of op output tensors whose ops stay float32.
    """
    # TensorFlow has no public name for quantizing a flatbuffer; the version is pinned.
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    dtype = tf.as_dtype(io_dtype)
    return bytes(
        mlir_quantize(
            content,
            input_data_type=dtype,
            output_data_type=dtype,
            denylisted_nodes=list(keep_float) or None,
        )
    )


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
    """Quantize weights of 1,024 values or more, as TensorFlow's dynamic mode does.

    With the smaller ones in int8, too, L-Mobilenet's error doubles for 3 % of the file. The weights
    of depthwise convolutions, which XNNPACK runs in float only, are widened when the file is
    opened, so that the graph stays in one piece.
    """
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
