"""ARM cores for those who have none: QEMU's user mode, exact instruction counts, no times."""

from android_bench.emulated.cores import CORES, Core
from android_bench.emulated.setup import Emulator, find_emulator, setup_emulator

__all__ = ["CORES", "Core", "Emulator", "find_emulator", "setup_emulator"]
