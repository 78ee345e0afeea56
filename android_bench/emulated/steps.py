"""The steps of the emulator's set-up; each makes one part of the folder, whole or not at all."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from android_bench.emulated.cores import CORES
from android_bench.emulated.elf import Elf
from android_bench.emulated.kernels import SymbolTable, name_functions
from android_bench.errors import DeviceError
from android_bench.files import write_whole
from android_bench.native import build_counter, build_runner, find_tool

#: Debian's packages of the arm64 C and C++ libraries that any machine may unpack.
CROSS_PACKAGES = ("libc6-arm64-cross", "libgcc-s1-arm64-cross", "libstdc++6-arm64-cross")
CROSS_FOLDER = "usr/aarch64-linux-gnu/lib"
INSTALLED = Path("/", CROSS_FOLDER)

#: What the runner and libLiteRt.so need of them.
LIBRARIES = (
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "libgcc_s.so.1",
    "libstdc++.so.6",
)

PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")

LITERT_LIBRARY = "ai_edge_litert/libLiteRt.so"
NAMED_LIBRARY = "ai_edge_litert/libpywrap_litert_common.so"


def make_cross_root(folder: Path) -> None:
    """Make root/lib from the cross compiler's libraries, installed or downloaded.

    Raises:
        ToolMissing: apt-get or dpkg-deb is missing.
        DeviceError: the packages cannot be had.
    """
    if (folder / "root").is_dir():
        return
    source = INSTALLED
    with (
        _new_folder(folder / "root") as root,
        tempfile.TemporaryDirectory(dir=folder) as temporary,
    ):
        if not all((source / name).is_file() for name in LIBRARIES):
            packages = _download_packages(folder / "downloads", CROSS_PACKAGES)
            unpack = find_tool("dpkg-deb", "dpkg", "unpacks the ARM libraries")
            for package in packages:
                _run([unpack, "-x", str(package), temporary], f"{package.name} cannot be unpacked")
            source = Path(temporary, CROSS_FOLDER)
        (root / "lib").mkdir()
        for name in LIBRARIES:
            shutil.copy(source / name, root / "lib" / name)


def make_python_root(folder: Path) -> None:
    """Make the root from Debian's arm64 packages, with Python.

    Raises:
        ToolMissing: mmdebstrap is missing.
        DeviceError: the machine's package sources have no arm64 packages.
    """
    if (folder / "root").is_dir():
        return
    mmdebstrap = find_tool("mmdebstrap", "mmdebstrap", "unpacks an ARM Python")
    release = _os_release()
    suite = release.get("VERSION_CODENAME", "")
    patterns = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list",
                "/etc/apt/sources.list.d/*.sources")  # fmt: skip
    sources = [path for pattern in patterns for path in glob.glob(pattern)]
    sources = [path for path in sources if suite and suite in Path(path).read_text()]
    if not sources:
        raise DeviceError(
            f"no package sources of {release.get('PRETTY_NAME', 'this system')} in /etc/apt: "
            "the ARM Python needs Debian's. Install gcc-aarch64-linux-gnu to do without it"
        )
    with _new_folder(folder / "root") as root:
        packages = "--include=python3,libstdc++6,libgomp1"
        command = [mmdebstrap, "--variant=extract", "--architectures=arm64", packages, suite]
        _run([*command, str(root), *sources], "the ARM root cannot be made")


def make_litert(folder: Path, version: str) -> None:
    """Make lib/ from LiteRT's arm64 wheel: its library, and the names of its functions.

    Raises:
        DeviceError: the wheel cannot be had.
    """
    if (folder / "lib").is_dir():
        return
    (wheel,) = _download_wheels(folder / "downloads", version, None)
    with (
        _new_folder(folder / "lib") as lib,
        tempfile.TemporaryDirectory(dir=folder) as temporary,
    ):
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(LITERT_LIBRARY, lib)
            archive.extract(NAMED_LIBRARY, temporary)
        stripped, named = Elf(lib / LITERT_LIBRARY), Elf(Path(temporary, NAMED_LIBRARY))
        _save_names(lib, LITERT_LIBRARY, stripped, named)


def make_wheels(folder: Path, version: str) -> None:
    """Make lib/ from LiteRT's and numpy's arm64 wheels for the root's Python.

    Raises:
        DeviceError: the wheels cannot be had.
    """
    if (folder / "lib").is_dir():
        return
    pythons = sorted((folder / "root/usr/bin").glob("python3.[0-9]*"))
    wheels = _download_wheels(folder / "downloads", version, pythons[0].name[len("python") :])
    with _new_folder(folder / "lib") as lib:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(lib)
        named = Elf(lib / NAMED_LIBRARY)
        table = SymbolTable.of(Path(NAMED_LIBRARY).name, named.functions(), named.base())
        table.save(lib / f"{table.library}.symbols.json")


def make_runner(folder: Path) -> None:
    """Build bin/runner."""
    _copy(build_runner("aarch64"), folder / "bin/runner")


def make_counter(folder: Path) -> None:
    """Build bin/count.so."""
    _copy(build_counter(), folder / "bin/count.so")


def make_core_roots(folder: Path) -> None:
    """Make a root for each core: links to the one root, and files that tell of the core."""
    if (folder / "cores").is_dir():
        return
    with _new_folder(folder / "cores") as cores:
        for core in CORES.values():
            own = cores / core.name
            own.mkdir()
            for entry in (folder / "root").iterdir():
                if entry.name not in ("proc", "sys", "tmp"):
                    (own / entry.name).symlink_to(f"../../root/{entry.name}")
            write_whole(own / "proc/cpuinfo", core.cpuinfo().encode())
            for name in ("possible", "present"):
                write_whole(own / "sys/devices/system/cpu" / name, b"0\n")


def _save_names(lib: Path, library: str, stripped: Elf, named: Elf) -> None:
    table = SymbolTable.of(Path(library).name, name_functions(named, stripped), stripped.base())
    table.save(lib / f"{table.library}.symbols.json")


def _download_packages(folder: Path, packages: Sequence[str]) -> list[Path]:
    """Download Debian packages by apt from the machine's own sources; return their files."""
    apt = find_tool("apt-get", "apt", "downloads the ARM libraries")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for package in packages:
        if not list(folder.glob(f"{package}_*.deb")):
            _run(
                [apt, "download", "-q", package],
                f"the package {package} cannot be downloaded by apt-get (try apt-get update)",
                folder,
            )
        files += sorted(folder.glob(f"{package}_*.deb"))[-1:]
    return files


def _download_wheels(folder: Path, version: str, python: str | None) -> list[Path]:
    """Download LiteRT's arm64 wheel, and for a Python version all that it depends on.

    Without a version any wheel will do, since only the library in it is used.
    """
    kind = f"wheels-{version}" + (f"-{python}" if python else "")
    if not (folder / kind).is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        command += [f"--platform={platform}" for platform in PLATFORMS]
        command += [f"--python-version={python}"] if python else ["--no-deps"]
        with _new_folder(folder / kind) as wheels:
            _run(
                [*command, f"--dest={wheels}", f"ai-edge-litert=={version}"],
                f"LiteRT {version} for arm64 cannot be downloaded",
            )
    return sorted((folder / kind).glob("*.whl"))


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to fill beside `path`, and rename it to `path` once the block succeeds."""
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy(source: Path, path: Path) -> None:
    write_whole(path, source.read_bytes()).chmod(0o755)


def _run(command: Sequence[str], failure: str, folder: Path | None = None) -> None:
    """Run a program; raise a DeviceError of one line when it fails."""
    completed = subprocess.run(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if completed.returncode:
        lines = [line.strip() for line in completed.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("e:", "error"))] or lines
        raise DeviceError(f"{failure}: {(errors or ['no reason given'])[-1]}")


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key: value.strip('"') for key, _, value in pairs if value}
