"""What the engines for devices without Python have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from android_bench.devices.local import SECONDS, Completed
from android_bench.document import last_line
from android_bench.errors import DeviceError
from android_bench.interfaces import Device, Engine
from android_bench.options import BenchmarkOptions


class WithoutPython(Engine):
    """An engine for phones: the device's facts come from the transport, not from the worker."""

    def measure(
        self, device: Device, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Read the device's facts before and after `measure_bare`; see `Engine.measure`."""
        facts, before = device.facts_and_state()
        if options.affinity == "big":
            options = replace(options, affinity=facts.get("big_cores"))
        document = self.measure_bare(device, facts["architecture"], models, options)
        facts |= {"affinity_mask": options.affinity} | document["facts"]
        return document | {"facts": facts, "before": before, "after": device.facts_and_state()[1]}

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
