"""The one interface that every engine has, and what devices without Python have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from android_bench.devices.device import Device
from android_bench.devices.local import SECONDS, Completed
from android_bench.document import last_line
from android_bench.errors import DeviceError
from android_bench.options import BenchmarkOptions

#: The facts of a device that change while it works.
STATE = ("governor", "frequencies_mhz", "temperatures_c")


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


class WithoutPython(Engine):
    """An engine for phones: the device's facts come from the transport, not from the worker."""

    def measure(
        self, device: Device, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Read the device's facts before and after `measure_bare`; see `Engine.measure`."""
        facts, before = facts_and_state(device)
        if options.affinity == "big":
            options = replace(options, affinity=facts.get("big_cores"))
        document = self.measure_bare(device, facts["architecture"], models, options)
        facts |= {"affinity_mask": options.affinity} | document["facts"]
        return document | {"facts": facts, "before": before, "after": facts_and_state(device)[1]}

    @abstractmethod
    def measure_bare(
        self, device: Device, machine: str, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Measure the models; return "models", and the "facts" that only the engine knows.

        Args:
            device: where.
            machine: the device's architecture.
            models: local paths.
            options: how; `affinity` is a mask or None.
        """


def facts_and_state(device: Device) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a device tells: the facts that do not change, and its state at this time."""
    facts = device.facts()
    return facts, {name: facts.pop(name) for name in STATE}


def push_program(device: Device, path: Path, name: str) -> str:
    """Bring a program to a device, ready to be run; return its path there."""
    remote = device.push(path, name)
    if device.run(["chmod", "755", remote], SECONDS).returncode:
        raise DeviceError(
            f"{device.name}: {path} cannot be made executable as {remote}. "
            "Check that the folder's file system allows it"
        )
    return remote


def check_program(device: Device, machine: str, completed: Completed, what: str) -> None:
    """Refuse a program that the device could not start.

    Raises:
        DeviceError: it was built for another machine.
    """
    said = completed.stdout + completed.stderr
    wrong = "not executable" in said or "xec format error" in said or "bad ELF" in said
    if wrong or completed.returncode in (126, 127):
        raise DeviceError(
            f"{device.name}: {what} cannot be executed on this {machine} device. "
            f"Give one built for it{last_line(said)}"
        )
