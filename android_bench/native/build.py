"""Building the C runner (host and ARM) and the instruction counter, once per source."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from android_bench.errors import DeviceError, ToolMissing
from android_bench.files import cache_folder

SOURCES = Path(__file__).parent
RUNNER = ("runner.c", "model.c", "document.c")
HEADERS = ("litert.h", "runner.h")

#: The compiler of each architecture and the Debian package that has it.
COMPILERS = {"host": ("gcc", "gcc"), "aarch64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")}

#: Packages of the C library's headers, which the compilers' packages only recommend.
HEADER_PACKAGES = {"host": "libc6-dev", "aarch64": "libc6-dev-arm64-cross"}

FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


def find_tool(program: str, package: str, purpose: str) -> str:
    """Return the path of a program on PATH.

    Args:
        program: its name.
        package: the Debian package that has it.
        purpose: what it does, as a verb with its object ("builds the ARM runner").

    Raises:
        ToolMissing: it is not there.
    """
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(program, package, purpose)
    return path


def build_runner(architecture: str = "host", folder: Path | None = None) -> Path:
    """Build the C runner, or find it as built before.

    Args:
        architecture: "host" or "aarch64".
        folder: where built programs are kept; None for the cache folder.

    Returns:
        The program's path.

    Raises:
        ValueError: unknown architecture.
        ToolMissing: there is no compiler for it.
        DeviceError: the compiler fails.
    """
    if architecture not in COMPILERS:
        raise ValueError(f"{architecture=} is unknown; allowed are {', '.join(COMPILERS)}")
    # The program's own clock_gettime must come before the library's: -rdynamic.
    return _build(f"runner-{architecture}", architecture, RUNNER, ("-rdynamic", "-ldl"), folder)


def build_counter(folder: Path | None = None) -> Path:
    """Build QEMU's counting plugin for this machine; arguments and errors as `build_runner`."""
    flags = ("-fPIC", "-shared", "-fvisibility=hidden")
    return _build("count.so", "host", ("count.c",), flags, folder)


def _build(
    name: str, architecture: str, sources: Sequence[str], flags: Sequence[str], folder: Path | None
) -> Path:
    program, package = COMPILERS[architecture]
    compiler = find_tool(program, package, f"builds {name}")
    digest = hashlib.sha256()
    for file in (*sources, *HEADERS):
        digest.update((SOURCES / file).read_bytes())
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, check=False)
    digest.update(b"\0".join([version.stdout, *map(str.encode, (*FLAGS, *flags))]))
    built = (folder or cache_folder() / "native") / digest.hexdigest()[:12] / name
    if built.is_file():
        return built
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent, prefix=".building-") as temporary:
        output = Path(temporary, name)
        # -l comes last: libraries follow the sources that need them.
        command = [compiler, *FLAGS, "-o", str(output), *(str(SOURCES / file) for file in sources)]
        completed = subprocess.run(
            [*command, *flags], capture_output=True, text=True, errors="replace", check=False
        )
        if completed.returncode:
            lines = [line for line in completed.stderr.splitlines() if "error" in line]
            said = (lines or ["it printed no reason"])[0]
            hint = ""
            if "No such file or directory" in said:
                package = HEADER_PACKAGES[architecture]
                hint = f". Install the C library's headers: apt-get install {package}"
            raise DeviceError(f"{program} cannot build {name}: {said}{hint}")
        os.replace(output, built)
    return built
