"""The part of the benchmark that runs on the device: one file, numpy and LiteRT only.

As a script, ``python worker.py OPTIONS.json`` measures the models named in the options, and
``python worker.py --facts`` tells about the machine alone. Either writes one JSON document to
standard output; everything else that the process prints goes to standard error. As a module it
has `Options`, `open_interpreter` and `delegation`. It is copied to boards by itself, so it imports
nothing of its package and runs on Python 3.9 and newer.

The document:

    {"facts":  {"os", "cpu", "core", "runtime", "python", "num_threads", "affinity_mask"},
     "before": {"governor", "frequencies_mhz", "temperatures_c"},   "after": the same,
     "models": [{"init_us", "first_us", "warmup_us": [...], "sessions_us": [[...], ...],
                 "memory_init_mb", "memory_peak_mb",
                 "nodes", "delegated_nodes", "partitions", "not_delegated": [...],
                 "inputs": [...], "outputs": [{"name", "shape", "dtype", "sha256"}]}]}

or ``{"error": "one line", "device_at_fault": bool}`` with exit code 3. Times are whole microseconds
in the order they were taken; the two memory figures are null where several models share the
process.

The options file holds "models" (paths) and any of the fields of `Options`. The run loops, their
defaults and the random inputs are those of TensorFlow Lite's `benchmark_model`.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import hashlib
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Elsewhere numpy is imported where it is used: `--help` reads the options below, at once.
    import numpy as np

RUNTIMES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite.python.interpreter",
)

# Arm's "CPU part" numbers of the cores that phones and boards of the last decade carry.
ARM_CORES = {
    0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57",
    0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77", 0xD40: "Neoverse-V1", 0xD41: "Cortex-A78",
    0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710", 0xD48: "Cortex-X2",
    0xD49: "Neoverse-N2", 0xD4B: "Cortex-A78C", 0xD4D: "Cortex-A715", 0xD4E: "Cortex-X3",
    0xD80: "Cortex-A520", 0xD81: "Cortex-A720", 0xD82: "Cortex-X4", 0xD85: "Cortex-X925",
}  # fmt: skip


# --- Options --------------------------------------------------------------------------------


def option(default: Any, meaning: str, least: float | None = None) -> Any:
    """Return a field of `Options`: its default, its meaning for `--help`, its least value."""
    return field(default=default, metadata={"help": meaning, "least": least})


@dataclass(frozen=True)
class Options:
    """How to measure; names, meaning and defaults are those of `benchmark_model`.

    A run loop goes on while (its runs are fewer than `num_runs` or it has lasted less than
    `min_secs`) and it has not lasted more than `max_secs`. Inputs are random: floats in -0.5..0.5,
    int8 -127..127, uint8 0..254. Each session has a median; two or more have intervals as well.

    Raises:
        ValueError: a value is out of its range.
    """

    num_threads: int = option(1, "threads of the CPU kernels", 1)
    use_xnnpack: bool = option(True, "whether the XNNPACK delegate may take part of the graph")
    num_runs: int = option(50, "least number of measured inferences per session", 1)
    min_secs: float = option(1.0, "least seconds per session", 0)
    max_secs: float = option(150.0, "seconds after which a session, or the warm-up, always ends")
    warmup_runs: int = option(1, "least number of warm-up inferences", 0)
    warmup_min_secs: float = option(0.5, "least seconds of warm-up", 0)
    run_delay: float = option(-1.0, "seconds of sleep between inferences; -1 for none")
    sessions: int = option(
        1, "how often the loop is repeated; models take turns within each session", 1
    )
    session_pause: float = option(
        0.0, "seconds of sleep between sessions, for the device to cool", 0
    )
    input_range: tuple[float, float] | None = option(
        None, "range of the random inputs in place of the type's own"
    )
    input_files: Sequence[str] = option(
        (), "a .npy or raw file in place of random input, one per input"
    )
    seed: int = option(0, "seed of the random inputs", 0)
    affinity: str | None = option(
        None, '"big" (the CPUs with the highest maximum frequency) or a mask such as 0xf0'
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            least, value = item.metadata["least"], getattr(self, item.name)
            self._check(item.name, least is None or value >= least, f"{least} or more")
        self._check("max_secs", self.max_secs > 0, "more than 0")
        self._check("run_delay", self.run_delay >= 0 or self.run_delay == -1, "-1 or 0 or more")
        self._check("seed", self.seed < 2**32, "0 to 2**32 - 1")
        if self.input_range is not None:
            fits = len(self.input_range) == 2 and self.input_range[0] <= self.input_range[1]
            self._check("input_range", fits, "(low, high) with low <= high")
        if self.affinity not in (None, "big"):
            self._check("affinity", _is_mask(self.affinity), '"big" or a mask such as "0xf0"')

    def _check(self, name: str, right: bool, allowed: str) -> None:
        if not right:
            value = getattr(self, name)
            raise ValueError(f"{name}={value!r} is out of range; allowed is {allowed}")


def requested_options(request: dict, *others: str) -> Options:
    """Return the options that a request names; those that it leaves out have their defaults.

    Args:
        request: fields of `Options` in JSON's types, beside other keys.
        *others: the other keys that are allowed.

    Raises:
        ValueError: a key is unknown, or an option is out of its range.
    """
    known = [item.name for item in fields(Options)]
    unknown = sorted(set(request) - {*known, *others})
    if unknown:
        allowed = ", ".join([*known, *others])
        raise ValueError(f"options {', '.join(unknown)} are unknown; allowed are {allowed}")
    return Options(**{name: request[name] for name in known if name in request})


def _is_mask(text: str) -> bool:
    try:
        return int(text, 16) > 0
    except (TypeError, ValueError):
        return False


# --- Opening a model ------------------------------------------------------------------------


def load_runtime() -> ModuleType:
    """Return the first LiteRT interpreter module that this Python has.

    Raises:
        ImportError: none of `RUNTIMES` is installed.
    """
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError(
        "no LiteRT runtime in this Python. Run: pip install ai-edge-litert (or tflite-runtime)"
    )


def check_identifier(name: str | os.PathLike, head: bytes) -> None:
    """Refuse content that is no TFLite file.

    Args:
        name: what to call it in the message.
        head: its first 8 bytes.

    Raises:
        ValueError: it does not carry TFLite's identifier.
    """
    if head[4:8] != b"TFL3":
        raise ValueError(
            f"{name} is not a TFLite model: it starts with {head!r}, "
            "where b'TFL3' is expected after four bytes"
        )


def open_interpreter(
    model: str | os.PathLike | bytes,
    num_threads: int = 1,
    use_xnnpack: bool = True,
    preserve_all_tensors: bool = False,
) -> Any:
    """Open a `.tflite` model with its tensors allocated.

    Args:
        model: path of the file, or its content as bytes.
        num_threads: threads of the CPU kernels, 1 or more.
        use_xnnpack: whether the runtime's default delegate may take part of the graph.
        preserve_all_tensors: keep intermediate tensors readable (LiteRT's debugging aid).

    Returns:
        An `Interpreter` of the first runtime found among `RUNTIMES`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the content is no TFLite model, is cut, or needs an op that the runtime lacks.
    """
    if isinstance(model, bytes):
        name, head, source = "model content", model[:8], {"model_content": model}
    else:
        name = os.fspath(model)
        with open(name, "rb") as file:
            head = file.read(8)
        source = {"model_path": name}
    check_identifier(name, head)
    runtime = load_runtime()
    resolver = runtime.OpResolverType.AUTO
    if not use_xnnpack:
        resolver = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    options = {"experimental_preserve_all_tensors": True} if preserve_all_tensors else {}
    try:
        interpreter = runtime.Interpreter(
            **source,
            num_threads=num_threads,
            experimental_op_resolver_type=resolver,
            **options,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise ValueError(f"{name}: LiteRT cannot open this model: {reason}") from error
    return interpreter


def delegation(interpreter: Any) -> dict[str, Any]:
    """Count the ops of the main graph that the delegate runs.

    The interpreter lists the model's own ops and, after them, one "DELEGATE" op for each partition,
    whose inputs and outputs bound it; an op belongs to a partition when walking back from the
    partition's outputs reaches it before reaching the partition's inputs.

    Args:
        interpreter: an interpreter with allocated tensors.

    Returns:
        A dict of `nodes` (the model's ops), `delegated_nodes`, `partitions`, and `not_delegated`
        (the names of the ops left to LiteRT's own kernels, in the order of the graph).
    """
    nodes, left, partitions = _split_by_delegate(interpreter)
    return {
        "nodes": len(nodes),
        "delegated_nodes": len(nodes) - len(left),
        "partitions": partitions,
        "not_delegated": [op["op_name"] for op in left],
    }


def outside_delegate(interpreter: Any) -> list[tuple[str, str]]:
    """List the ops of the main graph that LiteRT's own kernels run.

    Args:
        interpreter: an interpreter with allocated tensors.

    Returns:
        (name of the op, name of its first output tensor), in the order of the graph.
    """
    _, left, _ = _split_by_delegate(interpreter)
    names = {detail["index"]: detail["name"] for detail in interpreter.get_tensor_details()}
    return [(op["op_name"], names.get(int(op["outputs"][0]), "")) for op in left]


def _split_by_delegate(interpreter: Any) -> tuple[list[dict], list[dict], int]:
    """Return the graph's ops, those of them outside the delegate, and the number of partitions."""
    ops = interpreter._get_ops_details()
    partitions = [op for op in ops if op["op_name"] == "DELEGATE"]
    nodes = [op for op in ops if op["op_name"] != "DELEGATE"]
    producer = {int(tensor): op["index"] for op in nodes for tensor in op["outputs"]}
    inputs_of = {op["index"]: [int(tensor) for tensor in op["inputs"]] for op in nodes}
    delegated = set()
    for partition in partitions:
        seen = {int(tensor) for tensor in partition["inputs"]}
        waiting = [int(tensor) for tensor in partition["outputs"]]
        while waiting:
            tensor = waiting.pop()
            if tensor in seen or tensor not in producer:
                continue
            seen.add(tensor)
            delegated.add(producer[tensor])
            waiting += inputs_of[producer[tensor]]
    return nodes, [op for op in nodes if op["index"] not in delegated], len(partitions)


# --- Inputs ---------------------------------------------------------------------------------


def random_input(
    detail: dict, random: np.random.RandomState, value_range: Sequence[float] | None = None
) -> np.ndarray:
    """Make one input tensor as `benchmark_model` does, from a seeded generator.

    Args:
        detail: one entry of `interpreter.get_input_details()`.
        random: a `numpy.random.RandomState` (its stream is the same on every platform).
        value_range: (low, high), both inclusive for integers; None for `benchmark_model`'s own:
            floats uniform in -0.5..0.5, int8 -127..127, uint8 0..254, other integers 0..99.
    """
    import numpy as np

    dtype, shape = np.dtype(detail["dtype"]), tuple(detail["shape"])
    if dtype == np.bool_:
        return random.randint(0, 2, shape).astype(dtype)
    if dtype.kind == "f":
        low, high = value_range or (-0.5, 0.5)
        return random.uniform(low, high, shape).astype(dtype)
    if dtype.kind not in "iu":
        raise ValueError(
            f"input {detail['name']!r} has type {dtype}, which has no random values; allowed are "
            "float, integer and bool. Give it by input_files"
        )
    low, high = value_range or {"int8": (-127, 127), "uint8": (0, 254)}.get(dtype.name, (0, 99))
    limits = np.iinfo(dtype)
    if low < limits.min or high > limits.max:
        raise ValueError(
            f"input_range={low}..{high} does not fit {dtype} of input {detail['name']!r}; "
            f"allowed is {limits.min} to {limits.max}"
        )
    return random.randint(int(low), int(high) + 1, shape).astype(dtype)


def read_input(path: str, detail: dict) -> np.ndarray:
    """Read one input tensor from a `.npy` file, or from a file of raw values of the input's type.

    A `.npy` array may leave out the leading batch dimension of 1. Type and shape must agree.
    """
    import numpy as np

    dtype, shape = np.dtype(detail["dtype"]), tuple(int(n) for n in detail["shape"])
    if str(path).endswith(".npy"):
        values = np.load(path, allow_pickle=False)
        if values.dtype != dtype:
            raise ValueError(
                f"{path} holds {values.dtype}, which does not fit input {detail['name']!r}; "
                f"allowed is {dtype}"
            )
        if values.shape == shape[1:] and shape[0] == 1:
            values = values[None]
        if values.shape != shape:
            raise ValueError(
                f"{path} has shape {values.shape}, which does not fit input {detail['name']!r}; "
                f"allowed is {shape}"
            )
        return values
    with open(path, "rb") as file:
        content = file.read()
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(
            f"{path} holds {len(content)} bytes, which does not fit input {detail['name']!r}; "
            f"allowed is {expected} ({dtype}, shape {shape})"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def make_inputs(interpreter: Any, options: Options) -> list[np.ndarray]:
    """Make the input tensors that the options ask for: files in order, or random values."""
    import numpy as np

    details = interpreter.get_input_details()
    files = options.input_files
    if files and len(files) != len(details):
        names = [detail["name"] for detail in details]
        raise ValueError(
            f"{len(files)} input files do not fit {len(details)} inputs; allowed is one for each "
            f"of {names}, in this order"
        )
    if files:
        return [read_input(files[i], details[i]) for i in range(len(details))]
    random = np.random.RandomState(options.seed)
    return [random_input(detail, random, options.input_range) for detail in details]


# --- Measuring ------------------------------------------------------------------------------


class Run:
    """One opened model with its inputs, and the times measured so far."""

    def __init__(self, path: str, options: Options) -> None:
        self.path = path
        start = time.perf_counter_ns()
        self.interpreter = open_interpreter(
            path, num_threads=options.num_threads, use_xnnpack=options.use_xnnpack
        )
        self.init_us = (time.perf_counter_ns() - start) // 1000
        self.delay = options.run_delay
        self.inputs = make_inputs(self.interpreter, options)
        self.input_details = self.interpreter.get_input_details()
        self.warmup_us = []
        self.sessions_us = []

    def invoke(self) -> int:
        """Run one inference on fresh inputs and return its time in whole microseconds."""
        # The arena may reuse an input's memory for later tensors, so inputs are set every time.
        for i, detail in enumerate(self.input_details):
            self.interpreter.set_tensor(detail["index"], self.inputs[i])
        start = time.perf_counter_ns()
        self.interpreter.invoke()
        return (time.perf_counter_ns() - start) // 1000

    def loop(self, runs: int, min_secs: float, max_secs: float) -> list[int]:
        """Run until both `runs` and `min_secs` are reached, or `max_secs` has passed."""
        times = []
        start = now = time.perf_counter()
        while (len(times) < runs or now - start < min_secs) and now - start <= max_secs:
            times.append(self.invoke())
            if self.delay > 0:
                time.sleep(self.delay)
            now = time.perf_counter()
        return times

    def report(self) -> dict[str, Any]:
        """Return this model's part of the document."""
        document = {
            "init_us": self.init_us,
            "first_us": (self.warmup_us or self.sessions_us[0])[0],
            "warmup_us": self.warmup_us,
            "sessions_us": self.sessions_us,
            "inputs": [describe(detail) for detail in self.input_details],
            "outputs": [],
        }
        document.update(delegation(self.interpreter))
        for detail in self.interpreter.get_output_details():
            values = self.interpreter.get_tensor(detail["index"])
            digest = hashlib.sha256(values.tobytes()).hexdigest()
            document["outputs"].append(dict(describe(detail), sha256=digest))
        return document


def describe(detail: dict) -> dict[str, Any]:
    """Return name, shape and type of a tensor in JSON's types."""
    import numpy as np

    return {
        "name": str(detail["name"]),
        "shape": [int(n) for n in detail["shape"]],
        "dtype": np.dtype(detail["dtype"]).name,
    }


def measure(request: dict) -> dict[str, Any]:
    """Measure the models of `request["models"]` (paths), interleaved when there are several.

    Every session measures every model once, in an order that turns by one from session to session,
    so that a drift of the machine's speed meets all models alike.

    Args:
        request: "models" and any of the fields of `Options`.

    Returns:
        The document described at the top of this file.

    Raises:
        ValueError: an option is unknown or out of its range, or a model cannot be opened.
    """
    options = requested_options(request, "models")
    set_affinity(options.affinity)
    runtime = load_runtime()
    base = forget_peak_memory()
    before = read_state()

    runs, init_memory = [], None
    for path in request["models"]:
        runs.append(Run(path, options))
        init_memory = peak_memory_mb()
    for run in runs:
        run.warmup_us = run.loop(options.warmup_runs, options.warmup_min_secs, options.max_secs)
    for session in range(options.sessions):
        if session and options.session_pause > 0:
            time.sleep(options.session_pause)
        turn = session % len(runs)
        for run in runs[turn:] + runs[:turn]:
            run.sessions_us.append(run.loop(options.num_runs, options.min_secs, options.max_secs))

    peak_memory = peak_memory_mb()
    alone = len(runs) == 1 and base is not None
    reports = [run.report() for run in runs]
    for report in reports:
        report["memory_init_mb"] = round(init_memory - base, 3) if alone else None
        report["memory_peak_mb"] = round(peak_memory - base, 3) if alone else None
    facts = machine_facts()
    facts["runtime"] = runtime_version(runtime)
    facts["num_threads"] = options.num_threads
    return {"facts": facts, "before": before, "after": read_state(), "models": reports}


# --- Memory ---------------------------------------------------------------------------------


def peak_memory_mb() -> float | None:
    """Return the process's maximum resident set in MB (10^6 bytes), or None where unknown."""
    # Not getrusage: its maximum outlives exec, so that a large parent process hides the growth.
    for line in (read_text("/proc/self/status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def forget_peak_memory() -> float | None:
    """Set the maximum resident set back to the present one where the kernel allows, and read it."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return peak_memory_mb()


# --- Facts about the machine ----------------------------------------------------------------


def read_text(path: str) -> str | None:
    """Return the stripped text of a file, or None when it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read().strip().strip("\0")
    except OSError:
        return None


def cpu_numbers() -> list[int]:
    """Return the numbers of this machine's CPUs that have a folder in /sys."""
    folders = glob.glob("/sys/devices/system/cpu/cpu[0-9]*")
    return sorted(int(os.path.basename(folder)[3:]) for folder in folders)


def read_state() -> dict[str, Any]:
    """Read governor, frequencies and temperatures, each None or empty where unreadable.

    Returns:
        A dict of `governor` (one name, or several joined by "+"), `frequencies_mhz` by CPU number,
        and `temperatures_c` by thermal zone.
    """
    governors, frequencies, temperatures = [], {}, {}
    for cpu in cpu_numbers():
        folder = f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/"
        governor = read_text(folder + "scaling_governor")
        if governor and governor not in governors:
            governors.append(governor)
        frequency = read_text(folder + "scaling_cur_freq")
        if frequency and frequency.isdigit():
            frequencies[str(cpu)] = int(frequency) // 1000
    for folder in sorted(glob.glob("/sys/class/thermal/thermal_zone[0-9]*")):
        value = read_text(folder + "/temp")
        if value and value.lstrip("-").isdigit():
            zone = os.path.basename(folder)[len("thermal_zone") :]
            name = f"{zone}:{read_text(folder + '/type') or 'unknown'}"
            temperatures[name] = int(value) / 1000
    return {
        "governor": "+".join(governors) or None,
        "frequencies_mhz": frequencies,
        "temperatures_c": temperatures,
    }


def big_cores() -> list[int]:
    """Return the CPUs with the highest `cpuinfo_max_freq`; all CPUs where no CPU has that file."""
    speeds = {}
    for cpu in cpu_numbers():
        speed = read_text(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq")
        if speed and speed.isdigit():
            speeds[cpu] = int(speed)
    if not speeds:
        return sorted(os.sched_getaffinity(0))
    return [cpu for cpu in speeds if speeds[cpu] == max(speeds.values())]


def set_affinity(affinity: str | None) -> None:
    """Bind the process, and the threads it will start, to "big" cores or to a hexadecimal mask."""
    if affinity is None:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise ValueError(
            f"affinity={affinity!r} is not possible on {platform.system()}; allowed is None"
        )
    if affinity == "big":
        cpus = big_cores()
    else:
        mask = int(affinity, 16)
        cpus = [cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1]
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        present = cpu_numbers()
        raise ValueError(
            f"affinity={affinity!r} does not fit CPUs; allowed are {present} ({error})"
        ) from error


def affinity_mask() -> str | None:
    """Return the hexadecimal mask of the CPUs that the process may use, or None."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return hex(sum(1 << cpu for cpu in os.sched_getaffinity(0)))


def core_name(cpuinfo: str) -> str | None:
    """Name the cores of /proc/cpuinfo, as "4x Cortex-A55 + 4x Cortex-A76" or x86's model name."""
    counts = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if key == "CPU part" and value.startswith("0x"):
            name = ARM_CORES.get(int(value, 16), f"Arm part {value}")
        elif key == "model name" and "Processor rev" not in value:
            name = value
        else:
            continue
        counts[name] = counts.get(name, 0) + 1
    return " + ".join(f"{count}x {name}" for name, count in counts.items()) or None


def machine_facts() -> dict[str, Any]:
    """Return what stays the same during a run: system, CPU, cores, Python, affinity."""
    system = platform.platform()
    for line in (read_text("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            system = line.partition("=")[2].strip('"') + " (" + platform.platform() + ")"
    board = read_text("/proc/device-tree/model")
    return {
        "os": system,
        "cpu": board or platform.machine(),
        "architecture": platform.machine(),
        "core": core_name(read_text("/proc/cpuinfo") or ""),
        "python": platform.python_version(),
        "affinity_mask": affinity_mask(),
    }


def runtime_version(runtime: ModuleType) -> str:
    """Name the runtime and its version, such as "ai-edge-litert 2.3.0"."""
    from importlib import metadata

    package = runtime.__name__.partition(".")[0].replace("_", "-")
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} (unknown version)"


# --- Script ---------------------------------------------------------------------------------


def end_with_parent() -> None:
    """Let Linux kill this process when its parent dies, so that nothing outlives a lost run."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def read_request(path: str) -> dict[str, Any]:
    """Return what a file asks for."""
    with open(path) as file:
        return json.load(file)


def answer(work: Callable[[], dict[str, Any]]) -> int:
    """Do the work of a script and print its document; return the exit code.

    Args:
        work: returns the document; errors that it raises for a bad model or option become the
            document.
    """
    end_with_parent()
    # Native code may print at any time: only the document goes to the real standard output.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        document = work()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        document = {
            "error": " ".join(str(error).split()),
            "device_at_fault": isinstance(error, (ImportError, OSError)),
        }
    with output:
        json.dump(document, output)
        output.write("\n")
    return 3 if "error" in document else 0


def main(arguments: Sequence[str]) -> int:
    """Run the script: measure, or tell the facts; return the exit code."""
    if len(arguments) != 1:
        print("usage: python worker.py OPTIONS.json | --facts", file=sys.stderr)
        return 2
    if arguments[0] == "--facts":
        return answer(lambda: {"facts": dict(machine_facts(), **read_state())})
    return answer(lambda: measure(read_request(arguments[0])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
