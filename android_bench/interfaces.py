"""The two interfaces: a device brings files and runs programs, an engine measures files there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from android_bench.devices.local import Completed
from android_bench.options import BenchmarkOptions

#: The facts of a device that change while it works.
STATE = ("governor", "frequencies_mhz", "temperatures_c")


class Device(ABC):
    """A transport to a machine, used as a context manager.

    A device keeps a folder of its own for the session; `close` removes it and ends what still runs.

    Attributes:
        name: as rows name it: "host", "ssh:pi@board", "adb:SERIAL", "emulated:cortex-a72".
        engine: what measures files there.
    """

    name: str
    engine: Engine

    @abstractmethod
    def push(self, local: Path, name: str) -> str:
        """Bring a file to the session's folder under a plain name; return its path there."""

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
    def facts(self) -> dict[str, Any]:
        """Return what is known of the machine at this time.

        Keys are "os", "cpu", "architecture" and "core", the state ("governor", "frequencies_mhz",
        "temperatures_c"), and more where a device tells more, such as a phone's "big_cores" (the
        mask of its fastest CPUs). A value is None where it is unknown.
        """

    def facts_and_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the facts that do not change, and the state at this time."""
        facts = self.facts()
        return facts, {name: facts.pop(name) for name in STATE}

    @abstractmethod
    def close(self) -> None:
        """Remove the session's files and end its processes; may be called twice."""

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Engine(ABC):
    """How files are measured on a device.

    Attributes:
        name: as rows name it: "worker", "runner" or "benchmark_model".
    """

    name: str

    @abstractmethod
    def measure(
        self, device: Device, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Measure the models, interleaved when there are several.

        Args:
            device: where.
            models: local paths of `.tflite` files.
            options: how; `input_files` are local paths.

        Returns:
            The document that `android_bench/worker.py` describes. In place of "sessions_us" an
            engine may have "summaries", one `Summary` per session. One that counts instructions
            adds "instructions", "instruction_classes" and "instruction_kernels" to each model, and
            leaves its times None and its "sessions_us" empty.

        Raises:
            ValueError: a model or an option is at fault.
            DeviceError: the device is.
        """
