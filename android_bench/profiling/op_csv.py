"""Reading the op profile that TensorFlow Lite's `benchmark_model` prints.

Both forms are read: the CSV of `--op_profiling_output_mode=csv` (older builds:
`--profiling_output_csv_file`) and the table that is printed otherwise.
"""

import re
from pathlib import Path

from android_bench.profiling.op_layers import layer_names
from android_bench.profiling.profile import OpProfile, ProfiledOp

_SECTION = re.compile(r"^=+ (?P<title>.+?) =+$")
_NUMBER = r"(?:[-+]?\d[\d.]*(?:[eE][-+]?\d+)?)"
_GAP = r"(?:[ \t]*,[ \t]*|[ \t]*\t[ \t]*)"
# node type, (start,) first, avg_ms, %, cdf%, mem KB, times called, name: types hold commas too.
_ROW = re.compile(
    rf"^[ \t]*(?P<type>\S.*?){_GAP}(?:{_NUMBER}{_GAP})?(?P<first>{_NUMBER}){_GAP}"
    rf"(?P<average>{_NUMBER}){_GAP}{_NUMBER}%{_GAP}{_NUMBER}%{_GAP}{_NUMBER}{_GAP}"
    rf"(?P<times>{_NUMBER}){_GAP}(?P<name>.*)$"
)
_TIMINGS = re.compile(r"Timings \(microseconds\): count=(?P<count>\d+)(?P<rest>.*)$")
_DELEGATE_TYPES = ("DELEGATE", "TfLiteXNNPackDelegate")


def parse_op_csv(text: str, model: str = "", device: str = "") -> OpProfile:
    """Read an op profile from `benchmark_model`'s output.

    Args:
        text: what it wrote or printed.
        model: file name, for the profile.
        device: where it ran, as rows name it.

    Returns:
        The profile of the regular runs. Where the delegate's own ops are listed, they take the
        place of the delegate.

    Raises:
        ValueError: the text holds no op profile of the regular runs, or it is cut.
    """
    rows, timings = _read_sections(text)
    if not rows["ops"]:
        raise ValueError(
            "no op profile of the regular runs is in it. Run benchmark_model with "
            "--enable_op_profiling=true"
        )
    if timings is None:
        raise ValueError("the op profile is cut: it has no 'Timings' line. Copy the whole output")
    kept: list[tuple[re.Match[str], bool]] = []
    for row in rows["ops"]:
        if row["type"] in _DELEGATE_TYPES and rows["delegate"]:
            kept += [(inner, True) for inner in rows["delegate"]]
            rows["delegate"] = []
        else:
            kept.append((row, False))
    # When all times are the same, the line has "curr" alone.
    totals = [re.search(rf"{name}=({_NUMBER})", timings["rest"]) for name in ("avg", "curr")]
    total = next((float(match[1]) for match in totals if match), None)
    tensors = [re.sub(r"^\[(.*)\](:\d+)?$", r"\1", row["name"].strip()) for row, _ in kept]
    layers = layer_names([{"op": row["type"], "outputs": [tensors[i].split(", ")[0]]}
                          for i, (row, _) in enumerate(kept)])  # fmt: skip
    ops = tuple(
        ProfiledOp(
            index=i,
            kernel=row["type"],
            op=None if delegated else row["type"],
            layer="" if delegated else layers[i],
            delegated=delegated or row["type"] in _DELEGATE_TYPES,
            value=float(row["average"]) * 1000 * float(row["times"]),
        )
        for i, (row, delegated) in enumerate(kept)
    )
    return OpProfile(model, device, "benchmark_model", "us", int(timings["count"]), total, ops)


def _read_sections(text: str) -> tuple[dict[str, list[re.Match[str]]], re.Match[str] | None]:
    """Return the rows of the regular runs' "ops" and of the "delegate", and the line of timings."""
    # Parts are: initialisation, the ops of the regular runs, the delegate's own ops.
    part, run_order = "", False
    rows: dict[str, list[re.Match[str]]] = {"ops": [], "delegate": []}
    timings = None
    for line in text.splitlines():
        if "Profiling Info for Benchmark Initialization" in line:
            part = "initialization"
        elif "Operator-wise Profiling Info" in line:
            part = "ops"
        elif re.match(r"^\s*Delegate internal", line):
            part = "delegate"
        elif section := _SECTION.match(line.strip()):
            run_order = section["title"] == "Run Order"
        elif part == "ops" and (match := _TIMINGS.search(line)):
            timings = timings or match
        elif run_order and part in rows and (row := _ROW.match(line)):
            rows[part].append(row)
    return rows, timings


def read_op_csv(path: str | Path, model: str = "", device: str = "") -> OpProfile:
    """Read an op profile from a file that `benchmark_model` wrote; see `parse_op_csv`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no op profile.
    """
    try:
        return parse_op_csv(Path(path).read_text(errors="replace"), model, device)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
