"""Reading the one JSON document that a measuring program prints as its last line.

The form is described in `worker.py`; the C runner and our scripts print the same.
"""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from android_bench.devices.local import Completed
from android_bench.errors import DeviceError

#: Exit codes of a program that printed its document; 3 when the document is an error.
PRINTED = (0, 3)


def read_document(
    completed: Completed,
    device: str,
    part: str = "models",
    names: Mapping[str, str | Path] | None = None,
) -> dict[str, Any]:
    """Return the document that a program printed.

    Args:
        completed: how the program ended.
        device: the device's name, for messages.
        part: the key that the document must have, unless it is an error.
        names: path on the device -> our own name of that file, which messages show instead.

    Raises:
        ValueError: the document says that the model or an option is at fault.
        DeviceError: the document says that the device is; the program crashed or was killed; or its
            output is cut or no JSON.
    """
    said = last_line(completed.stderr)
    if completed.returncode not in PRINTED:
        raise DeviceError(f"{device}: {how_it_ended(completed.returncode)}{said}")
    lines = completed.stdout.strip().splitlines()
    try:
        document = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not ("error" in document or part in document):
        raise DeviceError(
            f"{device}: the worker's output is cut or no JSON "
            f"({len(completed.stdout)} characters, ending {completed.stdout[-30:]!r}). "
            f"Check the device's free memory and disk, and run again{said}"
        )
    if "error" not in document:
        return document
    message = document["error"]
    for path, name in (names or {}).items():
        message = message.replace(path, str(name))
    if document.get("device_at_fault"):
        raise DeviceError(f"{device}: {message}")
    raise ValueError(message)


def how_it_ended(returncode: int) -> str:
    """Say in words what an exit code other than `PRINTED` means, with a way out."""
    if returncode == 127:
        return "there is no such program on the device. Give the path of its Python"
    if returncode == 126:
        return "the program cannot be executed there: wrong architecture, or not executable"
    number = -returncode if returncode < 0 else returncode - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"the worker ended with exit code {returncode}"
    if name == "SIGKILL":
        return "the worker was killed (SIGKILL), often for lack of memory. Close other programs"
    return (
        f"the model crashed the interpreter ({name}). Convert it again, "
        "or try the other setting of use_xnnpack"
    )


def last_line(text: str) -> str:
    """Return the last line that is more than progress, in brackets to end a message, or ""."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("INFO:", "W0000", "I0000"))]
    return f" [{lines[-1][:200]}]" if lines else ""
