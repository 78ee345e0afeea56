"""Setting up the emulator: a small arm64 root, LiteRT for arm64, the runner and the counter.

Everything lies in one cache folder and is made in steps. A finished step is not repeated, and an
interrupted one leaves nothing behind. A stamp with the checksum of every file shows that the set-up
is complete and unchanged.

    emulator/
        stamp.json          what the set-up was made from, and the files' checksums
        downloads/          packages and wheels as downloaded
        root/               the loader and C and C++ libraries; with the worker, Python too
        lib/                libLiteRt.so and the names of its functions; with the worker, the wheels
        bin/                the runner and the counter
        cores/CORE/         the root again, by links, with that core's /proc and /sys
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from android_bench.emulated import steps
from android_bench.emulated.kernels import SymbolTable
from android_bench.errors import DeviceError, ToolMissing
from android_bench.files import cache_folder, write_whole
from android_bench.native import COMPILERS, build_counter, find_tool
from android_bench.native.build import SOURCES

#: Raised whenever a set-up made by older code should be made again.
VERSION = 1

AGAIN = "run: lwcnn bench setup"
ENGINES = ("runner", "worker")


@dataclass(frozen=True)
class Emulator:
    """A finished set-up.

    Args:
        folder: where it lies.
        engine: "runner" (the C runner) or "worker" (Python, where no cross compiler is).
        can_count: whether instructions can be counted (QEMU takes plugins).
        qemu: the emulator's program.
        qemu_version: as it prints it, such as "7.2.22".
        qemu_cores: the values that its `-cpu` takes.
        litert: the version of ai-edge-litert, the same as the host's.
    """

    folder: Path
    engine: str
    can_count: bool
    qemu: str
    qemu_version: str
    qemu_cores: tuple[str, ...] = field(repr=False)
    litert: str

    @property
    def library(self) -> Path:
        """The arm64 libLiteRt.so."""
        return self.folder / "lib/ai_edge_litert/libLiteRt.so"

    @property
    def runner(self) -> Path:
        """The arm64 runner."""
        return self.folder / "bin/runner"

    @property
    def counter(self) -> Path:
        """QEMU's plugin."""
        return self.folder / "bin/count.so"

    def symbols(self) -> list[SymbolTable]:
        """Return the names of the functions in LiteRT's libraries."""
        return [SymbolTable.load(path) for path in sorted(self.folder.glob("lib/*.symbols.json"))]

    def bundle(self) -> dict[str, Path]:
        """Return what a machine without glibc needs to run the runner, by file name.

        It runs as `./ld-linux-aarch64.so.1 --library-path . ./runner --library ./libLiteRt.so ...`.

        Raises:
            DeviceError: the set-up has no runner.
        """
        if self.engine != "runner":
            raise DeviceError(
                "this set-up of the emulator has no C runner. Install gcc-aarch64-linux-gnu, then "
                f"{AGAIN}"
            )
        files = {name: self.folder / "root/lib" / name for name in steps.LIBRARIES}
        return files | {"libLiteRt.so": self.library, "runner": self.runner}


def default_folder() -> Path:
    """Return the cache folder's part for the emulator."""
    return cache_folder() / "emulator"


def find_emulator(folder: Path | None = None) -> Emulator:
    """Return the emulator as it was set up.

    Args:
        folder: where; None for the cache folder.

    Raises:
        DeviceError: it is not set up, or files of it are missing or changed, or were made by
            another version of this package, of LiteRT or of QEMU.
    """
    folder = folder or default_folder()
    qemu, version, cores = _qemu()
    try:
        stamp = json.loads((folder / "stamp.json").read_bytes())
    except (OSError, ValueError):
        raise DeviceError(f"the emulator is not set up in {folder}. To do so, {AGAIN}") from None
    for key, value in _made_from(version).items():
        if stamp.get(key) != value:
            raise DeviceError(
                f"the emulator in {folder} was set up for {key} {stamp.get(key)}; here it is "
                f"{value}. To set it up again, {AGAIN}"
            )
    for name, checksum in stamp["files"].items():
        path = folder / name
        if not path.is_file() or _checksum(path) != checksum:
            raise DeviceError(
                f"{path} is missing or was changed since the set-up. To set it up again, {AGAIN}"
            )
    return Emulator(folder, stamp["engine"], stamp["counts"], qemu, version, cores, stamp["litert"])


def setup_emulator(
    folder: str | Path | None = None, engine: str | None = None, progress: bool = True
) -> Emulator:
    """Set up the emulator; quick when that was done before.

    Nothing is installed in the system and no rights are needed: packages are downloaded from the
    machine's own package sources and unpacked in the folder.

    Args:
        folder: where; None for the cache folder.
        engine: "runner" to measure by the C runner, which needs gcc-aarch64-linux-gnu; "worker" to
            measure by worker.py in an emulated Python, which starts in seconds and needs
            mmdebstrap; None for the runner where its compiler is, else the worker.
        progress: whether to draw a progress bar.

    Returns:
        The emulator.

    Raises:
        ValueError: unknown engine.
        ToolMissing: a program is missing; the message names its package.
        DeviceError: a download or a build failed.
    """
    if engine not in (None, *ENGINES):
        raise ValueError(f"{engine=} is unknown; allowed are {', '.join(ENGINES)}, or None")
    folder = Path(folder or default_folder())
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two set-ups at once would spoil each other's files
        return _set_up(folder, engine, progress)


def _set_up(folder: Path, engine: str | None, progress: bool) -> Emulator:
    """Set up what is missing or was made from other versions."""
    try:
        emulator = find_emulator(folder)
        if engine in (None, emulator.engine):
            return emulator
    except ToolMissing:
        raise
    except DeviceError:
        pass
    qemu, version, cores = _qemu()
    engine = engine or ("runner" if shutil.which(COMPILERS["aarch64"][0]) else "worker")
    if engine == "runner":
        find_tool(*COMPILERS["aarch64"], "builds the ARM runner")
    else:
        other_way = "or install gcc-aarch64-linux-gnu, which needs no ARM Python and is faster"
        find_tool("mmdebstrap", "mmdebstrap", f"unpacks an ARM Python ({other_way})")
    counts, litert = _takes_plugins(qemu), _litert_version()

    if not counts:
        warnings.warn(
            f"QEMU {version} here takes no plugins of version 1: models will run, and their "
            "outputs be compared, but instructions not be counted",
            stacklevel=3,
        )

    # What an older set-up made from other versions is removed; downloads stay.
    plan = _made_from(version) | {"engine": engine}
    _start_over_unless(folder, plan)
    todo = _steps(folder, engine, litert, counts)
    with _progress(progress, len(todo)) as show:
        for title, step in todo:
            show(title)
            step()
        show("done")
    stamp = plan | {"counts": counts, "files": _checksums(folder)}
    write_whole(folder / "stamp.json", (json.dumps(stamp, indent=1) + "\n").encode())
    return Emulator(folder, engine, counts, qemu, version, cores, litert)


def _steps(
    folder: Path, engine: str, litert: str, counts: bool
) -> list[tuple[str, Callable[[], None]]]:
    """Return the steps of a set-up: what each makes, in words, and the function that makes it."""
    if engine == "runner":
        todo = [
            ("ARM libraries", lambda: steps.make_cross_root(folder)),
            (f"LiteRT {litert} for ARM", lambda: steps.make_litert(folder, litert)),
            ("runner", lambda: steps.make_runner(folder)),
        ]
    else:
        todo = [
            ("ARM root with Python", lambda: steps.make_python_root(folder)),
            (f"LiteRT {litert} and numpy for ARM", lambda: steps.make_wheels(folder, litert)),
        ]
    if counts:
        todo.append(("instruction counter", lambda: steps.make_counter(folder)))
    return [*todo, ("cores", lambda: steps.make_core_roots(folder))]


def _made_from(qemu_version: str) -> dict[str, object]:
    """Return what a set-up depends on, as the stamp has it."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    return {
        "version": VERSION,
        "litert": _litert_version(),
        "qemu": qemu_version,
        "sources": hashlib.sha256(sources).hexdigest()[:12],
    }


def _start_over_unless(folder: Path, plan: dict[str, object]) -> None:
    """Remove what an earlier set-up made, unless it followed the same plan and was cut off."""
    path = folder / "plan.json"
    try:
        same = json.loads(path.read_bytes()) == plan
    except (OSError, ValueError):
        same = False
    # With a stamp the set-up was finished, and found to be damaged.
    if same and not (folder / "stamp.json").is_file():
        return
    (folder / "stamp.json").unlink(missing_ok=True)
    for part in ("root", "lib", "bin", "cores"):
        shutil.rmtree(folder / part, ignore_errors=True)
    write_whole(path, json.dumps(plan).encode())


def _qemu() -> tuple[str, str, tuple[str, ...]]:
    """Return QEMU's program, version and cores."""
    qemu = find_tool("qemu-aarch64", "qemu-user", "runs ARM programs")
    words = _output(qemu, "--version").split()
    version = words[words.index("version") + 1] if "version" in words[:-1] else "unknown"
    return qemu, version, tuple(_output(qemu, "-cpu", "help").split()[2:])


def _takes_plugins(qemu: str) -> bool:
    """Tell whether this QEMU loads our counter: some packages are built without plugins.

    QEMU loads plugins before it looks for the program, so that no program is needed.
    """
    if "-plugin" not in _output(qemu, "--help"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        plugin = f"{build_counter()},out={folder}/counts"
        said = _output(qemu, "-plugin", plugin, f"{folder}/none")
    return "plugin" not in said.lower()


def _output(*command: str) -> str:
    completed = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False
    )
    return completed.stdout + completed.stderr


def _litert_version() -> str:
    """Return the version of this machine's LiteRT, which the ARM one must have too."""
    try:
        return metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        raise DeviceError(
            "ai-edge-litert is not installed here. Run: pip install ai-edge-litert"
        ) from None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checksums(folder: Path) -> dict[str, str]:
    """Return the checksums of the files that runs use, by their path in the folder."""
    files = [folder / "root/lib" / name for name in steps.LIBRARIES]
    files += [path for path in sorted((folder / "lib").rglob("*.so*")) if path.is_file()]
    files += sorted((folder / "lib").glob("*.symbols.json")) + sorted((folder / "bin").glob("*"))
    files += sorted((folder / "cores").rglob("cpuinfo"))
    names = [str(path.relative_to(folder)) for path in files if path.is_file()]
    return {name: _checksum(folder / name) for name in names}


@contextmanager
def _progress(shown: bool, count: int) -> Iterator[Callable[[str], None]]:
    """Draw a bar of steps on standard error; yield a function that names the next one."""
    if not shown:
        yield lambda title: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Setting up the emulator"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn(), TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=count, completed=-1)

        def show(title: str) -> None:
            progress.update(task, advance=1, description=title)

        yield show
