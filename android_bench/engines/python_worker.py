"""Measuring by `worker.py` in the device's own Python."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from android_bench import worker
from android_bench.devices.local import SECONDS
from android_bench.document import read_document
from android_bench.interfaces import Device, Engine
from android_bench.options import BenchmarkOptions

WORKER = Path(worker.__file__)


@dataclass(frozen=True)
class PythonWorker(Engine):
    """The worker, which is sent to the device on every use.

    Args:
        python: the command that starts a Python with numpy and LiteRT on the device.
        wrapper: a script to run in place of `worker.py`, which it finds beside itself.
    """

    python: tuple[str, ...] = ("python3",)
    wrapper: Path | None = None
    name = "worker"

    def facts(self, device: Device) -> dict[str, Any]:
        """Return what the worker knows of the machine."""
        return self._run(device, "--facts", 2 * SECONDS, "facts")["facts"]

    def measure(
        self, device: Device, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Run the worker on all models in one process; see `Engine.measure`."""
        files = options.input_files
        remote = [device.push(path, f"model{i}.tflite") for i, path in enumerate(models)]
        inputs = [
            device.push(Path(path), f"input{i}{'.npy' if str(path).endswith('.npy') else '.bin'}")
            for i, path in enumerate(files)
        ]
        names = dict(zip([*remote, *inputs], [*models, *files], strict=True))
        request = options.for_worker() | {"models": remote, "input_files": inputs}
        with tempfile.TemporaryDirectory(prefix="android_bench_") as folder:
            file = Path(folder, "options.json")
            file.write_text(json.dumps(request))
            limit = options.time_limit(len(models))
            return self._run(device, device.push(file, file.name), limit, "models", names)

    def _run(
        self,
        device: Device,
        argument: str,
        timeout: float,
        part: str,
        names: Mapping[str, str | Path] | None = None,
    ) -> dict[str, Any]:
        script = device.push(WORKER, WORKER.name)
        if self.wrapper:
            script = device.push(self.wrapper, self.wrapper.name)
        completed = device.run([*self.python, script, argument], timeout)
        return read_document(completed, device.name, part, names)
