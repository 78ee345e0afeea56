"""This machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench import worker
from android_bench.devices.device import Completed, Device, DeviceError


class Host(Device):
    """This machine; the worker runs in a process of its own, files stay where they are."""

    name = "host"
    python = (sys.executable,)

    def push(self, local: Path, name: str) -> str:
        """Return the file's absolute path: there is nothing to copy."""
        return str(Path(local).resolve())

    def run(self, command: Sequence[str], timeout: float) -> Completed:
        """Run a command in a session of its own, so that a time-out ends all its processes."""
        return run_local(command, timeout, "host")

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file."""
        return Path(shutil.copyfile(remote, local))

    def facts(self) -> dict[str, Any]:
        """Return the worker's facts, taken in this process."""
        return worker.machine_facts() | worker.read_state()

    def close(self) -> None:
        """Do nothing: a run on this machine leaves nothing behind."""


def run_local(command: Sequence[str], timeout: float, device: str) -> Completed:
    """Run a program on this machine and end it, with all that it started, when time is up.

    Args:
        command: the program and its arguments; no shell is involved.
        timeout: seconds.
        device: what to call the place in an error message.

    Raises:
        DeviceError: the program is missing or cannot be run, or time is up.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise DeviceError(f"{device}: cannot run {command[0]}: {error.strerror}") from error
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"{device}: no end within {timeout:g} s: taken for a hang and ended; "
            "give a longer timeout if the model is that slow"
        ) from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Completed(process.returncode, stdout, stderr)
