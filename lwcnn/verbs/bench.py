"""Measure .tflite files: latency, memory and delegation, on the host or a device."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from lwcnn.extras import check_extra

EXTRA = None
USES_KERAS = False

SLOWER = 1

ACTIONS = """`lwcnn bench FILE...` is short for `lwcnn bench run FILE...`.

examples:
  lwcnn bench net.tflite other.tflite          both in one run, with the ratio between them
  lwcnn bench net.tflite --device ssh:pi@board --threads 1,4
  lwcnn bench net.tflite --device adb --affinity big
  lwcnn bench setup                            once, before --device emulated:cortex-a72
  lwcnn bench compare before.jsonl after.jsonl
"""

RUN = """Measure models in one run, in which they take turns, and show each one's ratio to the
first. Emulated cores count instructions; they tell no times."""

COMPARE = """Tell what became faster or slower between two files of rows, beyond noise. Ends with
exit code 1 when something became slower."""

SETUP = """Make the emulated ARM cores ready, once. Nothing is installed in the system: packages are
downloaded from its own sources and unpacked in the cache folder."""


def _numbers(text: str) -> list[int]:
    """Return the numbers of a list such as "1,4"."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        message = f"{text!r} is no list of numbers; allowed are numbers with commas, such as 1,4"
        raise argparse.ArgumentTypeError(message) from None


#: Fields of `BenchmarkOptions` whose option does not follow from their name, type and meaning. Each
#: number of threads is a run of its own. Three sessions, so that the tables have intervals.
DECLARED: dict[str, dict[str, Any]] = {
    "num_threads": {"flag": "--threads", "type": _numbers, "metavar": "N[,N...]",
                    "help": "threads of the CPU kernels; each number is a run of its own"},
    "num_runs": {"flag": "--runs"},
    "sessions": {"default": "3"},
    "use_xnnpack": {"flag": "--no-xnnpack", "action": "store_false",
                    "help": "turn the XNNPACK delegate off"},
    "input_range": {"nargs": 2, "type": float, "metavar": ("LOW", "HIGH")},
    "input_files": {"flag": "--input-file", "action": "append", "default": [], "metavar": "FILE"},
    "affinity": {"metavar": "big|MASK"},
    "timeout": {"type": float, "metavar": "SECONDS"},
}  # fmt: skip

#: The settings that one kind of device takes: its kind, the setting's name, how it is declared.
DEVICE_SETTINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "--python": ("ssh", "python", {"metavar": "PATH", "help": "the board's Python with LiteRT"}),
    "--setup-board": ("ssh", "setup", {"action": "store_true",
                                       "help": "install LiteRT for this user first"}),
    "--adb": ("adb", "adb", {"metavar": "PATH", "help": "the client, where it is not on PATH"}),
    "--benchmark-binary": ("adb", "benchmark_binary", {
        "metavar": "PATH", "help": "a benchmark_model built for the phone"}),
    "--allow-hot": ("adb", "allow_hot", {"action": "store_true",
                                         "help": "measure a hot phone as well"}),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `lwcnn bench` and their options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = ACTIONS
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_run(actions.add_parser("run", help="measure files", description=RUN))
    compare = actions.add_parser(
        "compare", help="tell what changed between two files of rows", description=COMPARE
    )
    for name, age in (("before", "earlier"), ("after", "later")):
        compare.add_argument(
            name, metavar=f"{name.upper()}.jsonl", type=Path, help=f"the {age} rows"
        )
    compare.add_argument(
        "--tolerance",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="change of latency that counts as none: 0.05 is 5 %% (default %(default)s)",
    )
    actions.add_parser("setup", help="make the emulated ARM cores ready", description=SETUP)

    parse = parser.parse_known_args

    def parse_action(words: Sequence[str], namespace: Any = None) -> Any:
        named = words and words[0] in (*actions.choices, "-h", "--help")
        return parse(words if named else ["run", *words], namespace)

    # The parser of `lwcnn` calls this with the words after "bench".
    parser.parse_known_args = parse_action


def _add_run(parser: argparse.ArgumentParser) -> None:
    from android_bench import BenchmarkOptions
    from lwcnn.common import add_rows_argument

    parser.add_argument("files", nargs="*", metavar="FILE", type=Path, help="models to measure")
    parser.add_argument(
        "--device",
        default="host",
        help="host, ssh:[user@]host[:port], adb[:serial] or emulated:CORE (default %(default)s)",
    )
    add_rows_argument(parser)
    parser.add_argument("--plot", type=Path, metavar="PICTURE", help="draw latency or kernels")
    parser.add_argument(
        "--profile", action="store_true", help="also show what each op takes (host, emulated)"
    )
    # The older spelling of `lwcnn bench setup`.
    parser.add_argument("--setup-emulator", action="store_true", help=argparse.SUPPRESS)
    group = parser.add_argument_group("measurement (as benchmark_model)")
    for item in fields(BenchmarkOptions):
        _add_option(group, item)
    group = parser.add_argument_group("devices")
    for flag, (kind, name, settings) in DEVICE_SETTINGS.items():
        meaning = f"{kind}: {settings['help']}"
        group.add_argument(flag, dest=f"device_{name}", **settings | {"help": meaning})


def _add_option(group: argparse._ArgumentGroup, item: Field[Any]) -> None:
    """Declare the option of one field of `BenchmarkOptions`."""
    option = {"default": item.default, "help": item.metadata["help"]}
    if type(item.default) in (int, float):
        number = type(item.default)
        option |= {"type": number, "metavar": "N" if number is int else "SECONDS"}
        # A string, which argparse reads like one from the command line and shows without ".0".
        option["default"] = f"{item.default:g}"
    option |= DECLARED.get(item.name, {})
    if isinstance(option["default"], str):
        option["help"] += " (default %(default)s)"
    flag = option.pop("flag", f"--{item.name.replace('_', '-')}")
    group.add_argument(flag, dest=item.name, **option)


def main(args: argparse.Namespace) -> int:
    """Run `lwcnn bench`; return 1 where a comparison found something slower."""
    if args.action == "compare":
        return _compare(args.before, args.after, args.tolerance)
    if args.action == "setup" or args.setup_emulator:
        _setup_emulator()
    if args.action == "run" and (args.files or not args.setup_emulator):
        _run(args)
    return 0


def bench_files(
    files: Sequence[Path], device: str, settings: dict[str, Any] | None = None, **options: Any
) -> list[dict[str, Any]]:
    """Measure files in one run, in which they take turns; return rows.

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


def _run(args: argparse.Namespace) -> None:
    from lwcnn.common import append_rows
    from lwcnn.report.bench_plots import check_picture, plot_kernels, plot_latency
    from lwcnn.report.bench_table import print_rows

    if not args.files:
        raise ValueError("there is no FILE.tflite to measure. See lwcnn bench run --help")
    if args.profile and args.device.partition(":")[0] not in ("host", "emulated"):
        raise ValueError(
            f"--profile does not work on {args.device!r}; allowed are host and emulated:CORE"
        )
    if args.plot:
        check_extra("report", "--plot")
        check_picture(args.plot)
    settings, options = _device_settings(args), _options(args)
    rows = []
    for threads in args.num_threads:
        measured = bench_files(
            args.files, args.device, settings, **options | {"num_threads": threads}
        )
        append_rows(args.rows, measured)
        rows += measured
    print_rows(rows)
    if args.plot:
        counted = any(row["instructions"] is not None for row in rows)
        (plot_kernels if counted else plot_latency)(rows, args.plot)
    if args.profile:
        _profile(args)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `BenchmarkOptions` that the words ask for."""
    from android_bench import BenchmarkOptions

    values = {item.name: getattr(args, item.name) for item in fields(BenchmarkOptions)}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _device_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the chosen kind of device; refuse those of other kinds."""
    chosen = args.device.partition(":")[0]
    settings = {}
    for flag, (kind, name, _) in DEVICE_SETTINGS.items():
        value = getattr(args, f"device_{name}")
        if value and kind != chosen:
            raise ValueError(f"{flag} does not fit {args.device!r}; allowed are {kind} devices")
        if value:
            settings[name] = value
    return settings


def _compare(before: Path, after: Path, tolerance: float) -> int:
    from lwcnn.report.bench_changes import compare_rows
    from lwcnn.report.bench_table import print_changes
    from lwcnn.rows import read_rows

    rows = {path: read_rows(path, kind="bench") for path in (before, after)}
    for path in rows:
        if not rows[path]:
            raise ValueError(f"{path} has no bench rows. Write them by lwcnn bench FILE --rows")
    changes = compare_rows(rows[before], rows[after], tolerance)
    print_changes(changes)
    return SLOWER if any(change.verdict == "slower" for change in changes) else 0


def _setup_emulator() -> None:
    from rich.console import Console

    from android_bench.emulated import setup_emulator

    emulator = setup_emulator()
    Console(stderr=True).print(f"The emulator is ready in {emulator.folder}", highlight=False)


def _profile(args: argparse.Namespace) -> None:
    from android_bench.profiling import profile_instructions, profile_ops
    from lwcnn.report.op_profile import print_profile

    kind, _, core = args.device.partition(":")
    for file in args.files:
        if kind == "emulated":
            profile = profile_instructions(file, core, use_xnnpack=args.use_xnnpack)
        else:
            profile = profile_ops(
                file, num_threads=args.num_threads[0], use_xnnpack=args.use_xnnpack
            )
        print_profile(profile)
