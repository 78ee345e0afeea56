"""What runs on another machine ends with the connection to it, and leaves no files there.

Both scripts here learn from the end of their standard input, which our side holds open and never
writes to, that the connection or our process is gone.
"""

import contextlib
import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from android_bench.devices.local import Completed
from android_bench.errors import DeviceError

# Argument: where to make the folder. It lasts as long as the connection.
_KEEPER = """
umask 077
folder=$(mktemp -d "$1/android_bench.XXXXXXXX") || exit 254
echo "android_bench_folder=$folder"
cat >/dev/null
rm -rf "$folder"
"""

# Arguments: the session's folder, then the command. `exec 3<&0` since background jobs of a shell
# have an empty standard input. `read`, not cat, since it dies with its shell, and whoever holds the
# standard input keeps adbd waiting. `setsid` so that what the command started is killed with it.
# The exit code is also printed as a line: a run without that line has lost its connection.
_GUARD = """
folder=$1; shift
cd "$folder" || { echo "android_bench_exit=254" >&2; exit 254; }
exec 3<&0 </dev/null
command -v setsid >/dev/null 2>&1 && set -- setsid "$@"
"$@" 3<&- &
child=$!
{ read -r end <&3; kill -9 -$child; kill -9 $child; cd /; rm -rf "$folder"; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $child
code=$?
kill -9 $watch 2>/dev/null
echo "android_bench_exit=$code" >&2
exit $code
"""

_EXIT = re.compile(r"^android_bench_exit=(\d+)\r?\n", re.MULTILINE)
_MARK = b"android_bench_folder="


def guarded(command: Sequence[str], folder: str) -> str:
    """Return a line for a remote shell that runs `command` in `folder` under the guard."""
    return quoted(["sh", "-c", _GUARD.strip(), "android_bench", folder, *command])


def quoted(command: Sequence[str]) -> str:
    """Return the command as one line in which every argument is quoted for a POSIX shell."""
    return " ".join(shlex.quote(argument) for argument in command)


def unguarded(completed: Completed) -> Completed | None:
    """Return how the guarded command ended, or None when the line with its exit code is missing."""
    match = _EXIT.search(completed.stderr) or _EXIT.search(completed.stdout)
    if match is None:
        return None
    said = (_EXIT.sub("", text) for text in (completed.stdout, completed.stderr))
    return Completed(int(match[1]), *said)


class RemoteFolder:
    """A folder on another machine that is gone when the connection is.

    Args:
        command: from a line for the remote shell, makes the local program that runs it there.
        base: the remote folder to make it in.
        timeout: seconds to wait for it.
        device: the device's name, for messages.
        explain: raises the error that fits when the connection cannot be made.

    Raises:
        DeviceError: no answer, or the folder cannot be made.
    """

    def __init__(
        self,
        command: Callable[[str], Sequence[str]],
        base: str,
        timeout: float,
        device: str,
        explain: Callable[[Completed], None],
    ) -> None:
        line = quoted(["sh", "-c", _KEEPER.strip(), "android_bench", base])
        program = command(line)
        try:
            self._process = subprocess.Popen(
                program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"{device}: cannot run {program[0]}: {error.strerror}") from error
        self.path = ""
        try:
            said = self._read_until_mark(timeout)
            if self.path:
                return
            if self._process.poll() is None:
                raise DeviceError(
                    f"{device}: no answer within {timeout:g} s. Check that it is reachable"
                )
            errors = self._process.stderr.read().decode(errors="replace")
            completed = Completed(self._process.returncode, said.decode(errors="replace"), errors)
            explain(completed)
            raise DeviceError(
                f"{device}: no folder could be made in {base}. Free some space there, "
                f"or allow writing [{' '.join((completed.stderr + completed.stdout).split())}]"
            )
        finally:
            if not self.path:
                self.close()

    def _read_until_mark(self, timeout: float) -> bytes:
        """Read what the keeper prints until it names the folder, ends, or time is up."""
        # The remote shell's start-up files may print something first.
        said, deadline = b"", time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while selector.select(max(deadline - time.monotonic(), 0)):
                part = os.read(self._process.stdout.fileno(), 4096)
                said += part
                _, found, rest = said.partition(_MARK)
                if found and b"\n" in rest:
                    self.path = rest.split(b"\n")[0].decode().strip()
                    break
                if not part:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(5)
                    break
        return said

    def close(self, timeout: float = 10) -> None:
        """Let the keeper remove the folder, and end the connection; may be called twice."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
