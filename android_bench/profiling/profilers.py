"""Profiling the ops of a model, on this machine and on emulated cores."""

from pathlib import Path
from typing import Any

from android_bench.benchmarking import check_files
from android_bench.errors import ProfilerUnavailable
from android_bench.options import BenchmarkOptions
from android_bench.profiling import litert
from android_bench.profiling.profile import OpProfile, from_events
from android_bench.script import call_script


def profile_ops(
    file: str | Path,
    runs: int = 30,
    *,
    num_threads: int = 1,
    use_xnnpack: bool = True,
    timeout: float = 300.0,
    **options: Any,
) -> OpProfile:
    """Profile a model on this machine by LiteRT's own profiler.

    Args:
        file: the `.tflite` file.
        runs: inferences whose times are averaged, 1 or more; one more warms up.
        num_threads: threads of the CPU kernels, 1 or more.
        use_xnnpack: whether the XNNPACK delegate may take part of the graph.
        timeout: seconds after which the run counts as hung.
        **options: `input_range`, `input_files` and `seed` as for `benchmark`.

    Returns:
        The profile, in microseconds. XNNPACK's times are cut to whole microseconds by LiteRT.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no TFLite model or cannot be run, or an option is at fault.
        ProfilerUnavailable: this LiteRT has no profiler that we know.
        DeviceError: the run crashed or hung.
    """
    if runs < 1:
        raise ValueError(f"runs={runs} is out of range; allowed is 1 or more")
    allowed = ("input_range", "input_files", "seed")
    if unknown := sorted(set(options) - set(allowed)):
        raise ValueError(
            f"options {', '.join(unknown)} are unknown; allowed are {', '.join(allowed)}"
        )
    chosen = BenchmarkOptions(num_threads=num_threads, use_xnnpack=use_xnnpack, **options)
    path = Path(file)
    check_files([path], chosen.input_files)
    request = chosen.for_worker() | {"model": str(path), "runs": runs}
    document = call_script(litert.__file__, request, timeout, "profile")
    if document["profile"] is None:
        raise ProfilerUnavailable(f"no op profile: {document['unavailable']}")
    return from_events(
        document["profile"], document["nodes"], model=path.name, device="host", source="litert"
    )


def profile_instructions(
    file: str | Path, core: str = "cortex-a72", *, timeout: float = 600.0, **options: Any
) -> OpProfile:
    """Count the instructions of each op on an emulated core.

    Args:
        file: the `.tflite` file.
        core: one of `android_bench.emulated.CORES`.
        timeout: seconds after which the run counts as hung.
        **options: fields of `BenchmarkOptions` that choose inputs, and `use_xnnpack`.

    Returns:
        The profile of one inference, in AArch64 instructions. Profiling itself costs some hundred
        instructions per op, so that the total is a little above the benchmark's count.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be run, or an option or the core's name is not allowed.
        DeviceError: the emulator is not set up, or cannot count.
    """
    from android_bench.devices.emulated import Emulated

    path = Path(file)
    chosen = BenchmarkOptions.of(options | {"timeout": timeout})
    check_files([path], chosen.input_files)
    with Emulated(core) as device:
        runs, ticks, nodes = device.engine.profile(device, path, chosen)
        return from_events(
            runs, nodes, model=path.name, device=device.name, source="runner", ticks=ticks
        )
