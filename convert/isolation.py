"""The conversion in a process of its own: its memory and its crashes end with it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from convert.converter import TFLiteModel
from convert.options import ConversionOptions
from convert.source.calibration import Calibration, check_calibration
from convert.source.keras_file import input_shape

SHOWN_CHARACTERS = 4000
RAISED = {"ValueError": ValueError, "FileNotFoundError": FileNotFoundError}


def convert_isolated(
    model: Any,
    modes: list[str],
    dataset: Any,
    validation: tuple[np.ndarray, np.ndarray | None] | None,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> dict[str, TFLiteModel]:
    """Do what `pipeline.convert` does in a child process on the TensorFlow backend.

    A live model travels as a `.keras` file, so layers of the caller's own have to be importable
    or registered by a package that the child imports; otherwise convert with `isolated=False`.

    Raises:
        ValueError: what the conversion refuses.
        FileNotFoundError: the model file is missing.
        RuntimeError: the child ended without an answer; the message holds the end of its output.
    """
    with _job(model) as (job, model):
        request = {"model": str(model), "modes": modes, "options": options.to_dict()}
        request |= _stored(job, model, dataset, options)
        if validation is not None:
            given = dict(zip(("images", "labels"), validation, strict=True))
            np.savez(job / "validation.npz", **{k: v for k, v in given.items() if v is not None})
        return _ask(job, request, progress)


def build_isolated(
    model: Any,
    batch_size: int,
    dataset: Any,
    options: ConversionOptions,
    progress: Callable[[str], Any],
) -> TFLiteModel:
    """Do what `on_device.build` does in a child process; see `convert_isolated`."""
    with _job(model) as (job, model):
        request = {"model": str(model), "batch_size": batch_size, "options": options.to_dict()}
        request |= _stored(job, model, dataset, options)
        (made,) = _ask(job, request, progress).values()
        return made


@contextmanager
def _job(model: Any) -> Iterator[tuple[Path, str | Path]]:
    """Give a folder for the child's files, and the path of the model, which is saved if needed."""
    with tempfile.TemporaryDirectory(prefix="lwcnn-convert-") as folder:
        job = Path(folder)
        if not isinstance(model, str | Path):
            path = job / "model.keras"
            model.save(path)
            model = path
        yield job, model


def _stored(
    job: Path, model: str | Path, dataset: Any, options: ConversionOptions
) -> dict[str, Any]:
    """Store a representative dataset, not held while the child works; tell the request of it."""
    if dataset is None:
        return {}
    calibration = check_calibration(
        dataset,
        input_shape(model),
        input_range=options.input_range,
        minimum=options.minimum_images,
    )
    np.save(job / "images.npy", calibration.images)
    return {
        "input_range": calibration.input_range,
        "source": calibration.source,
        "indices": calibration.indices,
    }


def _ask(
    job: Path, request: dict[str, Any], progress: Callable[[str], Any]
) -> dict[str, TFLiteModel]:
    (job / "request.json").write_text(json.dumps(request))
    _run(job, progress)
    answer = json.loads((job / "answer.json").read_text())
    if "error" in answer:
        raise RAISED[answer["error"]](answer["message"])
    return {
        mode: TFLiteModel((job / f"{mode}.tflite").read_bytes(), mode, facts)
        for mode, facts in answer["facts"].items()
    }


def _run(job: Path, progress: Callable[[str], Any]) -> None:
    environment = dict(
        os.environ,
        KERAS_BACKEND="tensorflow",
        CUDA_VISIBLE_DEVICES="-1",
        PYTHONPATH=os.pathsep.join(entry or os.getcwd() for entry in sys.path),
    )
    environment.pop("TF_USE_LEGACY_KERAS", None)
    # glibc: blocks from 1 MiB go back to the system when freed, else they leave holes that other
    # copies of the weights do not fit in; 3 % of the peak memory for MobileNetV2.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**20))
    with (job / "output.txt").open("w+", errors="replace") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "convert.isolation", str(job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env=environment,
        )
        try:
            for line in child.stdout:
                progress(line.rstrip("\n"))
        finally:
            if child.poll() is None and sys.exc_info()[0] is not None:
                child.kill()
            child.wait()
        if not (job / "answer.json").is_file():
            output.seek(0)
            shown = output.read()[-SHOWN_CHARACTERS:]
            raise RuntimeError(f"the converter process ended {_ending(child.returncode)}\n{shown}")


def _ending(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _answer(job: Path) -> None:
    """Do the job in this process and leave the answer in its folder."""
    request = json.loads((job / "request.json").read_text())
    told = os.fdopen(os.dup(1), "w", buffering=1)
    answer: dict[str, Any]
    try:
        done = _done(job, request, lambda step: print(step, file=told))
    except tuple(RAISED.values()) as error:
        kind = "FileNotFoundError" if isinstance(error, FileNotFoundError) else "ValueError"
        answer = {"error": kind, "message": str(error)}
    else:
        for mode, made in done.items():
            (job / f"{mode}.tflite").write_bytes(made.content)
        answer = {"facts": {mode: made.to_dict() for mode, made in done.items()}}
    partial = job / "answer.partial"
    partial.write_text(json.dumps(answer))
    partial.rename(job / "answer.json")


def _done(
    job: Path, request: dict[str, Any], progress: Callable[[str], Any]
) -> dict[str, TFLiteModel]:
    options = ConversionOptions.from_dict(request["options"])
    dataset = None
    if (job / "images.npy").is_file():
        given, indices = request["input_range"], request["indices"]
        dataset = Calibration(
            np.load(job / "images.npy"),
            None if given is None else tuple(given),
            request["source"],
            None if indices is None else tuple(indices),
        )
    if "batch_size" in request:
        from convert.on_device.build import build

        made = build(request["model"], request["batch_size"], dataset, options, progress)
        return {made.mode: made}
    from convert.pipeline import convert

    validation = None
    if (job / "validation.npz").is_file():
        given = np.load(job / "validation.npz")
        validation = given["images"], given.get("labels")
    return convert(request["model"], request["modes"], dataset, validation, options, progress)


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
