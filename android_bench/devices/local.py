"""Running a program on this machine, to its end or to a time limit."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from android_bench.errors import DeviceError

SECONDS = 30  # for a command that is neither a measurement nor a copy
COPY_SECONDS = 600


@dataclass(frozen=True)
class Completed:
    """A command that ended: its exit code (negative: killed by that signal) and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_local(
    command: Sequence[str],
    timeout: float,
    device: str,
    *,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program on this machine and end it, with all that it started, when time is up.

    The program's standard input stays open, and empty, for as long as this function waits. Its end
    tells a program on another machine that nobody is waiting any more.

    Args:
        command: the program and its arguments; no shell is involved.
        timeout: seconds.
        device: what to call the place in an error message.
        environment: the program's environment; None for our own.

    Raises:
        DeviceError: the program is missing or cannot be run, or time is up.
    """
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            list(command),
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
            env=environment,
        )
    except OSError as error:
        os.close(writer)
        raise DeviceError(f"{device}: cannot run {command[0]}: {error.strerror}") from error
    finally:
        os.close(reader)
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"{device}: no end within {timeout:g} s, so that the run was taken for a hang and "
            "ended. Give a longer timeout if the model is that slow"
        ) from None
    finally:
        os.close(writer)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Completed(process.returncode, stdout, stderr)
