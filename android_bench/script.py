"""Work in a process of its own: a request goes in by a file, one JSON document comes out.

A bad model takes down the process that runs it; here that is a child, and the caller gets an error.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from android_bench.devices.local import run_local
from android_bench.document import read_document


def call_script(script: str, request: dict[str, Any], timeout: float, part: str) -> dict[str, Any]:
    """Run a script of this package with this Python.

    Args:
        script: its path; it calls `worker.answer`.
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
        file = Path(folder, "request.json")
        file.write_text(json.dumps(request))
        completed = run_local((sys.executable, script, str(file)), timeout, "host")
    return read_document(completed, "host", part)
