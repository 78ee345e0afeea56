"""The one interface that every device has."""

import json
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from android_bench import worker


class DeviceError(RuntimeError):
    """The device, not the model, is at fault; the message is one line: the cause and a way out."""


class ConnectionLost(DeviceError):
    """The way to the device broke while a command ran on it."""


@dataclass(frozen=True)
class Completed:
    """A command that ended: its exit code (negative: killed by that signal) and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Device(ABC):
    """Where models are measured: few verbs, used as a context manager.

    A device keeps a folder of its own for the session; `close` removes it and ends what still runs.
    `facts` and `measure` are built on the other verbs for devices that have Python and LiteRT; a
    device that works by other means overrides them.
    """

    #: As rows name it: "host", "ssh:pi@board", "adb:SERIAL", "emulated:cortex-a72".
    name: str
    #: The command that starts a Python with numpy and LiteRT on the device.
    python: Sequence[str] = ("python3",)

    @abstractmethod
    def push(self, local: Path, name: str) -> str:
        """Bring a file to the device under a plain name; return its path there."""

    @abstractmethod
    def run(self, command: Sequence[str], timeout: float) -> Completed:
        """Run a command, given as its arguments, to its end.

        Raises:
            DeviceError: it did not end within `timeout` seconds (it is ended then), or the device
                cannot be reached.
        """

    @abstractmethod
    def pull(self, remote: str, local: Path) -> Path:
        """Bring a file from the device; return `local`."""

    @abstractmethod
    def close(self) -> None:
        """Remove the session's files and end its processes; may be called twice."""

    def facts(self) -> dict[str, Any]:
        """Return what is known of the machine: os, cpu, core, governor, temperatures, ..."""
        script = self.push(Path(worker.__file__), "worker.py")
        return self._document(self.run([*self.python, script, "--facts"], 60), "facts")["facts"]

    def measure(
        self, models: Sequence[Path], options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Measure the models, interleaved when there are several.

        Args:
            models: local paths of `.tflite` files.
            options: the worker's options (`worker.DEFAULTS`); `input_files` are local paths.
            timeout: seconds after which the whole measurement counts as hung.

        Returns:
            The worker's document (see `android_bench/worker.py`), with "engine" added. A device
            which counts instructions adds "instructions", "instruction_classes" and
            "instruction_kernels" to each model, and leaves its times null and its
            "sessions_us" empty.

        Raises:
            ValueError: the model or an option is at fault.
            DeviceError: the device is.
        """
        remote = [self.push(path, f"model{i}.tflite") for i, path in enumerate(models)]
        inputs = [
            self.push(Path(path), f"input{i}{'.npy' if str(path).endswith('.npy') else '.bin'}")
            for i, path in enumerate(options.get("input_files", ()))
        ]
        script = self.push(Path(worker.__file__), "worker.py")
        with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
            file = Path(folder, "options.json")
            file.write_text(json.dumps(options | {"models": remote, "input_files": inputs}))
            completed = self.run([*self.python, script, self.push(file, file.name)], timeout)
        given = [*models, *options.get("input_files", ())]
        names = dict(zip([*remote, *inputs], map(str, given), strict=True))
        return self._document(completed, "models", names) | {"engine": "worker"}

    def _document(
        self, completed: Completed, part: str, names: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Read the worker's document, in whose errors our own file names replace the device's."""
        document = read_document(completed, self.name, part)
        if "error" not in document:
            return document
        message = document["error"]
        for path, name in (names or {}).items():
            message = message.replace(path, name)
        if document.get("device_at_fault"):
            raise DeviceError(f"{self.name}: {message}")
        raise ValueError(message)

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_document(completed: Completed, device: str, part: str = "models") -> dict[str, Any]:
    """Read the worker's document: the last line of what it printed.

    Args:
        completed: the worker's end.
        device: the device's name, for messages.
        part: what the document must hold, if not an error.

    Raises:
        DeviceError: the worker crashed or was killed, or its output is cut or no JSON.
    """
    said = last_line(completed.stderr)
    if completed.returncode not in (0, 3):
        raise DeviceError(f"{device}: {how_it_ended(completed.returncode)}{said}")
    lines = completed.stdout.strip().splitlines()
    try:
        document = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not ("error" in document or part in document):
        raise DeviceError(
            f"{device}: the worker's output is cut or no JSON "
            f"({len(completed.stdout)} characters, ending {completed.stdout[-30:]!r}); "
            f"check the device's free memory and disk, and run again{said}"
        )
    return document


def how_it_ended(returncode: int) -> str:
    """Say in words what an exit code of the worker means, with a way out."""
    if returncode == 127:
        return "there is no such program on the device: give the path of its Python"
    if returncode == 126:
        return "the program cannot be executed there: wrong architecture, or not executable"
    number = -returncode if returncode < 0 else returncode - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"the worker ended with exit code {returncode}"
    if name == "SIGKILL":
        return "the worker was killed (SIGKILL), often for lack of memory: close other programs"
    return (
        f"the model crashed the interpreter ({name}): convert it again, "
        "or try the other setting of use_xnnpack"
    )


def last_line(text: str) -> str:
    """Return the last line that tells more than progress, in brackets to end a message, or ''."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("INFO:", "W0000", "I0000"))]
    return f" [{lines[-1][:200]}]" if lines else ""
