import json

import numpy as np
import pytest

from android_bench import DeviceError
from android_bench.profiling import (
    ProfilerUnavailable,
    parse_op_csv,
    profile_instructions,
    profile_ops,
    profilers,
    read_op_csv,
)
from android_bench.profiling import litert as by_ctypes
from android_bench.profiling.op_layers import align, layer_names
from android_bench.profiling.profile import from_events

KERAS = "functional_1/mobilenet_1/"


def node(op, output):
    return {"op": op, "outputs": [output]}


# --- Layers ---------------------------------------------------------------------------------


def test_a_fused_op_belongs_to_the_layer_that_computes():
    nodes = [
        node("CONV_2D", f"{KERAS}conv1_relu_1/Relu6;{KERAS}conv1_1/convolution"),
        node(
            "DEPTHWISE_CONV_2D",
            f"{KERAS}dw_relu_1/Relu6;{KERAS}dw_BN_1/batchnorm/mul_1;{KERAS}dw_1/depthwise;"
            f";{KERAS}pad_1/Pad1",
        ),
        node("ADD", f"{KERAS}block_add_1/Add"),
        node("SOFTMAX", "StatefulPartitionedCall_1:0"),
    ]
    assert layer_names(nodes) == ["conv1", "dw", "block_add", "StatefulPartitionedCall_1:0"]


def test_nested_models_keep_what_tells_them_apart():
    nodes = [node("CONV_2D", "f/body/conv/convolution"), node("MEAN", "f/head/pool/Mean")]
    assert layer_names(nodes) == ["body/conv", "head/pool"]
    assert layer_names([node("CONV_2D", "conv1")]) == ["conv1"]
    assert layer_names([{"op": "CONV_2D", "outputs": []}]) == ["CONV_2D"]


def test_xnnpacks_ops_are_aligned_with_the_files_in_order():
    reported = [
        "Convolution (NHWC, QC8) IGEMM",
        "Convolution (NHWC, QC8) DWConv",
        "Fully Connected (NC, QS8, QC8W) GEMM",
        "Add (ND)",
        "Mean (ND) Reduce",
        "Static Reshape (NC)",  # not in the file: belongs to what follows
        "Fully Connected (NC, QS8, QC8W) GEMM",
    ]
    ops = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"]
    assert align(reported, ops) == [0, 1, 2, 3, 4, 5, 5]
    # Two ops fused into one, an op of an unknown name, and nothing at all.
    assert align(["Convolution (NHWC, F32) GEMM", "GELU (NC)"], ["CONV_2D", "ADD", "GELU"]) == [
        0,
        2,
    ]
    assert align(["Copy (NC)"], []) == [None]


# --- LiteRT's profiler ----------------------------------------------------------------------


@pytest.mark.parametrize("use_xnnpack", [True, False])
def test_each_op_is_told_with_its_layer_and_kernel(models, use_xnnpack):
    profile = profile_ops(models / "mixed.tflite", 3, use_xnnpack=use_xnnpack)
    assert [op.op for op in profile.ops] == ["CONV_2D", "REVERSE_V2", "CONV_2D"]
    assert [op.layer for op in profile.ops] == ["conv1", "between", "conv2"]
    assert [op.delegated for op in profile.ops] == [use_xnnpack, False, use_xnnpack]
    kernels = [op.kernel.partition(" ")[0] for op in profile.ops]
    expected = ["Convolution", "REVERSE_V2", "Convolution"]
    assert kernels == (expected if use_xnnpack else ["CONV_2D", "REVERSE_V2", "CONV_2D"])
    assert (profile.unit, profile.runs, profile.device) == ("us", 3, "host")
    assert 0 <= sum(op.value for op in profile.ops) <= profile.total + len(profile.ops)
    assert json.loads(json.dumps(profile.to_dict()))["ops"][1]["layer"] == "between"


def test_sums_by_kernel_op_and_layer_are_of_all_ops(models):
    profile = profile_ops(models / "slow.tflite", 2)
    whole = sum(op.value for op in profile.ops)
    for key in ("kernel", "op", "layer"):
        assert sum(profile.by(key).values()) == pytest.approx(whole)
        assert list(profile.by(key).values()) == sorted(profile.by(key).values(), reverse=True)
    with pytest.raises(ValueError, match="key='colour' is unknown; allowed are kernel, op, layer"):
        profile.by("colour")


def test_a_large_profile_loses_no_events(models):
    assert profile_ops(models / "int8.tflite", 600).runs == 600  # more events than its buffer has


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("missing", {}, FileNotFoundError, "missing.tflite"),
        ("foreign", {}, ValueError, "is not a TFLite model"),
        ("cut", {}, ValueError, "cut.tflite"),
        ("crashing", {}, DeviceError, "crashed the interpreter"),
        ("endless", {"timeout": 3}, DeviceError, "no end within 3 s"),
        ("int8", {"runs": 0}, ValueError, "runs=0 is out of range; allowed is 1 or more"),
        ("int8", {"input_files": ["no.npy"]}, FileNotFoundError, "there is no file no.npy"),
        ("int8", {"colour": 1}, ValueError, "options colour are unknown; allowed are input_range"),
    ],
)
def test_what_cannot_be_profiled_is_told_in_one_line(models, name, options, error, said):
    with pytest.raises(error, match=said) as told:
        profile_ops(models / f"{name}.tflite", **{"runs": 1} | options)
    assert "\n" not in str(told.value)


def test_another_litert_has_no_profile_and_says_so(models, monkeypatch, tmp_path):
    monkeypatch.setattr(by_ctypes.metadata, "version", lambda package: "9.1.0")
    with pytest.raises(ProfilerUnavailable, match=r"ai-edge-litert is 9\.1\.0"):
        by_ctypes.Library()
    script = tmp_path / "without.py"
    script.write_text(
        'import sys; print(\'{"profile": null, "unavailable": "ai-edge-litert is 9.1.0"}\')'
    )
    monkeypatch.setattr(profilers.litert, "__file__", str(script))
    with pytest.raises(ProfilerUnavailable, match="no op profile: ai-edge-litert is 9.1.0"):
        profile_ops(models / "int8.tflite")


def test_a_missing_function_is_told_by_name():
    library = by_ctypes.Library()
    with pytest.raises(ProfilerUnavailable, match="no LiteRtPaintProfile"):
        library.PaintProfile()


def test_inputs_are_matched_by_name(models, tmp_path):
    path = tmp_path / "image.npy"
    np.save(path, np.zeros((1, 16, 16, 3), np.float32))
    assert profile_ops(models / "mixed.tflite", 1, input_files=[str(path)]).ops


# --- Instructions ---------------------------------------------------------------------------


def event(tag, kind, index, start, elapsed):
    return {"tag": tag, "type": kind, "index": index, "start_us": start, "elapsed_us": elapsed}


#: Readings of the clock: 0 1 LiteRT's, 2 Invoke, 3 before XNNPACK's first op, 4 5 after its two,
#: 6 7 LiteRT's own op, 8 9 the second partition with one op, 10 the end of Invoke.
EVENTS = [
    event("LiteRT::Run[buffer registration]", 1, 0, 0, 1),
    event("Invoke", 1, 0, 2, 8),
    event("Convolution (NHWC, F32) IGEMM", 8, 0, 0, 1),
    event("Add (ND)", 8, 1, 0, 1),
    event("REVERSE_V2", 2, 2, 6, 1),
    event("Convolution (NHWC, F32) IGEMM", 8, 0, 0, 1),
    event("Invoke", 32, 2**64 - 1, 0, 2**32),
]
TICKS = [0, 10, 20, 100, 1100, 1300, 1350, 1950, 2000, 5000, 5100]
NODES = [node("CONV_2D", "a"), node("ADD", "b"), node("REVERSE_V2", "c"), node("CONV_2D", "d")]


def test_readings_of_the_clock_become_instructions_of_ops():
    profile = from_events([EVENTS], NODES, model="m", device="d", source="s", ticks=TICKS)
    assert [op.value for op in profile.ops] == [1000, 200, 600, 3000]
    assert [op.layer for op in profile.ops] == ["a", "b", "c", "d"]
    assert profile.total == 5080 and profile.unit == "instructions"


@pytest.mark.parametrize("lost", [2, 3, 5])
def test_readings_that_do_not_add_up_are_an_error_and_no_numbers(lost):
    events = EVENTS[:lost] + EVENTS[lost + 1 :]
    with pytest.raises(ValueError, match="clock was read"):
        from_events([events], NODES, model="m", device="d", source="s", ticks=TICKS)


def test_inferences_with_different_ops_are_an_error():
    with pytest.raises(ValueError, match="2 inferences have different ops"):
        from_events([EVENTS, EVENTS[:-2]], NODES, model="m", device="d", source="s")


def test_an_emulated_core_tells_the_same_instructions_of_each_op_every_time(
    emulator, models, monkeypatch
):
    monkeypatch.setattr("android_bench.devices.emulated.find_emulator", lambda: emulator)
    profiles = [profile_instructions(models / "mixed.tflite", "cortex-a53") for _ in range(2)]
    assert [op.layer for op in profiles[0].ops] == ["conv1", "between", "conv2"]
    # The second convolution has 8 input channels where the first has 3.
    values = [op.value for op in profiles[0].ops]
    assert values[2] > values[0] > values[1] > 0
    assert values == [op.value for op in profiles[1].ops]
    assert sum(values) < profiles[0].total and profiles[0].covered > 0.7


# --- benchmark_model's ----------------------------------------------------------------------

CSV = """Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
ModifyGraphWithDelegate, 1.5, 1.5, 90%, 90%, 100, 1, ModifyGraphWithDelegate/0
AllocateTensors, 0.1, 0.1, 10%, 100%, 0, 2, AllocateTensors/0

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
TfLiteXNNPackDelegate, 3.9, 4.1, 97.6%, 97.6%, 0, 1, [out, other]:66
SOFTMAX, 0.1, 0.1, 2.4%, 100%, 0, 1, [net/probabilities/Softmax]:64

============================== Top by Computation Time ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
TfLiteXNNPackDelegate, 3.9, 4.1, 97.6%, 97.6%, 0, 1, [out, other]:66

Number of nodes executed: 2
Timings (microseconds): count=50 first=4000 curr=4200 min=3900 max=5000 avg=4210.5 std=90
Memory (bytes): count=0
2 nodes observed

Delegate internal:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, QC8) IGEMM, 2.9, 3.1, 75%, 75%, 0, 1, Delegate/Convolution (NHWC, QC8) IGEMM:0
Add (ND), 0.5, 1.0e+00, 25%, 100%, 0, 1, Delegate/Add (ND):1
"""


def test_benchmark_models_csv_gives_the_same_form():
    profile = parse_op_csv(CSV, "net.tflite", "adb:1234")
    assert [op.kernel for op in profile.ops] == [
        "Convolution (NHWC, QC8) IGEMM",
        "Add (ND)",
        "SOFTMAX",
    ]
    assert [op.value for op in profile.ops] == pytest.approx([3100, 1000, 100])
    assert [op.delegated for op in profile.ops] == [True, True, False]
    assert profile.ops[2].op == "SOFTMAX" and "probabilities" in profile.ops[2].layer
    assert (profile.runs, profile.total) == (50, 4210.5)


def test_benchmark_models_table_and_older_csv_are_read_too():
    older = CSV.replace("type, first,", "type, start, first,").replace(", 3.9,", ", 0.0, 3.9,")
    older = older.replace("SOFTMAX, 0.1,", "SOFTMAX, 4.1, 0.1,")
    table = CSV.partition("Delegate internal")[0].replace(", ", "\t ")
    assert [op.value for op in parse_op_csv(older).ops][-1] == pytest.approx(100)
    profile = parse_op_csv(table)
    assert [op.value for op in profile.ops] == pytest.approx([4100, 100])
    assert [op.delegated for op in profile.ops] == [True, False]


def test_a_csv_without_ops_or_cut_is_refused(tmp_path):
    path = tmp_path / "ops.csv"
    path.write_text("count=50 first=1 curr=2\n")
    with pytest.raises(ValueError, match=r"ops\.csv: no op profile.*--enable_op_profiling"):
        read_op_csv(path)
    path.write_text(CSV.partition("Timings")[0])
    with pytest.raises(ValueError, match=r"ops\.csv: the op profile is cut"):
        read_op_csv(path)
