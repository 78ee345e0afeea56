"""This machine."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench.devices.local import Completed, run_local
from android_bench.engines.python_worker import PythonWorker
from android_bench.interfaces import Device


class Host(Device):
    """This machine; the worker runs in a process of its own, files stay where they are."""

    name = "host"
    engine = PythonWorker((sys.executable,))

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
        """Return what the worker knows of this machine."""
        return self.engine.facts(self)

    def close(self) -> None:
        """Do nothing: a run on this machine leaves nothing behind."""
