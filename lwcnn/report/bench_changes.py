"""What changed between two files of bench rows, beyond noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from android_bench.statistics import Ratio, unpaired_ratio
from lwcnn.rows import Row

#: What makes two rows measurements of the same thing.
KEY = ("model", "mode", "device", "engine", "num_threads", "use_xnnpack")

#: Two counts of the same program differ by at most this share; a larger difference is a change.
COUNT_NOISE = 1e-5


@dataclass(frozen=True)
class Change:
    """One measurement in the earlier and the later file.

    `verdict` is "faster", "slower", "same", "unknown" (too few sessions for an interval), "new" or
    "missing". `ratio` is later / earlier, of the sessions' medians or of instruction counts; None
    where only one side has the measurement. `delegated` tells a change in the number of ops that
    the delegate runs, as (earlier, later).
    """

    key: tuple[Any, ...]
    quantity: str  # "median_us" or "instructions"
    before: float | None
    after: float | None
    ratio: Ratio | None
    verdict: str
    delegated: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The measurement in words."""
        model, _, device, engine, threads, xnnpack = self.key
        words = [device, f"{threads} thread{'s' * (threads != 1)}"]
        words += [engine] * (engine != "worker") + ["no XNNPACK"] * (not xnnpack)
        return f"{model} ({', '.join(words)})"


def compare_rows(
    before: Sequence[Row], after: Sequence[Row], tolerance: float = 0.05
) -> list[Change]:
    """Return what became faster or slower.

    Times change when the 95 % interval of the ratio of the sessions' medians lies beyond the
    tolerance, which allows for what differs between two runs though the program is the same.
    Instruction counts change when they differ by more than 0.001 %.

    Args:
        before: bench rows of the earlier file; rows of the same measurement are pooled.
        after: those of the later one.
        tolerance: 0 or more, 0.05 for 5 %.

    Returns:
        One change per measurement, in the order of the earlier file, then what is new.

    Raises:
        ValueError: a negative tolerance.
    """
    if tolerance < 0:
        raise ValueError(f"{tolerance=} is out of range; allowed is 0 or more")
    earlier, later = _by_key(before), _by_key(after)
    return [
        _change(key, earlier.get(key, []), later.get(key, []), tolerance)
        for key in dict.fromkeys([*earlier, *later])
    ]


def _by_key(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in KEY), []).append(row)
    return groups


def _change(key: tuple[Any, ...], earlier: list[Row], later: list[Row], tolerance: float) -> Change:
    emulated = any(row["instructions"] is not None for row in earlier + later)
    figures = _instructions if emulated else _medians
    quantity = "instructions" if emulated else "median_us"
    x, y = figures(earlier), figures(later)
    before, after = (sum(v) / len(v) if v else None for v in (x, y))
    if not x or not y:
        verdict = "unknown" if earlier and later else "new" if later else "missing"
        return Change(key, quantity, before, after, None, verdict)
    ratio = unpaired_ratio(x, y)
    if emulated:
        low, high, noise = ratio.ratio, ratio.ratio, COUNT_NOISE
    else:
        low, high, noise = ratio.low, ratio.high, tolerance
    if low is None:
        verdict = "unknown"
    else:
        verdict = "slower" if low > 1 + noise else "faster" if high < 1 / (1 + noise) else "same"
    delegated = (earlier[-1]["delegated_nodes"], later[-1]["delegated_nodes"])
    changed = None not in delegated and delegated[0] != delegated[1]
    return Change(key, quantity, before, after, ratio, verdict, delegated if changed else None)


def _medians(rows: list[Row]) -> list[float]:
    # A median of 0 us is too short for the clock to tell, and has no ratio.
    return [median for row in rows for median in row["session_medians_us"] if median > 0]


def _instructions(rows: list[Row]) -> list[float]:
    return [row["instructions"] for row in rows if row["instructions"]]
