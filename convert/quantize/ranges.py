"""Choosing what range of real values the 256 integers of a tensor cover."""

import numpy as np

RANGES = ("minmax", "percentile", "mse")
LEVELS = 255
SHRINKS = np.concatenate([np.linspace(0.3, 0.95, 14), np.linspace(0.96, 1.0, 5)])


def choose_range(
    histogram: np.ndarray, low: float, high: float, method: str, percentile: float = 99.99
) -> tuple[float, float]:
    """Return the range that a tensor's integers should cover.

    Args:
        histogram: counts of the tensor's values in equal bins from `low` to `high`.
        low: smallest value seen.
        high: largest value seen.
        method: "minmax" covers all values; "percentile" cuts the rarest on both sides;
            "mse" minimizes the mean squared rounding and clipping error over the histogram.
        percentile: share of values to cover in percent, for "percentile".

    Returns:
        (low, high), a part of the given range that holds zero as integers need it.

    Raises:
        ValueError: unknown method, or a percentile outside of (50, 100].
    """
    if method not in RANGES:
        raise ValueError(f"ranges={method!r} is unknown; allowed are {', '.join(RANGES)}")
    if not 50 < percentile <= 100:
        raise ValueError(
            f"percentile={percentile!r} covers no range; allowed are values above 50, up to 100"
        )
    low, high = min(low, 0.0), max(high, 0.0)
    if method == "minmax" or not histogram.any() or low == high:
        return low, high
    if method == "percentile":
        return _percentile(histogram, low, high, percentile)
    return _least_error(histogram, low, high)


def _percentile(
    histogram: np.ndarray, low: float, high: float, percentile: float
) -> tuple[float, float]:
    edges = np.linspace(low, high, len(histogram) + 1)
    share = np.concatenate([[0.0], np.cumsum(histogram) / histogram.sum()])
    tail = 1 - percentile / 100
    cut_low = np.interp(tail, share, edges) if low < 0 else 0.0
    cut_high = np.interp(1 - tail, share, edges) if high > 0 else 0.0
    return min(float(cut_low), 0.0), max(float(cut_high), 0.0)


def _least_error(histogram: np.ndarray, low: float, high: float) -> tuple[float, float]:
    edges = np.linspace(low, high, len(histogram) + 1)
    centers, weights = (edges[1:] + edges[:-1]) / 2, histogram / histogram.sum()
    lows = low * SHRINKS if low < 0 else np.zeros(1)
    highs = high * SHRINKS if high > 0 else np.zeros(1)
    least, best = np.inf, (low, high)
    for tried_low in lows:
        tried_high = highs[:, None]
        clipped = np.clip(centers[None], tried_low, tried_high) - centers[None]
        # Rounding to steps of s leaves s^2 / 12 where nothing is clipped.
        rounding = ((tried_high - tried_low) / LEVELS) ** 2 / 12
        error = (np.where(clipped == 0, rounding, clipped**2) * weights).sum(axis=1)
        index = int(error.argmin())
        if error[index] < least:
            least, best = float(error[index]), (float(tried_low), float(highs[index]))
    return best
