"""Running a .tflite file over many images on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from convert.tflite.interpreter import open_interpreter

CHUNK = 64


def predict(
    model: str | Path | bytes,
    images: np.ndarray,
    *,
    preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
    workers: int | None = None,
    use_xnnpack: bool = True,
    progress: Callable[[int], Any] | None = None,
) -> np.ndarray:
    """Return the file's outputs for all images, equal to those of one interpreter in a loop.

    Each worker thread has an interpreter of its own (LiteRT leaves Python's lock while it runs)
    and takes chunks of images, one image at a time.

    Args:
        model: path or content of a .tflite file with batch 1.
        images: (count, height, width, channels), as the model takes them or as `preprocess` does.
        preprocess: turns a chunk of images into float32 model input.
        workers: number of threads; None for one per core.
        use_xnnpack: whether to run with the XNNPACK delegate.
        progress: called with the number of images done after each chunk.

    Returns:
        float32 (count, classes): real values, dequantized for integer outputs.

    Raises:
        ValueError: no valid file, or images of another shape.
    """
    model = model if isinstance(model, bytes) else Path(model).read_bytes()
    workers = min(workers or os.cpu_count() or 1, max(1, len(images) // CHUNK))
    runners = [_Runner(model, use_xnnpack) for _ in range(workers)]
    free = list(runners)
    parts: list[np.ndarray | None] = [None] * -(-len(images) // CHUNK)
    if images.ndim != 4 or images.shape[1:] != runners[0].shape:
        raise ValueError(
            f"images have shape {images.shape}; the file takes (count, "
            f"{', '.join(map(str, runners[0].shape))})"
        )

    def run(index: int) -> int:
        chunk = images[index * CHUNK : (index + 1) * CHUNK]
        runner = free.pop()
        try:
            parts[index] = runner(preprocess(chunk) if preprocess else chunk)
        finally:
            free.append(runner)
        return len(chunk)

    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(run, range(len(parts))):
            if progress is not None:
                progress(count)
    return np.concatenate(parts) if parts else np.empty((0, runners[0].classes), np.float32)


def quantize_input(images: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Return real values as an interpreter's input takes them.

    Args:
        images: real values.
        detail: an entry of `get_input_details()`.
    """
    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return images.astype(dtype, copy=False)
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(dtype)
    stored = np.rint(images / np.float32(scale)) + zero_point
    return np.clip(stored, limits.min, limits.max).astype(dtype)


def dequantize_output(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Return the values of an interpreter's output as real ones, float32."""
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    scale, zero_point = detail["quantization"]
    return ((values.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)


class _Runner:
    """One interpreter and its quantization."""

    def __init__(self, model: bytes, use_xnnpack: bool) -> None:
        self._interpreter = open_interpreter(model, use_xnnpack=use_xnnpack)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.shape = tuple(int(size) for size in self._input["shape"][1:])
        self.classes = int(np.prod(self._output["shape"][1:]))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        stored = quantize_input(images, self._input)
        outputs = np.empty((len(images), self.classes), self._output["dtype"])
        for index in range(len(stored)):
            self._interpreter.set_tensor(self._input["index"], stored[index : index + 1])
            self._interpreter.invoke()
            outputs[index] = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
        return dequantize_output(outputs, self._output)
