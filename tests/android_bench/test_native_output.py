import pytest

from android_bench.engines.tool_output import parse_tool_output
from android_bench.statistics import Summary, merge, summarize

TFLITE = """\
STARTING!
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: count=3 first=187533 curr=211011 min=187533 max=236463 avg=211669 std=19982 p5=187533 median=211011 p95=236463
INFO: Running benchmark for at least 25 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=25 first=187533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=140545 median=141253 p95=187533
INFO: Inference timings in us: Init: 92318, First inference: 187533, Warmup (avg): 211669, Inference (avg): 145528
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE.
INFO: Memory footprint delta from the start of the tool (MB): init=54.2852 overall=73.4102
"""  # noqa: E501

OLD = """\
count=1 curr=2950337
Running benchmark for at least 1 iterations
count=2 first=2950340 curr=2.95034e+06 min=2.95e+06 max=2.96e+06 avg=2.95034e+06 std=12
Inference timings in us: Init: 812, First inference: 2950337, Warmup (avg): 2.95034e+06, Inference (avg): 2.95034e+06
"""  # noqa: E501

LITERT = """\
I0000 00:00:1.0 1 benchmark_litert_model.cc:99]
========== BENCHMARK RESULTS ==========
INFO: Model initialization:  4.59 ms
INFO: Warmup (first):        1.57 ms
INFO: Warmup (avg):          1.06 ms (5 runs)
INFO: Inference (avg):       0.94 ms (50 runs)
INFO: Inference (min):       0.86 ms
INFO: Inference (max):       1.22 ms
INFO: Inference (median):    0.91 ms
INFO: Inference (std):       0.07 ms
INFO: Inference (p5):        0.87 ms
INFO: Inference (p95):       1.03 ms
"""


@pytest.mark.parametrize("prefix", ["", "11-22 16:25:07.030  1234  1234 I tflite  : "])
def test_benchmark_models_measurement_is_told_from_its_warm_up(prefix):
    text = "".join(prefix + line.removeprefix("INFO: ") for line in TFLITE.splitlines(True))
    for output in (parse_tool_output(TFLITE), parse_tool_output(text)):
        assert output.summary == Summary(
            count=25, median=141253, mean=145528, min=140071, max=195121, std=13583, p5=140545,
            p95=187533,
        )  # fmt: skip
        assert (output.init_us, output.first_us) == (92318, 187533)
        assert (output.warmup_us, output.warmup_runs) == (211669, 3)
        assert (output.memory_init_mb, output.memory_peak_mb) == (54.2852, 73.4102)


def test_older_builds_have_no_percentiles_and_numbers_with_exponents():
    output = parse_tool_output(OLD)
    assert (output.summary.mean, output.summary.min) == (2950340, 2950000)
    assert output.summary.median is None and output.summary.p95 is None
    assert output.memory_peak_mb is None


def test_a_count_line_with_one_value_alone_gives_all_statistics():
    text = OLD.replace("count=2 first=2950340", "count=9").replace(" min=2.95e+06", "")
    text = text.replace(" max=2.96e+06 avg=2.95034e+06 std=12", "")
    summary = parse_tool_output(text).summary
    assert summary == Summary(9, 2950340, 2950340, 2950340, 2950340, 0.0, 2950340, 2950340)


def test_litert_prints_milliseconds():
    output = parse_tool_output(LITERT)
    assert output.summary.median == pytest.approx(910) and output.summary.count == 50
    assert output.summary.std == pytest.approx(70)
    assert (output.init_us, output.first_us, output.warmup_runs) == (4590, 1570, 5)


@pytest.mark.parametrize(
    "text",
    ["", "Segmentation fault", TFLITE[: TFLITE.index("Inference timings")], LITERT[:100]],
)
def test_output_that_ends_too_early_is_refused(text):
    with pytest.raises(ValueError):
        parse_tool_output(text)


def test_merged_sessions_have_the_exact_mean_and_deviation_of_all_values():
    series = [[1, 2, 3, 10], [4, 5], [6, 7, 8]]
    merged = merge([summarize(values) for values in series])
    together = summarize(sum(series, []))
    for name in ("count", "mean", "std", "min", "max"):
        assert getattr(merged, name) == pytest.approx(getattr(together, name))
    assert merged.median == 5 and merged.p5 is None and merged.p95 is None
