"""An ARM Linux board, or any machine that answers to ssh."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench.devices.local import COPY_SECONDS, Completed, run_local
from android_bench.devices.shell import RemoteFolder, guarded, unguarded
from android_bench.document import last_line
from android_bench.engines.python_worker import PythonWorker
from android_bench.errors import ConnectionLost, DeviceError
from android_bench.interfaces import Device

# What ssh prints on its standard error, and what that means to the user.
_TRANSPORT = (
    ("Could not resolve hostname", "host name not known. Check it, or add it to ~/.ssh/config"),
    ("Permission denied", "key refused. Allow yours by ssh-copy-id, or load it into ssh-agent "
                          "(passwords are not asked for)"),
    ("Host key verification failed", "host key unknown or changed. Connect once by hand with ssh"),
    ("Connection refused", "no ssh server answers. Check the port and that sshd runs"),
    ("timed out", "no answer. Check that the board is on and reachable"),
    ("No route to host", "no route. Check that the board is on and reachable"),
    ("Network is unreachable", "no route. Check this machine's network"),
)  # fmt: skip

# Makes (once) and names a virtual environment with LiteRT. $HOME/.cache stays between sessions.
_SETUP = """
venv="${XDG_CACHE_HOME:-$HOME/.cache}/android_bench/venv"
probe='import numpy, ai_edge_litert.interpreter'
"$venv/bin/python" -c "$probe" >/dev/null 2>&1 || {
    python3 -m venv --clear "$venv" >&2 || exit 1
    export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    "$venv/bin/python" -m pip install numpy ai-edge-litert >&2 || exit 1
    "$venv/bin/python" -c "$probe" >&2 || exit 1
}
echo "$venv/bin/python"
"""

_ADDRESS = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


class SSH(Device):
    """A machine reached by the system's `ssh` and `scp`, with the user's own ssh configuration.

    ssh never asks for a password (BatchMode): set up keys before.

    Args:
        address: "[user@]host[:port]"; a name of ~/.ssh/config will do, IPv6 in brackets.
        python: the Python with numpy and LiteRT on the board.
        setup: make a virtual environment with LiteRT on the board (in ~/.cache/android_bench,
            where it stays for the next time) and use it in place of `python`.
        config: an ssh configuration file in place of the user's own.
        connect_timeout: seconds to wait for the board's answer.

    Raises:
        ValueError: the address has another form.
        DeviceError: the board cannot be reached, refuses the key, or cannot be set up.
    """

    def __init__(
        self,
        address: str,
        *,
        python: str = "python3",
        setup: bool = False,
        config: str | Path | None = None,
        connect_timeout: int = 10,
    ) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match["port"] or 22) < 65536:
            raise ValueError(f"ssh address {address!r} is malformed; allowed is [user@]host[:port]")
        self.name = f"ssh:{address}"
        self.engine = PythonWorker((python,))
        user = f"{match['user']}@" if match["user"] else ""
        self._login = user + (match["v6"] or match["host"])
        self._copy_login = user + (f"[{match['v6']}]" if match["v6"] else match["host"])
        self._port = match["port"]
        self._options = [
            *(["-F", str(config)] if config else []),
            *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={connect_timeout}"),
            # A connection that went dead is noticed within 15 seconds.
            *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
        ]
        self._folder = RemoteFolder(
            self._command, "/tmp", connect_timeout + 20, self.name, self._check_transport
        )
        if setup:
            self.engine = PythonWorker((self._set_up(),))

    def push(self, local: Path, name: str) -> str:
        """Copy a file into the session's folder by scp."""
        remote = f"{self._folder.path}/{name}"
        # An absolute path cannot look like an option or like host:path.
        self._copy(str(Path(local).resolve()), f"{self._copy_login}:{remote}", str(local))
        return remote

    def run(self, command: Sequence[str], timeout: float) -> Completed:
        """Run a command in the session's folder; it ends when the connection does."""
        line = guarded(command, self._folder.path)
        completed = run_local(self._command(line), timeout, self.name)
        ended = unguarded(completed)
        if ended is None:
            self._check_transport(completed)
            raise ConnectionLost(
                f"{self.name}: the connection was lost. Check the network and the board's power, "
                f"and run again{last_line(completed.stderr)}"
            )
        return ended

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file from the board by scp."""
        self._copy(f"{self._copy_login}:{remote}", str(Path(local).resolve()), remote)
        return Path(local)

    def facts(self) -> dict[str, Any]:
        """Return what the worker knows of the board."""
        return self.engine.facts(self)

    def close(self) -> None:
        """Let the board remove the session's folder, if it still answers."""
        self._folder.close()

    def _set_up(self) -> str:
        """Make the virtual environment unless it is there; return its Python."""
        try:
            done = self.run(["sh", "-c", _SETUP], 900)
            if done.returncode:
                raise DeviceError(
                    f"{self.name}: LiteRT could not be set up. It needs Python 3.10 or newer with "
                    f"venv, 64 bits, and a network{last_line(done.stderr)}"
                )
        except BaseException:  # Ctrl-C too must not leave the session's folder there
            self.close()
            raise
        return done.stdout.split()[-1]

    def _command(self, line: str) -> list[str]:
        port = ["-p", self._port] if self._port else []
        return ["ssh", "-T", *self._options, *port, "--", self._login, line]

    def _copy(self, source: str, target: str, what: str) -> None:
        port = ["-P", self._port] if self._port else []
        command = ["scp", "-q", *self._options, *port, "--", source, target]
        completed = run_local(command, COPY_SECONDS, self.name)
        if completed.returncode:
            self._check_transport(completed)
            raise DeviceError(
                f"{self.name}: {what} could not be copied. Check the board's free space in /tmp"
                f"{last_line(completed.stderr)}"
            )

    def _check_transport(self, completed: Completed) -> None:
        for text, meaning in _TRANSPORT:
            if text in completed.stderr:
                raise DeviceError(f"{self.name}: {meaning}{last_line(completed.stderr)}")
