import numpy as np
import pytest

from android_bench.statistics import paired_ratio, percentile, summarize, unpaired_ratio


def test_percentiles_are_picked_as_benchmark_model_picks_them():
    # 25 values, as in a log of the native tool: p95 is sorted[23], never an interpolation.
    values = list(range(100, 125))[::-1]
    assert percentile(values, 5) == 101
    assert percentile(values, 50) == 112
    assert percentile(values, 95) == 123
    assert percentile(values, 100) == 124
    assert percentile([7], 0) == percentile([7], 95) == 7


def test_a_summary_agrees_with_numpy_and_its_deviation_is_the_populations():
    values = [3, 1, 4, 1, 5, 9, 2, 6]
    summary = summarize(values)
    assert summary.mean == np.mean(values)
    assert summary.std == pytest.approx(np.std(values))
    assert (summary.min, summary.max, summary.count) == (1, 9, 8)
    assert summary.median == sorted(values)[4]


def test_no_values_and_an_impossible_percentile_are_refused():
    with pytest.raises(ValueError, match="one or more values"):
        summarize([])
    with pytest.raises(ValueError, match="101 is out of range; allowed is 0 to 100"):
        percentile([1], 101)


def test_pairing_cancels_a_drift_that_meets_both_models():
    drift = [1.0, 1.5, 2.0, 3.0]
    ratio = paired_ratio([100 * d for d in drift], [250 * d for d in drift])
    assert ratio.ratio == pytest.approx(2.5)
    assert ratio.low == pytest.approx(2.5) and ratio.high == pytest.approx(2.5)
    assert ratio.spread == pytest.approx(1.0)
    unpaired = unpaired_ratio([100 * d for d in drift], [250 * d for d in drift])
    assert unpaired.low < 1.5 and unpaired.high > 4


@pytest.mark.parametrize("ratio_of", [paired_ratio, unpaired_ratio])
@pytest.mark.parametrize("sessions", [3, 8, 40])
def test_the_interval_holds_the_true_ratio_about_95_times_in_100(ratio_of, sessions):
    random = np.random.default_rng(1)
    held = 0
    for _ in range(600):
        a = 100 * np.exp(random.normal(0, 0.05, sessions))
        b = 130 * np.exp(random.normal(0, 0.08, sessions))
        ratio = ratio_of(list(a), list(b))
        held += ratio.low <= 1.3 <= ratio.high
    assert 0.92 <= held / 600 <= 0.985


def test_one_session_gives_a_ratio_without_an_interval():
    for ratio in (paired_ratio([2], [3]), unpaired_ratio([2], [3, 3])):
        assert ratio.ratio == pytest.approx(1.5)
        assert ratio.low is None and ratio.high is None


@pytest.mark.parametrize(("a", "b"), [([], []), ([1], [0]), ([1, 2], [1])])
def test_series_that_have_no_ratio_are_refused(a, b):
    with pytest.raises(ValueError):
        paired_ratio(a, b)
