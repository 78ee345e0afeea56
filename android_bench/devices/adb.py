"""An Android phone, through the `adb` client."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench.devices.local import COPY_SECONDS, SECONDS, Completed, run_local
from android_bench.devices.phone import SCRIPT, Phone, parse_phone
from android_bench.devices.shell import RemoteFolder, guarded, unguarded
from android_bench.document import last_line
from android_bench.engines.benchmark_model import BenchmarkModel
from android_bench.engines.c_runner import CRunner
from android_bench.errors import ConnectionLost, DeviceError
from android_bench.interfaces import Device

FOLDER = "/data/local/tmp"

# A state that `adb devices` shows, and the way out of it.
_STATES = {
    "unauthorized": "Unlock the phone and allow USB debugging for this computer",
    "authorizing": "Unlock the phone and allow USB debugging for this computer",
    "offline": "Reconnect the cable, or run: adb reconnect offline",
    "no permissions": "Allow this user to use the USB device (udev rules, group plugdev)",
    "bootloader": "Let the phone start Android",
    "recovery": "Let the phone start Android",
    "sideload": "Let the phone start Android",
}


class ADB(Device):
    """A phone with USB or network debugging.

    Args:
        serial: as `adb devices` lists it; None for $ANDROID_SERIAL, or the only device.
        adb: the client; None to look for it on PATH and in $ANDROID_HOME/platform-tools.
        benchmark_binary: a `benchmark_model` for the phone, TensorFlow Lite's or LiteRT's, to
            measure with; None for our C runner.
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
        if benchmark_binary and not Path(benchmark_binary).is_file():
            raise FileNotFoundError(f"there is no benchmark binary {benchmark_binary}")
        self.engine = BenchmarkModel(Path(benchmark_binary)) if benchmark_binary else CRunner()
        self.name = f"adb:{serial}" if serial else "adb"
        self._adb = find_adb(adb)
        listed = run_local([self._adb, "devices"], SECONDS, self.name)
        if listed.returncode:
            raise DeviceError(
                f"{self.name}: the adb server does not start. Run 'adb kill-server' and try again"
                f"{last_line(listed.stderr)}"
            )
        devices = parse_devices(listed.stdout)
        self._serial = choose_device(devices, serial or os.environ.get("ANDROID_SERIAL"))
        self.name = f"adb:{self._serial}"
        self._folder = RemoteFolder(self._shell, FOLDER, SECONDS, self.name, self._explain)
        try:
            zones = {} if allow_hot else self._read_phone().hot_zones()
            if zones:
                hot = ", ".join(f"{name} {degrees:g} °C" for name, degrees in zones.items())
                raise DeviceError(
                    f"{self.name}: the phone is hot ({hot}), so that it would slow down. "
                    "Let it cool, or pass --allow-hot"
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
                f"{self.name}: the phone was unplugged or the connection lost. Check the cable, "
                f"and run again{last_line(completed.stderr)}"
            )
        return ended

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file from the phone."""
        self._copy("pull", remote, str(Path(local).resolve()), remote)
        return Path(local)

    def facts(self) -> dict[str, Any]:
        """Return the phone's facts and state, and as "big_cores" the mask of its fastest CPUs."""
        phone = self._read_phone()
        return phone.facts | phone.state | {"big_cores": phone.big_cores()}

    def close(self) -> None:
        """Let the phone remove the session's folder, if it still answers."""
        self._folder.close()

    def _read_phone(self) -> Phone:
        return parse_phone(self.run(["sh", "-c", SCRIPT], SECONDS).stdout)

    def _shell(self, line: str) -> list[str]:
        return [self._adb, "-s", self._serial, "shell", line]

    def _copy(self, verb: str, source: str, target: str, what: str) -> None:
        command = [self._adb, "-s", self._serial, verb, source, target]
        completed = run_local(command, COPY_SECONDS, self.name)
        if completed.returncode == 0:
            return
        self._explain(completed)
        raise DeviceError(
            f"{self.name}: {what} could not be copied. Free some space in {FOLDER}"
            f"{last_line(completed.stdout + completed.stderr)}"
        )

    def _explain(self, completed: Completed) -> None:
        """Raise ConnectionLost if the client says that the phone is not there any more."""
        said = completed.stdout + completed.stderr
        if re.search(r"device '.*' not found|no devices|device offline|error: closed", said):
            raise ConnectionLost(
                f"{self.name}: the phone was unplugged or the connection lost. Check the cable, "
                f"and run again{last_line(said)}"
            )


def find_adb(client: str | Path | None = None) -> str:
    """Return the path of the adb client.

    Args:
        client: its name or path; None to look on PATH, then in $ANDROID_HOME/platform-tools.

    Raises:
        DeviceError: it is in none of these.
    """
    if client:
        path = shutil.which(str(client))
        if not path:
            raise DeviceError(f"adb: {str(client)!r} is no program. Check --adb")
        return path
    folders = [os.environ.get(name) for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT")]
    for place in (None, *(str(Path(f, "platform-tools")) for f in folders if f)):
        path = shutil.which("adb", path=place)
        if path:
            return path
    raise DeviceError(
        "adb is not installed. Install the system's package 'adb' or Android's platform-tools, "
        "or give its path by --adb"
    )


def parse_devices(text: str) -> dict[str, str]:
    """Return the state of each serial that `adb devices` lists; what the server says is skipped."""
    devices = {}
    for line in text.splitlines():
        serial, tab, state = line.strip().partition("\t")
        if tab and not serial.startswith("*"):
            devices[serial] = state.split(";")[0].split("(")[0].strip()
    return devices


def choose_device(devices: dict[str, str], serial: str | None) -> str:
    """Return the serial of the device to use.

    Args:
        devices: states by serial, as `parse_devices` returns them.
        serial: the wanted one; None for the only one.

    Raises:
        DeviceError: none, several without a wanted one, or one that is not ready.
    """
    listed = ", ".join(f"{name} ({state})" for name, state in devices.items()) or "none"
    if not devices:
        raise DeviceError(
            "adb: no device. Connect the phone and switch on USB debugging in its developer options"
        )
    if serial is None:
        if len(devices) > 1:
            raise DeviceError(f"adb: there are several devices. Name one as adb:SERIAL: {listed}")
        serial = next(iter(devices))
    if serial not in devices:
        raise DeviceError(f"adb: there is no device {serial!r}; allowed are {listed}")
    state = devices[serial]
    if state != "device":
        way_out = _STATES.get(state, "See what 'adb devices -l' says")
        raise DeviceError(f"adb:{serial}: the phone is {state}. {way_out}")
    return serial
