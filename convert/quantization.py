"""Float TFLite flatbuffer -> the other modes."""

from collections.abc import Callable

import numpy as np

from convert.calibration import tflite_generator
from convert.modes import Mode
from convert.quiet import quiet


def quantize(
    content: bytes, mode: Mode, images: np.ndarray | None = None, io_dtype: str = "float32"
) -> bytes:
    """Return `content`, a float32 flatbuffer, in another mode.

    Args:
        content: a float32 TFLite flatbuffer with batch 1.
        mode: the mode to write.
        images: float32 (count, height, width, channels), for the modes that are calibrated.
        io_dtype: number type of the input and the output.
    """
    if mode.name == "float32":
        return content
    with quiet():
        if mode.calibrated:
            return _CALIBRATED[mode.name](content, images, io_dtype)
        return _UNCALIBRATED[mode.name](content)


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
    from ai_edge_quantizer import recipe

    return _edge_quantize(
        content, lambda work: work.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    )


def _int8(content: bytes, images: np.ndarray, io_dtype: str) -> bytes:
    # TensorFlow has no public name for quantizing a flatbuffer; the version is pinned.
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    calibrated = Calibrator(content).calibrate(tflite_generator(images))
    dtype = tf.as_dtype(io_dtype)
    return bytes(mlir_quantize(calibrated, input_data_type=dtype, output_data_type=dtype))


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


_UNCALIBRATED = {"float16": _float16, "dynamic": _dynamic}
_CALIBRATED = {"int8": _int8, "int16x8": _int16x8}
