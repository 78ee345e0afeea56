"""Measuring by a `benchmark_model` that the user has built or downloaded for the phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from android_bench.devices.local import Completed
from android_bench.document import last_line
from android_bench.engines.tool_output import ToolOutput, parse_tool_output
from android_bench.engines.without_python import WithoutPython, check_program, push_program
from android_bench.errors import DeviceError
from android_bench.interfaces import Device
from android_bench.options import BenchmarkOptions

#: The options that the tool has by the same names.
TOOL_OPTIONS = ("num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs",
                "warmup_min_secs", "run_delay")  # fmt: skip


@dataclass(frozen=True)
class BenchmarkModel(WithoutPython):
    """TensorFlow Lite's or LiteRT's `benchmark_model`.

    Args:
        binary: the program, built for the device.
    """

    binary: Path
    name = "benchmark_model"

    def measure_bare(
        self, device: Device, machine: str, models: Sequence[Path], options: BenchmarkOptions
    ) -> dict[str, Any]:
        """Run the tool once per model and session, the models taking turns.

        See `WithoutPython.measure_bare`.
        """
        if options.input_range or options.input_files:
            raise ValueError(
                "input_range and input_files do not fit a benchmark binary, which makes its own "
                "inputs. Leave them out"
            )
        limit = options.time_limit(len(models))
        binary = push_program(device, self.binary, "benchmark_model")
        remote = [device.push(path, f"model{i}.tflite") for i, path in enumerate(models)]
        prefix = ["taskset", options.affinity.removeprefix("0x")] if options.affinity else []
        outputs: list[list[ToolOutput]] = [[] for _ in models]
        for session in range(options.sessions):
            if session and options.session_pause > 0:
                device.run(["sleep", str(options.session_pause)], options.session_pause + 60)
            for i in turns(len(models), session):
                command = [*prefix, binary, *tool_arguments(remote[i], options)]
                completed = device.run(command, limit)
                if completed.returncode:
                    check_program(device, machine, completed, "the benchmark binary")
                outputs[i].append(_read_output(device, completed, models[i]))
        reports = [_report(each, alone=len(models) == 1) for each in outputs]
        return {"models": reports, "facts": {}}


def tool_arguments(model: str, options: BenchmarkOptions) -> list[str]:
    """Return the tool's arguments for one session of one model."""
    words = [f"--{name}={getattr(options, name)}" for name in TOOL_OPTIONS]
    return [f"--graph={model}", *words, f"--use_xnnpack={str(options.use_xnnpack).lower()}"]


def turns(models: int, session: int) -> list[int]:
    """Return the models' order in a session: turned by one from session to session."""
    return [(session + i) % models for i in range(models)]


def _read_output(device: Device, completed: Completed, model: Path) -> ToolOutput:
    said = completed.stdout + completed.stderr
    if completed.returncode:
        raise DeviceError(
            f"{device.name}: the benchmark binary ended with exit code {completed.returncode} "
            f"on {model.name}. See whether it runs there by hand{last_line(said)}"
        )
    try:
        return parse_tool_output(said)
    except ValueError as error:
        raise DeviceError(
            f"{device.name}: the benchmark binary's output is cut or of another tool: {error}"
            f"{last_line(said)}"
        ) from None


def _report(outputs: Sequence[ToolOutput], alone: bool) -> dict[str, Any]:
    """Put what the tool said in each session into the worker's form."""
    first = outputs[0]
    return {
        "init_us": first.init_us,
        "first_us": first.first_us,
        "warmup_us": [] if first.warmup_us is None else [first.warmup_us],
        "sessions_us": [],
        "summaries": [output.summary for output in outputs],
        "memory_init_mb": first.memory_init_mb if alone else None,
        "memory_peak_mb": first.memory_peak_mb if alone else None,
    }
