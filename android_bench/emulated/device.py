"""An emulated ARM core as a device: it counts instructions and takes no times."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from android_bench import worker
from android_bench.devices.device import Completed, Device, DeviceError
from android_bench.devices.local import run_local
from android_bench.emulated.cores import find_core
from android_bench.emulated.counts import Counts
from android_bench.emulated.setup import Emulator, find_emulator
from android_bench.engines import c_runner as runner

#: What takes the place of times, which emulation makes meaningless.
NO_TIMES = {"init_us": None, "first_us": None, "warmup_us": [], "sessions_us": []}
NO_MEMORY = {"memory_init_mb": None, "memory_peak_mb": None}
NO_STATE = {"governor": None, "frequencies_mhz": {}, "temperatures_c": {}}

#: Two inferences warm up (the first sets up operators, the second the C library's memory), the
#: others must be alike.
RUNS = {"warmup_runs": 2, "num_runs": 2, "min_secs": 0.0, "warmup_min_secs": 0.0, "sessions": 1}

#: Ops that LiteRT's own int8 kernels compute alike on every processor.
EXACT_OPS = {"AVERAGE_POOL_2D", "DEQUANTIZE", "GATHER", "MAX_POOL_2D", "QUANTIZE", "RESHAPE",
             "SOFTMAX", "TRANSPOSE"}  # fmt: skip


class Emulated(Device):
    """A core under QEMU's user mode, on this machine.

    Args:
        core: one of `android_bench.emulated.CORES`.
        emulator: a set-up; None for the one in the cache folder.

    Raises:
        ValueError: unknown core.
        DeviceError: the emulator is not set up.
    """

    def __init__(self, core: str, emulator: Emulator | None = None) -> None:
        self.core = find_core(core)
        self.name = f"emulated:{core}"
        self.emulator = emulator or find_emulator()
        self.root = self.emulator.folder / "cores" / core
        known = core in self.emulator.qemu_cores
        self.cpu = core if known or self.core.stand_in is None else self.core.stand_in
        pythons = sorted((self.root / "usr/bin").glob("python3.[0-9]*"))
        self.python = (str(pythons[0]),) if pythons else ()
        self.folder = Path(tempfile.mkdtemp(prefix="android_bench_"))

    def push(self, local: Path, name: str) -> str:
        """Copy a file to the session's folder."""
        return shutil.copyfile(local, self.folder / name).__fspath__()

    def run(
        self, command: Sequence[str], timeout: float, *, counts: Path | None = None
    ) -> Completed:
        """Run an ARM program, counting its instructions into a file if one is given."""
        emulator = self.emulator
        words = [emulator.qemu, "-cpu", self.cpu, "-L", str(self.root)]
        if counts:
            words += ["-plugin", f"{emulator.counter},out={counts}"]
        # A bare environment: the program must not see the host's libraries and settings.
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        environment |= {"PYTHONPATH": str(emulator.folder / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
        return run_local([*words, *command], timeout, self.name, environment=environment)

    def pull(self, remote: str, local: Path) -> Path:
        """Copy a file from the session's folder."""
        return Path(shutil.copyfile(remote, local))

    def facts(self) -> dict[str, Any]:
        """Return what is emulated, and by what."""
        return {
            "os": f"Linux (QEMU {self.emulator.qemu_version}, user mode, -cpu {self.cpu})",
            "cpu": "emulated aarch64",
            "architecture": "aarch64",
            "core": f"{self.core.title} (emulated)",
            "runtime": f"ai-edge-litert {self.emulator.litert}",
            "affinity_mask": None,
        } | NO_STATE

    def close(self) -> None:
        """Remove the session's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def measure(
        self, models: Sequence[Path], options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Count the instructions of one inference of each model, after two to warm up.

        Numbers of runs, seconds and sessions in the options do not matter here: counts are exact,
        so two inferences are compared and the last is reported. All else as `Device.measure`; each
        model also gets "equals_host": whether every output equals this machine's, bit for bit.

        Raises:
            ValueError: a model or an option is at fault; more than one thread is such an option.
            DeviceError: the emulator is: it crashed, hung, counted differently in two inferences,
                or computed other int8 outputs than this machine.
        """
        if options["num_threads"] != 1:
            raise ValueError(
                f"num_threads is {options['num_threads']}; emulated cores count one thread only"
            )
        with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
            prepared = runner.prepare(models, options, Path(temporary), timeout)
            measured = [self._count(model, options, timeout) for model in prepared]
        return {
            "facts": self.facts(),
            "before": NO_STATE,
            "after": NO_STATE,
            "models": measured,
            "engine": self.emulator.engine,
        }

    def profile(
        self, model: Path, options: dict[str, Any], timeout: float
    ) -> tuple[list[list[dict[str, Any]]], tuple[int, ...], list[dict[str, Any]]]:
        """Run one inference under LiteRT's profiler, with a clock that counts its own readings.

        Args:
            model: local path of a `.tflite` file.
            options: the worker's options.
            timeout: seconds.

        Returns:
            The inference's events (as `profiling.profile.from_events` takes them), the
            instructions executed at each reading of the clock, and the file's ops.

        Raises:
            ValueError: the model or an option is at fault.
            DeviceError: the emulator is, or its set-up cannot count or has no runner.
        """
        if self.emulator.engine != "runner" or not self.emulator.counts:
            raise DeviceError(
                f"{self.name}: instructions by op need gcc-aarch64-linux-gnu and a QEMU with "
                "plugins at the set-up: lwcnn bench --setup-emulator"
            )
        file = self.folder / "counts"
        with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
            (prepared,) = runner.prepare([model], options, Path(temporary), timeout)
            document = self._by_runner(prepared, options | RUNS, timeout, file, "--profile", "1")
        return document["models"][0]["profile"], Counts.read(file).ticks, prepared.graph

    def _count(
        self, prepared: runner.Prepared, options: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Measure one model."""
        file = self.folder / "counts" if self.emulator.counts else None
        by = self._by_runner if self.emulator.engine == "runner" else self._by_worker
        document = by(prepared, options | RUNS, timeout, file)
        (report,) = document["models"]
        report |= NO_TIMES | NO_MEMORY | {"runs": RUNS["num_runs"]}
        report["equals_host"] = all(output["equals_host"] for output in report["outputs"])
        if not report["equals_host"] and must_be_exact(report, options["use_xnnpack"]):
            raise DeviceError(
                f"{self.name}: {prepared.model.name} gives other int8 outputs than this machine: "
                f"QEMU {self.emulator.qemu_version} computes wrong, install another version"
            )
        if file:
            counts = Counts.read(file)
            if not counts.agree(RUNS["num_runs"]):
                totals = ", ".join(str(sum(run)) for run in counts.runs[-RUNS["num_runs"] :])
                raise DeviceError(
                    f"{self.name}: two inferences of {prepared.model.name} took different numbers "
                    f"of instructions ({totals}): run again"
                )
            report["instructions"] = counts.instructions
            report["instruction_classes"] = counts.classes()
            report["instruction_kernels"] = counts.kernels(
                document["maps"], self.emulator.symbols()
            )
        return report

    def _by_runner(
        self,
        prepared: runner.Prepared,
        options: dict[str, Any],
        timeout: float,
        counts: Path | None,
        *extra: str,
    ) -> dict[str, Any]:
        """Run the C runner; return its completed document."""
        outputs = [self.folder / f"output{i}.bin" for i in range(len(prepared.expected))]
        command = [
            str(self.emulator.runner),
            *runner.arguments(options | {"affinity": None}, str(self.emulator.library)),
            *("--markers", "1" if counts else "0", *extra),
            *runner.model_arguments(
                str(prepared.model.resolve()), map(str, prepared.inputs), map(str, outputs)
            ),
        ]
        document = self._document(self.run(command, timeout, counts=counts), "models")
        return runner.complete(document, [prepared], [outputs])

    def _by_worker(
        self,
        prepared: runner.Prepared,
        options: dict[str, Any],
        timeout: float,
        counts: Path | None,
    ) -> dict[str, Any]:
        """Run the worker in an emulated Python; return its document."""
        self.push(Path(worker.__file__), "worker.py")
        script = self.push(Path(__file__).with_name("marked_worker.py"), "marked_worker.py")
        given = {name: options[name] for name in worker.DEFAULTS if name in options}
        files = [str(path) for path in prepared.inputs]
        given |= {"models": [str(prepared.model.resolve())], "input_files": files, "affinity": None}
        file = self.folder / "options.json"
        file.write_text(json.dumps(given))
        completed = self.run([*self.python, script, str(file)], timeout, counts=counts)
        document = self._document(completed, "models")
        for output, expected in zip(
            document["models"][0]["outputs"], prepared.expected, strict=True
        ):
            digest = hashlib.sha256(expected.read_bytes()).hexdigest()
            output["equals_host"] = output["sha256"] == digest
        return document


def must_be_exact(report: dict[str, Any], use_xnnpack: bool) -> bool:
    """Tell whether a model's outputs have to be the same on every processor.

    XNNPACK's integer kernels are; its float kernels and LiteRT's own ones may round differently.
    """
    integer = all(output["dtype"].startswith(("int", "uint")) for output in report["outputs"])
    return use_xnnpack and integer and set(report["not_delegated"]) <= EXACT_OPS
