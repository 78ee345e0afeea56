"""An Android phone, through the `adb` client."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from android_bench.devices.device import (
    Completed,
    ConnectionLost,
    Device,
    DeviceError,
    last_line,
    read_document,
)
from android_bench.devices.local import run_local
from android_bench.devices.phone import SCRIPT, Phone, parse_phone
from android_bench.devices.shell import RemoteFolder, guarded, unguarded
from android_bench.engines import c_runner as runner
from android_bench.engines.bundle import LOADERS, bundle
from android_bench.engines.native_output import NativeOutput, parse_native_output
from android_bench.statistics import Summary

FOLDER = "/data/local/tmp"
SECONDS = 30  # for anything but a measurement or a copy

# A state that `adb devices` shows, and the way out of it.
_STATES = {
    "unauthorized": "unlock the phone and allow USB debugging for this computer",
    "authorizing": "unlock the phone and allow USB debugging for this computer",
    "offline": "reconnect the cable, or run: adb reconnect offline",
    "no permissions": "allow this user to use the USB device (udev rules, group plugdev)",
    "bootloader": "let the phone start Android",
    "recovery": "let the phone start Android",
    "sideload": "let the phone start Android",
}


class ADB(Device):
    """A phone with USB or network debugging.

    It is measured by `benchmark_binary`, or else by our C runner, which is sent along with glibc
    and LiteRT's library (11 MB), since phones have neither Python nor glibc.

    Args:
        serial: as `adb devices` lists it; None for $ANDROID_SERIAL, or the only device.
        adb: the client; None to look for it on PATH and in $ANDROID_HOME/platform-tools.
        benchmark_binary: a `benchmark_model` for the phone, TensorFlow Lite's or LiteRT's.
        allow_hot: measure on a hot phone, too.

    Raises:
        FileNotFoundError: no such `benchmark_binary`.
        DeviceError: no client, no device, several devices without a serial, a device that is not
            ready, or a hot one.
    """

    def __init__(
        self,
        serial: str | None = None,
        *,
        adb: str | Path | None = None,
        benchmark_binary: str | Path | None = None,
        allow_hot: bool = False,
    ) -> None:
        self.benchmark_binary = Path(benchmark_binary) if benchmark_binary else None
        if self.benchmark_binary and not self.benchmark_binary.is_file():
            raise FileNotFoundError(f"no such benchmark binary: {benchmark_binary}")
        self.name = f"adb:{serial}" if serial else "adb"
        self._adb = find_adb(adb)
        listed = run_local([self._adb, "devices"], SECONDS, self.name)
        if listed.returncode:
            raise DeviceError(
                f"{self.name}: the adb server does not start: run 'adb kill-server' and try again"
                f"{last_line(listed.stderr)}"
            )
        devices = parse_devices(listed.stdout)
        self._serial = choose_device(devices, serial or os.environ.get("ANDROID_SERIAL"))
        self.name = f"adb:{self._serial}"
        self._folder = RemoteFolder(self._shell, FOLDER, SECONDS, self.name, self._explain)
        try:
            self.phone = self._read_phone()
            if self.phone.hot_zones() and not allow_hot:
                zones = ", ".join(f"{k} {v:g} °C" for k, v in self.phone.hot_zones().items())
                raise DeviceError(
                    f"{self.name}: the phone is hot ({zones}), so that it would slow down: "
                    "let it cool, or pass --allow-hot"
                )
        except BaseException:  # Ctrl-C too must not leave the session's folder there
            self.close()
            raise

    def push(self, local: Path, name: str) -> str:
        """Copy a file into the session's folder."""
        remote = f"{self._folder.path}/{name}"
        self._copy("push", str(Path(local).resolve()), remote, str(local))
        return remote

    def run(self, command: Sequence[str], timeout: float) -> Completed:
        """Run a command in the session's folder; it ends when the connection does."""
        line = guarded(command, self._folder.path)
        completed = run_local(self._shell(line), timeout, self.name)
        ended = unguarded(completed)
        if ended is None:
            raise ConnectionLost(
                f"{self.name}: the phone was unplugged or the connection lost: check the cable, "
                f"and run again{last_line(completed.stderr)}"
            )
        return ended

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file from the phone."""
        self._copy("pull", remote, str(Path(local).resolve()), remote)
        return Path(local)

    def facts(self) -> dict[str, Any]:
        """Return the phone's facts, frequencies and temperatures."""
        phone = self._read_phone()
        return phone.facts | phone.state

    def close(self) -> None:
        """Let the phone remove the session's folder, if it still answers."""
        self._folder.close()

    def measure(
        self, models: Sequence[Path], options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Measure by the benchmark binary or by the runner; see `Device.measure`."""
        affinity = options["affinity"]
        if affinity == "big":
            affinity = self.phone.big_cores()
        options = options | {"affinity": affinity}
        before = self._read_phone()
        if self.benchmark_binary:
            document = self._by_binary(models, options, timeout)
        else:
            document = self._by_runner(models, options, timeout)
        facts = before.facts | {"affinity_mask": affinity} | document.pop("more_facts")
        after = self._read_phone().state
        return document | {"facts": facts, "before": before.state, "after": after}

    def _by_binary(
        self, models: Sequence[Path], options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Run benchmark_model once a model and session, the models taking turns."""
        if options["input_range"] or options["input_files"]:
            raise ValueError(
                "a benchmark binary makes its own inputs: leave out input_range and input_files"
            )
        binary = self._push_program(self.benchmark_binary, "benchmark_model")
        remote = [self.push(path, f"model{i}.tflite") for i, path in enumerate(models)]
        prefix = ["taskset", options["affinity"].removeprefix("0x")] if options["affinity"] else []
        outputs: list[list[NativeOutput]] = [[] for _ in models]
        for session in range(options["sessions"]):
            if session and options["session_pause"] > 0:
                self.run(["sleep", str(options["session_pause"])], options["session_pause"] + 60)
            for i in _turns(len(models), session):
                command = [*prefix, binary, *binary_arguments(remote[i], options)]
                completed = self.run(command, timeout)
                outputs[i].append(self._native(completed, models[i]))
        reports = [_native_report(output, alone=len(models) == 1) for output in outputs]
        return {"models": reports, "engine": "benchmark_model", "more_facts": {}}

    def _native(self, completed: Completed, model: Path) -> NativeOutput:
        said = completed.stdout + completed.stderr
        if completed.returncode:
            self._check_program(completed, "the benchmark binary")
            raise DeviceError(
                f"{self.name}: the benchmark binary ended with exit code {completed.returncode} "
                f"on {model.name}: see whether it runs there by hand{last_line(said)}"
            )
        try:
            return parse_native_output(said)
        except ValueError as error:
            raise DeviceError(
                f"{self.name}: the benchmark binary's output is cut or of another tool: {error}"
                f"{last_line(said)}"
            ) from None

    def _by_runner(
        self, models: Sequence[Path], options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Run our C runner on all models in one process."""
        files = bundle(self.phone.machine)
        loader = next(name for name in LOADERS.values() if name in files)
        with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
            prepared = runner.prepare(models, options, Path(folder), timeout)
            for name, path in files.items():
                self._push_program(path, name)
            words, outputs = [], []
            for i, model in enumerate(prepared):
                inputs = [self.push(p, f"model{i}_{p.name}") for p in model.inputs]
                here = [Path(folder, f"model{i}_output{k}") for k in range(len(model.expected))]
                outputs.append(here)
                there = [f"{self._folder.path}/{path.name}" for path in here]
                remote = self.push(model.model, f"model{i}.tflite")
                words += runner.model_arguments(remote, inputs, there)
            command = [f"./{loader}", "--library-path", ".", "./runner"]
            command += [*runner.arguments(options, "./libLiteRt.so"), *words]
            completed = self.run(command, timeout)
            self._check_program(completed, "the bundled runner")
            document = read_document(completed, self.name)
            if "error" in document:
                message = document["error"]
                for i, path in enumerate(models):
                    message = message.replace(f"{self._folder.path}/model{i}.tflite", str(path))
                raise ValueError(message)
            for path in (path for here in outputs for path in here):
                self.pull(f"{self._folder.path}/{path.name}", path)
            document = runner.complete(document, prepared, outputs)
        version = metadata.version("ai-edge-litert")  # whose library the bundle holds
        return document | {"more_facts": {"runtime": f"ai-edge-litert {version}"}}

    def _push_program(self, path: Path, name: str) -> str:
        remote = self.push(path, name)
        if self.run(["chmod", "755", remote], SECONDS).returncode:
            raise DeviceError(f"{self.name}: {path} cannot be made executable in {FOLDER}")
        return remote

    def _check_program(self, completed: Completed, what: str) -> None:
        said = completed.stdout + completed.stderr
        wrong = "not executable" in said or "xec format error" in said or "bad ELF" in said
        if wrong or completed.returncode in (126, 127):
            raise DeviceError(
                f"{self.name}: {what} cannot be executed on this {self.phone.machine} phone: "
                f"take one built for it{last_line(said)}"
            )

    def _read_phone(self) -> Phone:
        return parse_phone(self.run(["sh", "-c", SCRIPT], SECONDS).stdout)

    def _shell(self, line: str) -> list[str]:
        return [self._adb, "-s", self._serial, "shell", line]

    def _copy(self, verb: str, source: str, target: str, what: str) -> None:
        completed = run_local([self._adb, "-s", self._serial, verb, source, target], 600, self.name)
        if completed.returncode == 0:
            return
        self._explain(completed)
        raise DeviceError(
            f"{self.name}: {what} could not be copied: free some space in {FOLDER}"
            f"{last_line(completed.stdout + completed.stderr)}"
        )

    def _explain(self, completed: Completed) -> None:
        """Raise what fits when the phone is not there any more."""
        said = completed.stdout + completed.stderr
        if re.search(r"device '.*' not found|no devices|device offline|error: closed", said):
            raise ConnectionLost(
                f"{self.name}: the phone was unplugged or the connection lost: check the cable, "
                f"and run again{last_line(said)}"
            )


def find_adb(given: str | Path | None = None) -> str:
    """Return the adb client: the given one, or from PATH, or from $ANDROID_HOME/platform-tools.

    Raises:
        DeviceError: it is in none of these.
    """
    if given:
        found = shutil.which(str(given))
        if not found:
            raise DeviceError(f"adb: {str(given)!r} is no program: check --adb")
        return found
    folders = [os.environ.get(name) for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT")]
    for place in (None, *(str(Path(f, "platform-tools")) for f in folders if f)):
        found = shutil.which("adb", path=place)
        if found:
            return found
    raise DeviceError(
        "adb is missing: install the system's package 'adb' or Android's platform-tools, "
        "or give its path by --adb"
    )


def parse_devices(text: str) -> dict[str, str]:
    """Read `adb devices`: the state of each serial; notes of the adb server are skipped."""
    devices = {}
    for line in text.splitlines():
        serial, tab, state = line.strip().partition("\t")
        if tab and not serial.startswith("*"):
            devices[serial] = state.split(";")[0].split("(")[0].strip()
    return devices


def choose_device(devices: dict[str, str], serial: str | None) -> str:
    """Return the serial of the device to use.

    Args:
        devices: states by serial, as `parse_devices` gives them.
        serial: the wanted one; None if there is only one.

    Raises:
        DeviceError: none, several without a wanted one, or one that is not ready.
    """
    listed = ", ".join(f"{name} ({state})" for name, state in devices.items()) or "none"
    if not devices:
        raise DeviceError(
            "adb: no device: connect the phone and switch on USB debugging in its developer options"
        )
    if serial is None:
        if len(devices) > 1:
            raise DeviceError(f"adb: several devices, name one as adb:SERIAL: {listed}")
        serial = next(iter(devices))
    if serial not in devices:
        raise DeviceError(f"adb: no device {serial!r}; there are: {listed}")
    state = devices[serial]
    if state != "device":
        way_out = _STATES.get(state, "see what 'adb devices -l' says")
        raise DeviceError(f"adb:{serial}: the phone is {state}: {way_out}")
    return serial


def binary_arguments(model: str, options: dict[str, Any]) -> list[str]:
    """Return benchmark_model's arguments for one session of one model."""
    names = ("num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs", "warmup_min_secs",
             "run_delay")  # fmt: skip
    words = [f"--{name}={options[name]}" for name in names]
    return [f"--graph={model}", *words, f"--use_xnnpack={str(options['use_xnnpack']).lower()}"]


def _turns(models: int, session: int) -> list[int]:
    """Return the models' order in a session: turned by one from session to session."""
    return [(session + i) % models for i in range(models)]


def _native_report(outputs: Sequence[NativeOutput], alone: bool) -> dict[str, Any]:
    """Put what the tool said in each session into the worker's form."""
    first = outputs[0]
    summaries: list[Summary] = [output.summary for output in outputs]
    return {
        "init_us": first.init_us,
        "first_us": first.first_us,
        "warmup_us": [] if first.warmup_us is None else [first.warmup_us],
        "sessions_us": [],
        "summaries": summaries,
        "memory_init_mb": first.memory_init_mb if alone else None,
        "memory_peak_mb": first.memory_peak_mb if alone else None,
    }
