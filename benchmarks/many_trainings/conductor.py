"""Start workers, which compile at the same time, and give them trainings, one at a time."""

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.many_trainings.settings import Settings


class Hired:
    """A worker process, which may still be compiling."""

    def __init__(self, name: str, words: Sequence[str], log: Path, environment: Mapping) -> None:
        """Start the process.

        Args:
            name: for messages.
            words: of the worker's command line.
            log: gets what the process says on standard error.
            environment: further variables of the process.
        """
        self.name = name
        self.log = log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.many_trainings.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"KERAS_BACKEND": "jax"} | dict(environment),
        )
        self.ready: dict[str, Any] | None = None
        self._waiting = threading.Thread(target=self._wait, daemon=True)
        self._waiting.start()

    def _wait(self) -> None:
        line = self.process.stdout.readline()
        self.ready = json.loads(line) if line else None

    def wait(self, seconds: float) -> bool:
        """Wait until it is compiled, at most so long; say whether it is."""
        self._waiting.join(max(0.0, seconds))
        return self.ready is not None

    def train(
        self,
        name: str,
        settings: Settings,
        out: Path | None = None,
        trace: int = 0,
        seconds: float | None = None,
    ) -> dict[str, Any] | None:
        """Have it train once; return the row.

        None where the process ended, or gave no answer in so many seconds: it is then ended.
        """
        job = {"name": name, "settings": settings.to_dict(), "trace": trace}
        job |= {"out": str(out)} if out else {}
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                self.process.kill()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        return json.loads(line) if line else None

    def dismiss(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.log.close()
