"""Measure .tflite files: latency, memory and delegation, on the host or a device."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EXTRA = None
USES_KERAS = False

EXAMPLES = """examples:
  lwcnn bench net.tflite other.tflite          both in one run, with the ratio between them
  lwcnn bench net.tflite --device ssh:pi@board --threads 1,4
  lwcnn bench net.tflite --device adb --affinity big
  lwcnn bench --setup-emulator                 once, before --device emulated:cortex-a72
  lwcnn bench compare before.jsonl after.jsonl tell what changed; exit code 1 if slower
"""

SLOWER = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn bench`."""
    from lwcnn.common import add_rows_argument

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="models to measure; or: compare BEFORE.jsonl AFTER.jsonl",
    )
    parser.add_argument(
        "--device",
        default="host",
        help="host, ssh:[user@]host[:port], adb[:serial] or emulated:CORE (default host)",
    )
    add_rows_argument(parser)
    parser.add_argument("--plot", type=Path, metavar="PICTURE", help="draw latency or kernels")
    parser.add_argument(
        "--profile", action="store_true", help="show what each op takes, too (host, emulated)"
    )
    parser.add_argument(
        "--setup-emulator", action="store_true", help="make the emulated ARM cores ready"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.05,
        help="compare: change of latency to allow (default 0.05)",
    )
    _add_measurement(parser.add_argument_group("measurement (as benchmark_model)"))
    _add_devices(parser.add_argument_group("devices"))


def _add_measurement(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--threads",
        type=_numbers,
        default=[1],
        metavar="N[,N...]",
        help="CPU threads; each number is a run of its own (default 1)",
    )
    group.add_argument("--runs", type=int, default=50, help="least inferences a session (50)")
    group.add_argument("--min-secs", type=float, default=1.0, help="least seconds a session (1)")
    group.add_argument("--max-secs", type=float, default=150.0, help="most seconds (150)")
    group.add_argument("--warmup-runs", type=int, default=1, help="least warm-up inferences (1)")
    group.add_argument("--warmup-min-secs", type=float, default=0.5, help="least warm-up (0.5)")
    group.add_argument("--run-delay", type=float, default=-1.0, help="seconds between inferences")
    group.add_argument(
        "--sessions", type=int, default=3, help="repetitions, which give the intervals (default 3)"
    )
    group.add_argument("--session-pause", type=float, default=0.0, help="seconds between sessions")
    group.add_argument("--no-xnnpack", action="store_true", help="turn the delegate off")
    group.add_argument("--input-range", type=float, nargs=2, metavar=("LOW", "HIGH"))
    group.add_argument(
        "--input-file",
        action="append",
        default=[],
        metavar="FILE",
        help="a .npy or raw file in place of random input, once for each input",
    )
    group.add_argument("--affinity", metavar="big|MASK", help="CPUs to run on, as 0xf0")
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="when to take it for hung")


def _add_devices(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--python", metavar="PATH", help="ssh: the board's Python with LiteRT")
    group.add_argument(
        "--setup-board", action="store_true", help="ssh: install LiteRT for this user first"
    )
    group.add_argument("--adb", metavar="PATH", help="adb: the client, where it is not on PATH")
    group.add_argument(
        "--benchmark-binary", metavar="PATH", help="adb: a benchmark_model built for the phone"
    )
    group.add_argument("--allow-hot", action="store_true", help="adb: measure a hot phone, too")


def main(args: argparse.Namespace) -> int:
    """Run `lwcnn bench`; return 1 where a comparison found something slower."""
    if args.setup_emulator:
        _setup_emulator()
        if not args.files:
            return 0
    if args.files[:1] == ["compare"]:
        return _compare(args.files[1:], args.tolerance)
    if not args.files:
        raise ValueError("no FILE.tflite to measure; see lwcnn bench --help")
    if args.profile and args.device.partition(":")[0] not in ("host", "emulated"):
        raise ValueError(f"--profile works on host and emulated:CORE, not on {args.device!r}")
    if args.plot:
        from lwcnn.report.bench_plots import check_picture

        check_picture(args.plot)
    files = [Path(name) for name in args.files]
    rows = []
    settings = _device_settings(args)
    for threads in args.threads:
        options = _options(args) | {"num_threads": threads}
        measured = bench_files(files, args.device, settings, **options)
        _append(args.rows, measured)
        rows += measured
    _show(rows, args.plot)
    if args.profile:
        _profile(files, args)
    return 0


def bench_files(
    files: Sequence[Path], device: str, settings: dict[str, Any] | None = None, **options: Any
) -> list[dict[str, Any]]:
    """Measure files in one run, in which they take turns; give rows.

    Args:
        files: the models.
        device: a device's name.
        settings: what the device's class takes beside its address.
        **options: fields of `android_bench.BenchmarkOptions`.
    """
    from android_bench import benchmark_interleaved, open_device
    from lwcnn.common import working

    with (
        working(f"Measuring {len(files)} file(s) on {device}"),
        open_device(device, **(settings or {})) as opened,
    ):
        return [result.to_dict() for result in benchmark_interleaved(files, opened, **options)]


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        message = f"{text!r} is no list of numbers such as 1,4"
        raise argparse.ArgumentTypeError(message) from None


def _options(args: argparse.Namespace) -> dict[str, Any]:
    names = ("min_secs", "max_secs", "warmup_runs", "warmup_min_secs", "run_delay", "sessions",
             "session_pause", "affinity", "timeout")  # fmt: skip
    return {name: getattr(args, name) for name in names} | {
        "num_runs": args.runs,
        "use_xnnpack": not args.no_xnnpack,
        "input_range": tuple(args.input_range) if args.input_range else None,
        "input_files": tuple(args.input_file),
    }


def _device_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Collect the given options of the chosen kind of device; refuse those of other kinds."""
    kinds = {
        "ssh": {"python": args.python, "setup": args.setup_board},
        "adb": {
            "adb": args.adb,
            "benchmark_binary": args.benchmark_binary,
            "allow_hot": args.allow_hot,
        },
    }
    chosen = args.device.partition(":")[0]
    for kind, settings in kinds.items():
        given = [name for name, value in settings.items() if value]
        if given and kind != chosen:
            option = {"setup": "setup-board"}.get(given[0], given[0].replace("_", "-"))
            raise ValueError(f"--{option} is for {kind} devices, not for {args.device!r}")
    return {name: value for name, value in kinds.get(chosen, {}).items() if value}


def _append(path: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    from lwcnn.common import append_rows

    append_rows(path, rows)


def _show(rows: Sequence[dict[str, Any]], picture: Path | None) -> None:
    from lwcnn.report.bench_plots import plot_kernels, plot_latency
    from lwcnn.report.bench_table import print_rows

    print_rows(rows)
    if picture:
        counted = any(row["instructions"] is not None for row in rows)
        (plot_kernels if counted else plot_latency)(rows, picture)


def _compare(files: Sequence[str], tolerance: float) -> int:
    from lwcnn.report.bench_changes import compare_rows
    from lwcnn.report.bench_table import print_changes
    from lwcnn.rows import read_rows

    if len(files) != 2:
        raise ValueError(f"compare takes BEFORE.jsonl and AFTER.jsonl, not {len(files)} file(s)")
    before, after = (read_rows(path, kind="bench") for path in files)
    for path, rows in zip(files, (before, after), strict=True):
        if not rows:
            raise ValueError(f"{path} has no bench rows")
    changes = compare_rows(before, after, tolerance)
    print_changes(changes)
    return SLOWER if any(change.verdict == "slower" for change in changes) else 0


def _setup_emulator() -> None:
    from rich.console import Console

    from android_bench.emulated import setup_emulator

    emulator = setup_emulator()
    Console(stderr=True).print(f"The emulator is ready in {emulator.folder}", highlight=False)


def _profile(files: Sequence[Path], args: argparse.Namespace) -> None:
    from android_bench.profiling import profile_instructions, profile_ops
    from lwcnn.report.op_profile import print_profile

    kind, _, core = args.device.partition(":")
    for file in files:
        if kind == "emulated":
            profile = profile_instructions(file, core, use_xnnpack=not args.no_xnnpack)
        else:
            profile = profile_ops(
                file, num_threads=args.threads[0], use_xnnpack=not args.no_xnnpack
            )
        print_profile(profile)
