"""Where a quantized file loses accuracy: its layers against those of the float file."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from android_bench.files import write_whole
from android_bench.worker import open_interpreter
from convert.quantize.activations import activations
from convert.quantize.weighted_ops import CHANNEL_AXIS
from convert.tflite import flatbuffer
from convert.tflite.evaluation import quantize_input
from convert.tflite.tensor_names import layer_of

IDEAL_ROUNDING = 0.289
"""Root mean squared rounding error in steps, 1 / sqrt(12), when nothing but rounding errs."""


@dataclass(frozen=True)
class LayerError:
    """The error of one op's output, over all images.

    Attributes:
        layer: the Keras layer that the op's output belongs to.
        op: the op's kind.
        tensor: name of its output tensor, as `QuantizationOptions.keep_float` takes it.
        sqnr: signal power over error power, in dB; higher is better.
        mse: mean squared error.
        cosine: cosine similarity of both outputs.
        error_over_scale: root mean squared error in integer steps; 0.289 is rounding alone.
    """

    layer: str
    op: str
    tensor: str
    sqnr: float
    mse: float
    cosine: float
    error_over_scale: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def layer_errors(
    float_file: str | Path | bytes,
    quantized_file: str | Path | bytes,
    images: np.ndarray,
    layer_names: Sequence[str] = (),
) -> list[LayerError]:
    """Run both files on the images without delegates and compare the outputs of their ops.

    Outputs are matched by tensor name, which quantization keeps. Errors of earlier layers are
    part of those of later ones.

    Args:
        float_file: path or content of the float32 file.
        quantized_file: path or content of an int8 or int16x8 file made from it.
        images: float32 (count, height, width, channels), preprocessed.
        layer_names: names of the Keras model's layers; without them the tensor's name decides.

    Returns:
        One entry for each op that both files have, in the order of the graph.

    Raises:
        ValueError: no valid files, no images, or no tensor in common.
    """
    float_content, quantized_content = _content(float_file), _content(quantized_file)
    if not len(images):
        raise ValueError("0 images are too few; allowed are 1 and more")
    names = {
        tensor.name: index
        for index, tensor in enumerate(flatbuffer.read(float_content).subgraphs[0].tensors)
    }
    model = flatbuffer.read(quantized_content)
    tensors = model.subgraphs[0].tensors
    compared = {
        int(op.outputs[0]): (names[tensors[op.outputs[0]].name], flatbuffer.op_name(model, op))
        for op in model.subgraphs[0].operators
        if tensors[op.outputs[0]].name in names and _has_scale(tensors[op.outputs[0]])
    }
    if not compared:
        raise ValueError(
            "the two files have no quantized tensor in common. Give a float32 file and an integer "
            "file made from it"
        )
    interpreter = open_interpreter(quantized_content, use_xnnpack=False, preserve_all_tensors=True)
    source = interpreter.get_input_details()[0]
    sums = {index: np.zeros(4) for index in compared}
    for image, expected in zip(images, activations(float_content, images), strict=True):
        interpreter.set_tensor(source["index"], quantize_input(image[None], source))
        interpreter.invoke()
        for index, (twin, _) in compared.items():
            if twin in expected:
                actual = _real(interpreter.get_tensor(index), tensors[index].quantization)
                sums[index] += _moments(expected[twin], actual)
    return [
        _error(sums[index], tensors[index], op, layer_names)
        for index, (_, op) in compared.items()
        if sums[index][3]
    ]


def worth_excluding(errors: Sequence[LayerError], count: int = 5) -> list[str]:
    """Return the tensors whose layers lose most, for `QuantizationOptions.keep_float`.

    A layer's own loss is the fall of SQNR from the layer in front of it (our design).

    Args:
        errors: of `layer_errors`, in the order of the graph.
        count: how many tensors at most.
    """
    weighted = [error for error in errors if error.op in CHANNEL_AXIS]
    before = [np.inf, *(error.sqnr for error in weighted[:-1])]
    losses = [min(b, 60.0) - error.sqnr for b, error in zip(before, weighted, strict=True)]
    ranked = sorted(zip(losses, weighted, strict=True), key=lambda pair: -pair[0])
    return [error.tensor for loss, error in ranked[:count] if loss > 0]


def plot_layer_errors(errors: Sequence[LayerError], path: str | Path) -> Path:
    """Draw SQNR and error over scale along the layers into an image file.

    Args:
        errors: of `layer_errors`.
        path: where to write; the suffix decides the format.
    """
    from matplotlib.figure import Figure

    places = np.arange(len(errors))
    figure = Figure(figsize=(8, 1.5 + 0.2 * len(errors)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(places, [error.sqnr for error in errors], color="#4477aa")
    left.set_xlabel("SQNR in dB")
    right.barh(places, [error.error_over_scale for error in errors], color="#ee6677")
    right.axvline(IDEAL_ROUNDING, color="black", linewidth=1, linestyle="--")
    right.set_xlabel("error in integer steps\n(dashed: rounding alone)")
    left.set_yticks(places, [f"{error.layer} ({error.op.lower()})" for error in errors], fontsize=7)
    left.set_ylim(len(errors) - 0.4, -0.6)
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix[1:])
    return write_whole(Path(path), picture.getvalue())


def _content(file: str | Path | bytes) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def _has_scale(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale is not None


def _real(stored: np.ndarray, quantization: Any) -> np.ndarray:
    scale, zero_point = float(quantization.scale[0]), int(quantization.zeroPoint[0])
    return (stored.astype(np.float32) - zero_point) * np.float32(scale)


def _moments(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    expected, actual = expected.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
    error = ((actual - expected) ** 2).sum()
    return np.array([(expected**2).sum(), (actual**2).sum(), error, len(expected)])


def _error(sums: np.ndarray, tensor: Any, op: str, layer_names: Sequence[str]) -> LayerError:
    signal, power, error, count = sums
    name = tensor.name.decode()
    scale = float(tensor.quantization.scale[0])
    product = (signal + power - error) / 2
    return LayerError(
        layer=layer_of(name, layer_names),
        op=op,
        tensor=name,
        sqnr=float(10 * np.log10(max(signal, 1e-30) / max(error, 1e-30))),
        mse=float(error / count),
        cosine=float(product / max(np.sqrt(signal * power), 1e-30)),
        error_over_scale=float(np.sqrt(error / count) / scale),
    )
