"""Rows: what every step of the project measured, one JSON object per line, only ever appended.

Every row has a `kind` and a `date`. Rows of kind "bench" are checked in full, against the fields
of `BenchmarkResult`; what the other kinds hold is up to the packages that write them.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from android_bench.result import BenchmarkResult, now

KINDS = (
    "data",
    "train",
    "training_cost",
    "convert",
    "compare",
    "layer_error",
    "bench",
    "weights_check",
)


Row = dict[str, Any]


def _types(hint: Any) -> tuple[type, ...]:
    """Return the types that `isinstance` takes for an annotation such as `list[float] | None`."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    types = tuple(get_origin(part) or part for part in parts)
    return (*types, int) if float in types else types


_HINTS = get_type_hints(BenchmarkResult)
BENCH_FIELDS: dict[str, tuple[type, ...]] = {
    item.name: _types(_HINTS[item.name])
    for item in fields(BenchmarkResult)
    if item.metadata.get("in_row", True)
}

TIMES = ("init_us", "first_us", "warmup_us", "median_us", "mean_us", "min_us", "max_us", "std_us",
         "p5_us", "p95_us")  # fmt: skip


def validate_row(row: Any) -> None:
    """Check one row.

    Raises:
        ValueError: the row is no object, its kind or date is missing or unknown, or (kind "bench")
            a field is missing or has a type or value that `BENCH_FIELDS` does not allow.
    """
    if not isinstance(row, dict):
        raise ValueError(f"{row!r:.60} is no row; allowed are JSON objects")
    _check_kind(row.get("kind"))
    try:
        datetime.fromisoformat(str(row.get("date")).replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(
            f"date={row.get('date')!r} is no date; allowed is ISO 8601, such as {now()!r}"
        ) from None
    if row["kind"] == "bench":
        _validate_bench(row)


def _check_kind(kind: Any) -> None:
    if kind not in KINDS:
        raise ValueError(f"{kind=} is unknown; allowed are {', '.join(KINDS)}")


def _validate_bench(row: Row) -> None:
    missing = [name for name in BENCH_FIELDS if name not in row]
    if missing:
        raise ValueError(f"a bench row lacks {', '.join(missing)}. Write it by lwcnn bench")
    for name, types in BENCH_FIELDS.items():
        value = row[name]
        # bool is an int to Python, but no number here.
        right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if not right:
            allowed = " or ".join("null" if t is NoneType else t.__name__ for t in types)
            raise ValueError(f"{name}={value!r:.60} has the wrong type; allowed is {allowed}")
        if isinstance(value, (int, float)) and value < 0:
            raise ValueError(f"{name}={value!r} is out of range; allowed is 0 or more")
    device = row["device"]
    emulated = device.startswith("emulated:")
    if emulated and any(row[name] is not None for name in TIMES):
        raise ValueError(f"{device=} has times; allowed is null: emulated time is no latency")
    if not emulated and row["instructions"] is not None:
        raise ValueError(f"{device=} has instructions; allowed is null: only emulated cores count")
    if not emulated and row["mean_us"] is None:
        raise ValueError(f"{device=} has mean_us=null; allowed is a number: it took times")


def append_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Append rows to a JSON lines file, all of them or none.

    Args:
        path: the file; it and its folder are made when missing.
        rows: rows that `validate_row` accepts; numpy scalars and arrays become numbers and lists.

    Raises:
        ValueError: a row is not valid or holds NaN or infinity, or the file ends in half a line.
    """
    path = Path(path)
    lines = []
    for row in rows:
        row = json.loads(json.dumps(row, default=_plain))
        validate_row(row)
        lines.append(json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n")
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                raise ValueError(f"{path} ends in half a line. Remove that line, then go on")
        file.write("".join(lines).encode())


def read_rows(path: str | Path, kind: str | None = None) -> list[Row]:
    """Read and check the rows of a JSON lines file.

    Args:
        path: the file.
        kind: the kind of row to return, None for all; lines of other kinds are checked as well.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown kind, or a bad line; the message names file and line number.
    """
    if kind is not None:
        _check_kind(kind)
    rows = []
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_constant)
            validate_row(row)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        rows.append(row)
    return [row for row in rows if kind in (None, row["kind"])]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number; allowed are finite numbers and null")


def _plain(value: Any) -> Any:
    """Turn numpy's scalars and arrays, and paths, into JSON's own types."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise ValueError(
        f"{value!r:.60} of type {type(value).__name__} does not fit a row; allowed are JSON's "
        "types, numpy's scalars and arrays, and paths"
    )
