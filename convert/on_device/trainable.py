"""One call from a Keras classifier to a .tflite file that goes on learning on the phone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.converter import checked_arguments, run
from convert.options import ConversionOptions
from convert.tflite_model import TFLiteModel

DEFAULT_BATCH_SIZE = 16
OPTIONS = (
    "input_range",
    "output",
    "class_names",
    "description",
    "author",
    "license",
    "lower",
    "form",
    "minimum_images",
    "verify",
)
"""The fields of `ConversionOptions` that a float file with a trainable head has a use for."""


def trainable_tflite(
    model: Any,
    representative_dataset: Any = None,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    path: str | Path | None = None,
    isolated: bool | None = None,
    progress: Callable[[str], Any] | None = None,
    **options: Any,
) -> TFLiteModel:
    """Convert a classifier to a float32 TFLite file whose last layer can be trained.

    The layers in front of the last one run frozen, in inference mode. Signatures of the file, for
    B = `batch_size`, with float32 tensors where nothing else is said:

    * `infer`: `images` (1, height, width, channels) -> `probabilities` or `logits` (1, classes).
      It is the main graph, so that whatever runs a file without signatures infers.
    * `train`: `images` (B, height, width, channels), `labels` (B,) int32, `learning_rate` () ->
      `loss` (), the mean softmax cross entropy before one step of gradient descent. An image whose
      label is not 0 to classes - 1 is left out: fill a last batch up with label -1.
    * `get_weights`: `unused` () int32 -> `kernel` (features, classes), `bias` (classes,). Android's
      `Interpreter.runSignature` refuses a call without inputs, hence the one that is not read.
    * `set_weights`: `kernel`, `bias` -> the same, as they stand now. Weights live as long as the
      interpreter does; the caller stores them and sets them again.

    Args:
        model: a functional or sequential Keras 3 model with one input and one output that ends in
            a Dense or CondensedDense of two units or more, with softmax or without activation; or
            the path of a `.keras` file. A layer without bias keeps one of zeros; what
            a CondensedDense has pruned stays pruned.
        representative_dataset: images to check the file with and to measure a learning rate on,
            in the forms that `to_tflite` takes. None takes random ones, which tell no rate.
        batch_size: images of one training step, 1 or more.
        path: where to save the file and its sidecar; None leaves it in memory.
        isolated: see `convert.to_tflite`.
        progress: called with a line for each step.
        **options: fields of `ConversionOptions` named in `OPTIONS`.

    Returns:
        The file's content and facts (mode "trainable"), saved when a `path` is given. With a
        representative dataset, facts["training"]["check"]["learning_rate"] is one to start with.

    Raises:
        FileNotFoundError: `model` is a path without a file.
        ValueError: a batch size below 1, an option of no use here, a model without such a last
            layer, images that `to_tflite` would refuse, or a file that fails its check; the
            message names the value or the layer.
        RuntimeError: the converter crashed.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"batch_size={batch_size!r} is no batch; allowed are whole numbers, 1 or more"
        )
    if unknown := [name for name in options if name not in OPTIONS]:
        raise ValueError(
            f"{unknown[0]}={options[unknown[0]]!r} does not apply to a trainable file; "
            f"allowed are {', '.join(OPTIONS)}"
        )
    arguments = checked_arguments(model, representative_dataset, ConversionOptions(**options))
    arguments["batch_size"] = batch_size
    file = run("convert.on_device.build:build", model, arguments, isolated, progress)
    return file if path is None else file.save(path)
