"""Counting instructions in place of taking times, on an emulated core."""

import hashlib
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from android_bench.emulated.counts import Counts
from android_bench.emulated.setup import Emulator
from android_bench.engines.c_runner import (
    PreparedModel,
    prepare_models,
    run_prepared,
    runner_arguments,
)
from android_bench.engines.python_worker import PythonWorker
from android_bench.errors import DeviceError
from android_bench.interfaces import Device, Engine
from android_bench.options import BenchmarkOptions

MARKED_WORKER = Path(__file__).with_name("marked_worker.py")

#: What takes the place of times and memory, which emulation makes meaningless.
NO_TIMES = {"init_us": None, "first_us": None, "warmup_us": [], "sessions_us": [],
            "memory_init_mb": None, "memory_peak_mb": None}  # fmt: skip

#: Two inferences warm up (the first sets up operators, the second the C library's memory), the
#: others must be alike.
RUNS = {"warmup_runs": 2, "num_runs": 2, "min_secs": 0.0, "warmup_min_secs": 0.0, "sessions": 1,
        "affinity": None}  # fmt: skip

#: Ops that LiteRT's own int8 kernels compute alike on every processor.
EXACT_OPS = {"AVERAGE_POOL_2D", "DEQUANTIZE", "GATHER", "MAX_POOL_2D", "QUANTIZE", "RESHAPE",
             "SOFTMAX", "TRANSPOSE"}  # fmt: skip


class CountingDevice(Device):
    """A device that can count what it runs.

    Attributes:
        folder: the session's folder, on this machine.
    """

    folder: Path

    @abstractmethod
    def counting(self, path: Path | None) -> AbstractContextManager[None]:
        """Write the instructions of what runs in the block to a file; None counts nothing."""


@dataclass(frozen=True)
class InstructionCounter(Engine):
    """Counts one inference of the C runner, or of the worker where the set-up has no runner.

    Args:
        emulator: the set-up.
        python: the emulated Python, for the worker.
    """

    emulator: Emulator
    python: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The engine that is counted: "runner" or "worker"."""
        return self.emulator.engine

    def measure(
        self, device: CountingDevice, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Count the instructions of one inference of each model, after two to warm up.

        Numbers of runs, seconds and sessions in the options do not matter here: counts are exact,
        so two inferences are compared and the last is reported. All else as `Engine.measure`; each
        model also gets "equals_host": whether every output equals this machine's, bit for bit.

        Raises:
            ValueError: a model or an option is at fault; more than one thread is such an option.
            DeviceError: the emulator is: it crashed, hung, counted differently in two inferences,
                or computed other int8 outputs than this machine.
        """
        if options.num_threads != 1:
            raise ValueError(
                f"num_threads={options.num_threads} does not fit emulated cores, which count one "
                "thread only; allowed is 1"
            )
        limit = options.time_limit(len(models))
        with tempfile.TemporaryDirectory(dir=device.folder) as folder:
            prepared = prepare_models(models, options, Path(folder), limit)
            reports = [self._count(device, model, options, limit) for model in prepared]
        facts, state = device.facts_and_state()
        return {"facts": facts, "before": state, "after": state, "models": reports}

    def profile(
        self, device: CountingDevice, model: Path, options: BenchmarkOptions
    ) -> tuple[list[list[dict[str, Any]]], tuple[int, ...], list[dict[str, Any]]]:
        """Run one inference under LiteRT's profiler, with a clock that counts its own readings.

        Args:
            device: where.
            model: local path of a `.tflite` file.
            options: how.

        Returns:
            The inference's events (as `profiling.profile.from_events` takes them), the
            instructions executed at each reading of the clock, and the file's ops.

        Raises:
            ValueError: the model or an option is at fault.
            DeviceError: the emulator is, or its set-up cannot count or has no runner.
        """
        if self.name != "runner" or not self.emulator.can_count:
            raise DeviceError(
                f"{device.name}: instructions by op cannot be counted by this set-up. Install "
                "gcc-aarch64-linux-gnu and a QEMU with plugins, then run: lwcnn bench setup"
            )
        file, limit = device.folder / "counts", options.time_limit(1)
        with tempfile.TemporaryDirectory(dir=device.folder) as folder:
            (prepared,) = prepare_models([model], options, Path(folder), limit)
            document = self._run(device, prepared, options, limit, file, "--profile", "1")
        return document["models"][0]["profile"], Counts.read(file).ticks, prepared.graph

    def _count(
        self,
        device: CountingDevice,
        prepared: PreparedModel,
        options: BenchmarkOptions,
        limit: float,
    ) -> dict[str, Any]:
        """Return one model's part of the document."""
        file = device.folder / "counts" if self.emulator.can_count else None
        document = self._run(device, prepared, options, limit, file)
        (report,) = document["models"]
        report |= NO_TIMES | {"runs": RUNS["num_runs"]}
        report["equals_host"] = all(output["equals_host"] for output in report["outputs"])
        if not report["equals_host"] and must_be_exact(report, options.use_xnnpack):
            raise DeviceError(
                f"{device.name}: {prepared.model.name} has other int8 outputs than this machine: "
                f"QEMU {self.emulator.qemu_version} computes wrong. Install another version"
            )
        if file:
            counts = Counts.read(file)
            if not counts.agree(RUNS["num_runs"]):
                totals = ", ".join(str(sum(run)) for run in counts.runs[-RUNS["num_runs"] :])
                raise DeviceError(
                    f"{device.name}: two inferences of {prepared.model.name} took different "
                    f"numbers of instructions ({totals}). Run again"
                )
            report["instructions"] = counts.instructions
            report["instruction_classes"] = counts.classes()
            report["instruction_kernels"] = counts.kernels(
                document["maps"], self.emulator.symbols()
            )
        return report

    def _run(
        self,
        device: CountingDevice,
        prepared: PreparedModel,
        options: BenchmarkOptions,
        limit: float,
        counts: Path | None,
        *extra: str,
    ) -> dict[str, Any]:
        """Run one model, its instructions counted into a file; return the document."""
        options = replace(options, **RUNS, timeout=limit)
        with device.counting(counts):
            if self.name == "worker":
                return self._by_worker(device, prepared, options)
            program = [str(self.emulator.runner)]
            program += runner_arguments(options, str(self.emulator.library))
            program += ["--markers", "1" if counts else "0", *extra]
            return run_prepared(device, program, [prepared], limit, "emulated aarch64")

    def _by_worker(
        self, device: CountingDevice, prepared: PreparedModel, options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Run the worker in the emulated Python; compare its outputs by their checksums."""
        worker = PythonWorker(self.python, MARKED_WORKER)
        options = replace(options, input_files=tuple(map(str, prepared.inputs)))
        document = worker.measure(device, [prepared.model], options)
        outputs = document["models"][0]["outputs"]
        for output, expected in zip(outputs, prepared.expected, strict=True):
            digest = hashlib.sha256(expected.read_bytes()).hexdigest()
            output["equals_host"] = output["sha256"] == digest
        return document


def must_be_exact(report: dict[str, Any], use_xnnpack: bool) -> bool:
    """Tell whether a model's outputs have to be the same on every processor.

    XNNPACK's integer kernels are; its float kernels and LiteRT's own ones may round differently.
    """
    integer = all(output["dtype"].startswith(("int", "uint")) for output in report["outputs"])
    return use_xnnpack and integer and set(report["not_delegated"]) <= EXACT_OPS
