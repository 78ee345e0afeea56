"""Functions of this package in a process of their own: its memory and its crashes end with it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from convert.parcel import is_stored, restore, store
from convert.quiet import quiet

SHOWN_CHARACTERS = 4000
RAISED = {"ValueError": ValueError, "FileNotFoundError": FileNotFoundError}
"""Errors that a function raises to refuse its arguments; any other is a crash."""


def function_named(name: str) -> Callable[..., Any]:
    """Import a function by its name, "package.module:function", without what TensorFlow says."""
    module, _, function = name.partition(":")
    with quiet():
        return getattr(import_module(module), function)


def run_apart(name: str, arguments: dict[str, Any], progress: Callable[[str], Any]) -> Any:
    """Call a function in a child process, on the TensorFlow backend and without a GPU.

    Args:
        name: of the function, as `function_named` takes it.
        arguments: its arguments, which `convert.parcel` can store, but for `progress`, with which
            it is called too. The dictionary is emptied once they are stored, so that they are not
            held twice while the child works.
        progress: called with each line that the function reports.

    Returns:
        What the function returns, which `convert.parcel` can store too.

    Raises:
        ValueError: what the function refuses.
        FileNotFoundError: a file that it needs is missing.
        RuntimeError: the child ended without an answer; the message holds the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="lwcnn-convert-") as folder:
        job = Path(folder)
        store({"name": name, "arguments": arguments}, job / "request")
        arguments.clear()
        _run(job, progress)
        answer = restore(job / "answer")
    if "error" in answer:
        raise RAISED[answer["error"]](answer["message"])
    return answer["result"]


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
        if not is_stored(job / "answer"):
            output.seek(0)
            shown = output.read()[-SHOWN_CHARACTERS:]
            raise RuntimeError(f"the converter process ended {_ending(child.returncode)}\n{shown}")


def _ending(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _answer(job: Path) -> None:
    """Call the function that the parent asked for, and leave the answer in the job's folder."""
    request = restore(job / "request")
    parent = os.fdopen(os.dup(1), "w", buffering=1)
    try:
        function = function_named(request["name"])
        result = function(**request["arguments"], progress=lambda step: print(step, file=parent))
    except tuple(RAISED.values()) as error:
        kind = "FileNotFoundError" if isinstance(error, FileNotFoundError) else "ValueError"
        store({"error": kind, "message": str(error)}, job / "answer")
    else:
        store({"result": result}, job / "answer")


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
