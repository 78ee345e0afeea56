"""What a machine without Python needs to measure: the C runner, LiteRT's library and glibc."""

import importlib.util
import re
import subprocess
from pathlib import Path

from android_bench.errors import DeviceError
from android_bench.native import build_runner

LOADERS = {"aarch64": "ld-linux-aarch64.so.1", "x86_64": "ld-linux-x86-64.so.2"}


def bundle(machine: str) -> dict[str, Path]:
    """Return the files of the bundle by name, "runner" and "libLiteRt.so" among them.

    Args:
        machine: "aarch64" (from the emulator's set-up) or "x86_64" (from this machine, which then
            has to be one: Android's own emulator on a PC).

    Raises:
        DeviceError: no bundle can be made for this machine.
    """
    if machine in ("aarch64", "armv8l"):
        from android_bench.emulated import find_emulator

        return find_emulator().bundle()
    if machine == "x86_64":
        return _host_bundle()
    raise DeviceError(
        f"there is no LiteRT for a machine of type {machine!r}; allowed are {', '.join(LOADERS)}. "
        "Give Google's benchmark_model for it by --benchmark-binary"
    )


def _host_bundle() -> dict[str, Path]:
    """Collect the host's runner, library, and the glibc that they were made with."""
    spec = importlib.util.find_spec("ai_edge_litert")
    library = Path(spec.origin).with_name("libLiteRt.so") if spec and spec.origin else None
    if library is None or not library.is_file():
        raise DeviceError("ai-edge-litert is not installed here. Run: pip install ai-edge-litert")
    files = {"runner": build_runner("host"), "libLiteRt.so": library}
    for path in tuple(files.values()):
        listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
        for name in re.findall(r"(/\S+)", listed.stdout):
            files.setdefault(Path(name).name, Path(name))
    if LOADERS["x86_64"] not in files:
        raise DeviceError(
            f"this machine's glibc could not be found by ldd: it lists no {LOADERS['x86_64']}. "
            "Give a benchmark_model by --benchmark-binary"
        )
    return files
