import io
import re

import pytest
from rich.console import Console

from android_bench import benchmark_interleaved
from android_bench.profiling import OpProfile, ProfiledOp
from lwcnn.report.bench_changes import compare_rows
from lwcnn.report.bench_fragment import bench_fragment
from lwcnn.report.bench_plots import (
    accuracy_points,
    plot_accuracy,
    plot_kernels,
    plot_latency,
    plot_tail,
)
from lwcnn.report.bench_table import print_changes, print_rows
from lwcnn.report.op_profile import plot_profile, print_profile


@pytest.fixture(scope="module")
def rows(models, short):
    paths = [models / "float32.tflite", models / "slow.tflite"]
    return [result.to_dict() for result in benchmark_interleaved(paths, sessions=3, **short)]


@pytest.fixture(scope="module")
def emulated(rows):
    """A row as an emulated core gives it."""
    times = {name: None for name in rows[0] if name.endswith("_us")}
    return rows[0] | times | {
        "device": "emulated:cortex-a72", "engine": "runner", "session_medians_us": [],
        "instructions": 3_000_000, "instruction_classes": {"SIMD": 2_000_000, "scalar": 1_000_000},
        "instruction_kernels": {"gemm <4x16>": 2_500_000, "setup": 500_000},
    }  # fmt: skip


def with_medians(row, medians):
    return row | {"session_medians_us": medians}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([100, 101, 99], [100, 102, 98], "same"),
        ([100, 101, 99], [120, 121, 119], "slower"),
        ([100, 101, 99], [80, 81, 79], "faster"),
        ([100, 101, 99], [103, 103.1, 102.9], "same"),  # beyond noise, within the tolerance
        ([100, 150, 70], [120, 180, 80], "same"),  # a larger change, but as large a noise
        ([100], [200], "unknown"),
    ],
)
def test_a_change_counts_when_its_interval_lies_beyond_the_tolerance(rows, before, after, verdict):
    (change,) = compare_rows([with_medians(rows[0], before)], [with_medians(rows[0], after)])
    assert change.verdict == verdict


def test_rows_of_the_same_measurement_are_taken_together(rows):
    earlier = [with_medians(rows[0], [m]) for m in (100, 101, 99)]
    later = [with_medians(rows[0], [m]) for m in (130, 131, 129)]
    (change,) = compare_rows(earlier, later)
    assert change.verdict == "slower" and change.before == 100 and change.after == 130


def test_what_is_on_one_side_only_is_new_or_missing_and_threads_are_kept_apart(rows):
    four = rows[0] | {"num_threads": 4}
    changes = compare_rows([rows[0]], [four])
    assert [change.verdict for change in changes] == ["missing", "new"]
    assert "4 threads" in changes[1].name


def test_instructions_are_counted_not_sampled(emulated):
    for count, verdict in [(3_000_010, "same"), (3_001_000, "slower"), (2_999_000, "faster")]:
        (change,) = compare_rows([emulated], [emulated | {"instructions": count}])
        assert (change.quantity, change.verdict) == ("instructions", verdict)


def test_a_delegate_that_takes_fewer_ops_is_told(rows, capsys, monkeypatch):
    changes = compare_rows([rows[0]], [rows[0] | {"delegated_nodes": 1}])
    assert changes[0].delegated == (2, 1)
    monkeypatch.setenv("COLUMNS", "200")
    print_changes(changes)
    assert "delegated ops 2 -> 1" in capsys.readouterr().out


def test_a_negative_tolerance_is_refused(rows):
    with pytest.raises(ValueError, match="-0.1 is out of range; allowed is 0 or more"):
        compare_rows(rows, rows, -0.1)


def test_emulated_rows_are_printed_as_instructions_and_never_as_milliseconds(
    emulated, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "200")
    print_rows([emulated])
    printed = capsys.readouterr().out
    assert "3.000" in printed and "SIMD" in printed and "emulated" in printed
    assert " ms" not in printed and "(ms)" not in printed


def test_measured_rows_are_printed_with_the_ratio_to_the_first(rows, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    print_rows(rows)
    printed = capsys.readouterr().out
    assert "Latency (ms)" in printed and "2/2 in 1" in printed
    assert re.search(r"95 % interval(.|\n)*\d\.\d{3} - \d+\.\d{3} │\n", printed)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_every_plot_is_a_picture(rows, emulated, tmp_path, suffix):
    plots = {
        "latency": lambda path: plot_latency([*rows, emulated], path),
        "tail": lambda path: plot_tail(rows, path),
        "kernels": lambda path: plot_kernels([emulated], path),
        "accuracy": lambda path: plot_accuracy(
            [("net", "float32", 5e6, 0.9), ("net", "int8", 3e6, 0.89)], path, "instructions"
        ),
    }
    for name, draw in plots.items():
        content = draw(tmp_path / f"{name}.{suffix}").read_bytes()
        assert content.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert len(list(tmp_path.iterdir())) == len(plots)


def test_accuracy_and_cost_are_joined_by_the_file_they_belong_to(rows, emulated):
    core = "emulated:cortex-a72"
    counted = emulated | {"model": "net.int8.tflite", "sha256": "a" * 64}
    compared = {"kind": "compare", "mode": "int8", "sha256": "a" * 64, "top1": 0.9}
    other = compared | {"sha256": "b" * 64}
    joined = accuracy_points([*rows, counted, compared, other], core)
    assert joined == [("net", "int8", 3_000_000, 0.9)]
    timed = rows[0] | {"sha256": "b" * 64, "model": "int8.tflite"}
    assert accuracy_points([timed, other], "host") == [("", "int8", timed["median_us"] / 1000, 0.9)]


def test_nothing_to_draw_and_an_unknown_kind_of_picture_are_refused(rows, emulated, tmp_path):
    with pytest.raises(ValueError, match="no row has a median"):
        plot_latency([emulated], tmp_path / "a.png")
    with pytest.raises(ValueError, match="instructions by kernel"):
        plot_kernels(rows, tmp_path / "a.png")
    with pytest.raises(ValueError, match="'a.gif' has another suffix; allowed are .png, .svg"):
        plot_latency(rows, tmp_path / "a.gif")


def test_the_fragment_is_self_contained_escapes_names_and_keeps_the_two_figures_apart(
    rows, emulated
):
    odd = rows[0] | {"model": "<script>alert(1)</script>.tflite"}
    page = bench_fragment([odd, emulated])
    assert "<script>" not in page and "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    times, counts = page.split("AArch64 instructions per inference")
    assert " ms</td>" in times and " ms</td>" not in counts and "3.000 M" in counts
    assert bench_fragment([]) == ""


def test_an_op_profile_shows_layers_and_kernels_as_table_and_picture(tmp_path):
    ops = (
        ProfiledOp(0, "Convolution (NHWC, QC8) IGEMM", None, "", True, 3100.0),
        ProfiledOp(1, "Add (ND)", None, "", True, 1000.0),
        ProfiledOp(2, "SOFTMAX", "SOFTMAX", "net/probabilities", False, 100.0),
    )
    profile = OpProfile("net.tflite", "adb:1234", "benchmark_model", "us", 50, 4210.5, ops)
    text = io.StringIO()
    print_profile(profile, console=Console(file=text, width=140))
    for word in ("net.tflite", "adb:1234", "Convolution (NHWC, QC8) IGEMM", "3,100", "99.8 %"):
        assert word in text.getvalue()
    picture = plot_profile(profile, tmp_path / "ops.svg")
    assert "by kernel" in picture.read_text() or picture.stat().st_size > 5000
    empty = OpProfile("m", "d", "s", "us", 1, None, ())
    print_profile(empty, console=Console(file=text))
    assert empty.covered is None


def test_results_are_shown_in_a_line(models, short):
    (result,) = benchmark_interleaved([models / "mixed.tflite"], sessions=2, **short)
    shown = repr(result)
    assert "mixed.tflite on host, 1 thread, worker: median" in shown
    assert "6 runs, 2 of 3 ops delegated" in shown and len(shown) < 120
    profile = OpProfile(
        "m", "d", "s", "us", 1, None, (ProfiledOp(0, "k", None, "", True, 1.0),) * 9
    )
    assert len(repr(profile)) < 120
