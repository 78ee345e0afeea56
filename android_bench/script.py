"""Work in a process of its own: a request goes in by a file, one JSON document comes out.

A bad model takes down the process that runs it; here that is a child, and the caller gets an error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from android_bench import worker
from android_bench.devices.local import run_local
from android_bench.document import read_document


def call_script(script: str, request: dict[str, Any], timeout: float, part: str) -> dict[str, Any]:
    """Run a script of this package with this Python.

    Args:
        script: its path; it calls `script_main`.
        request: what its work takes, in JSON's types.
        timeout: seconds.
        part: the key that its document has, unless it is an error.

    Returns:
        The document.

    Raises:
        ValueError: the document is an error: a model or an option is at fault.
        DeviceError: the process crashed, hung or printed something else.
    """
    with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
        file = Path(folder, "options.json")
        file.write_text(json.dumps(request))
        completed = run_local((sys.executable, script, str(file)), timeout, "host")
    return read_document(completed, "host", part)


def script_main(work: Callable[[dict[str, Any]], dict[str, Any]], arguments: Sequence[str]) -> int:
    """Do a script's work and print its document; return the exit code.

    Args:
        work: takes the request and returns the document; errors that it raises for a bad model or
            option become the document.
        arguments: of the command: the request's file.
    """
    worker.end_with_parent()
    # Native code may print at any time: only the document goes to the real standard output.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        document = work(json.loads(Path(arguments[0]).read_text()))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        document = {"error": " ".join(str(error).split())}
    with output:
        json.dump(document, output)
    return 3 if "error" in document else 0
