"""Statistics of measured times: pure functions over plain sequences of numbers."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# Student's t for a two-sided interval of 95 %, by degrees of freedom from 1.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
        2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
        2.060, 2.056, 2.052, 2.048, 2.045, 2.042)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """Statistics of one series, in the unit of its values; None where a tool does not print it."""

    count: int
    median: float | None
    mean: float
    min: float | None
    max: float | None
    std: float | None
    p5: float | None
    p95: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return the fields as a dict."""
        return asdict(self)


@dataclass(frozen=True)
class Ratio:
    """How many times as long `b` takes as `a`.

    `ratio` is the geometric mean over the sessions, `low` and `high` bound it with 95 % confidence
    (None from fewer than two sessions), `spread` is the largest session's ratio over the smallest.
    """

    ratio: float
    low: float | None
    high: float | None
    spread: float
    sessions: int

    def to_dict(self) -> dict[str, float | None]:
        """Return the fields as a dict."""
        return asdict(self)


def percentile(values: Sequence[float], p: float) -> float:
    """Return the p-th percentile as `benchmark_model` takes it: `sorted(values)[n * p / 100]`.

    Args:
        values: one or more numbers, in any order.
        p: 0 to 100.
    """
    if not values:
        raise ValueError(
            "there are no values to take a percentile of; allowed are one or more values"
        )
    if not 0 <= p <= 100:
        raise ValueError(f"{p=} is out of range; allowed is 0 to 100")
    return sorted(values)[min(int(len(values) * p / 100), len(values) - 1)]


def summarize(values: Sequence[float]) -> Summary:
    """Return a summary as `benchmark_model` makes it: picked percentiles, population deviation."""
    mean = math.fsum(values) / len(values) if values else 0.0
    return Summary(
        count=len(values),
        median=percentile(values, 50),
        mean=mean,
        min=min(values),
        max=max(values),
        std=math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)),
        p5=percentile(values, 5),
        p95=percentile(values, 95),
    )


def merge(summaries: Sequence[Summary]) -> Summary:
    """Return the summary of several series of which only the summaries are known.

    Count, mean, minimum, maximum and deviation are those of all values together. Percentiles do not
    follow from summaries: with several series the median is the median of their medians, and p5 and
    p95 are None.
    """
    if len(summaries) == 1:
        return summaries[0]
    count = sum(item.count for item in summaries)
    mean = math.fsum(item.count * item.mean for item in summaries) / count

    def known(name: str) -> list[float] | None:
        values = [getattr(item, name) for item in summaries]
        return None if None in values else values

    medians, minima, maxima, deviations = map(known, ("median", "min", "max", "std"))
    squares = (
        item.count * (item.std**2 + (item.mean - mean) ** 2) for item in summaries if deviations
    )
    return Summary(
        count=count,
        median=percentile(medians, 50) if medians else None,
        mean=mean,
        min=min(minima) if minima else None,
        max=max(maxima) if maxima else None,
        std=math.sqrt(math.fsum(squares) / count) if deviations else None,
        p5=None,
        p95=None,
    )


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return the ratio b / a of two models that took turns in one run, session by session.

    Taking the ratio within each session cancels what slows both alike (heat, other processes). The
    interval is Student's on the logarithms of the sessions' ratios.

    Args:
        a: one positive figure per session (its median) of the model to compare with.
        b: the same of the other model, in the same order.

    Raises:
        ValueError: empty or unequally long series, or a figure that is not positive.
    """
    if len(a) != len(b):
        raise ValueError(
            f"{len(a)} and {len(b)} sessions cannot be paired; allowed are as many of each. "
            "Measure both models in one run, or take unpaired_ratio"
        )
    logs = [y - x for x, y in zip(_logs(a), _logs(b), strict=True)]
    half = None
    if len(logs) > 1:
        half = _t95(len(logs) - 1) * math.sqrt(_variance(logs) / len(logs))
    return _as_ratio(_mean(logs), half, max(logs) - min(logs), len(logs))


def unpaired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return the ratio b / a of two separate runs, with Welch's interval on logarithms.

    Args:
        a: one positive figure per session of the earlier run.
        b: the same of the later run; the lengths may differ.

    Raises:
        ValueError: an empty series, or a figure that is not positive.
    """
    x, y = _logs(a), _logs(b)
    half = None
    if len(x) > 1 and len(y) > 1:
        vx, vy = _variance(x) / len(x), _variance(y) / len(y)
        freedom = 1.0
        if vx + vy > 0:
            freedom = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
        half = _t95(int(freedom)) * math.sqrt(vx + vy)
    spread = max(y) - min(y) + max(x) - min(x)
    return _as_ratio(_mean(y) - _mean(x), half, spread, min(len(x), len(y)))


def _as_ratio(log: float, half: float | None, spread: float, sessions: int) -> Ratio:
    return Ratio(
        ratio=math.exp(log),
        low=None if half is None else math.exp(log - half),
        high=None if half is None else math.exp(log + half),
        spread=math.exp(spread),
        sessions=sessions,
    )


def _logs(values: Sequence[float]) -> list[float]:
    if not values or min(values) <= 0:
        raise ValueError(
            f"{list(values)!r:.60} has no ratio; allowed are one or more positive figures"
        )
    return [math.log(value) for value in values]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _t95(freedom: int) -> float:
    return _T95[max(freedom, 1) - 1] if freedom <= len(_T95) else 1.96 + 2.5 / freedom
