"""An emulated ARM core as a device: QEMU's user mode on this machine."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from android_bench.devices.local import Completed, run_local
from android_bench.emulated.cores import find_core
from android_bench.emulated.setup import Emulator, find_emulator
from android_bench.engines.instruction_counter import CountingDevice, InstructionCounter


class Emulated(CountingDevice):
    """A core under QEMU's user mode.

    Args:
        core: one of `android_bench.emulated.CORES`.
        emulator: a set-up; None for the one in the cache folder.

    Raises:
        ValueError: unknown core.
        DeviceError: the emulator is not set up.
    """

    def __init__(self, core: str, emulator: Emulator | None = None) -> None:
        self.core = find_core(core)
        self.name = f"emulated:{core}"
        self.emulator = emulator or find_emulator()
        self.root = self.emulator.folder / "cores" / core
        known = core in self.emulator.qemu_cores
        self.cpu = core if known or self.core.stand_in is None else self.core.stand_in
        pythons = sorted((self.root / "usr/bin").glob("python3.[0-9]*"))
        self.engine = InstructionCounter(self.emulator, tuple(map(str, pythons[:1])))
        self.folder = Path(tempfile.mkdtemp(prefix="android_bench_"))
        self._counts: Path | None = None

    def push(self, local: Path, name: str) -> str:
        """Copy a file to the session's folder."""
        return shutil.copyfile(local, self.folder / name).__fspath__()

    def run(self, command: Sequence[str], timeout: float) -> Completed:
        """Run an ARM program; see also `counting`."""
        emulator = self.emulator
        words = [emulator.qemu, "-cpu", self.cpu, "-L", str(self.root)]
        if self._counts:
            words += ["-plugin", f"{emulator.counter},out={self._counts}"]
        # A bare environment: the program must not see the host's libraries and settings.
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        environment |= {"PYTHONPATH": str(emulator.folder / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
        return run_local([*words, *command], timeout, self.name, environment=environment)

    @contextmanager
    def counting(self, path: Path | None) -> Iterator[None]:
        """Write the instructions of what runs in the block to a file; None counts nothing."""
        self._counts = path
        try:
            yield
        finally:
            self._counts = None

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file from the session's folder."""
        return Path(shutil.copyfile(remote, local))

    def facts(self) -> dict[str, Any]:
        """Return what is emulated, and by what; there is no state to tell."""
        return {
            "os": f"Linux (QEMU {self.emulator.qemu_version}, user mode, -cpu {self.cpu})",
            "cpu": "emulated aarch64",
            "architecture": "aarch64",
            "core": f"{self.core.title} (emulated)",
            "runtime": f"ai-edge-litert {self.emulator.litert}",
            "affinity_mask": None,
            "governor": None,
            "frequencies_mhz": {},
            "temperatures_c": {},
        }

    def close(self) -> None:
        """Remove the session's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
