import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from android_bench import worker


def detail(dtype, shape=(1, 4, 4, 3), name="x"):
    return {"name": name, "dtype": np.dtype(dtype).type, "shape": np.array(shape)}


def test_delegation_counts_ops_on_both_sides_of_an_op_that_is_left_out(models):
    found = worker.delegation(worker.open_interpreter(models / "mixed.tflite"))
    assert found == {
        "nodes": 3, "delegated_nodes": 2, "partitions": 2, "not_delegated": ["REVERSE_V2"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_xnnpack_takes_a_whole_convolutional_graph_and_nothing_when_off(models, name):
    path = models / f"{name}.tflite"
    on = worker.delegation(worker.open_interpreter(path))
    off = worker.delegation(worker.open_interpreter(path, use_xnnpack=False))
    assert (on["delegated_nodes"], on["partitions"], on["not_delegated"]) == (2, 1, [])
    assert (off["delegated_nodes"], off["partitions"]) == (0, 0)
    assert off["not_delegated"] == ["CONV_2D", "CONV_2D"]


def test_a_model_opens_from_its_path_and_from_its_bytes(models):
    path = models / "float32.tflite"
    outputs = []
    for model in (path, path.read_bytes()):
        interpreter = worker.open_interpreter(model, num_threads=2)
        interpreter.set_tensor(0, np.ones((1, 16, 16, 3), np.float32))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("name", ["cut", "foreign", "empty"])
def test_what_is_no_whole_model_is_refused_in_one_line_that_names_it(models, name):
    path = models / f"{name}.tflite"
    with pytest.raises(ValueError, match=f"{name}.tflite") as caught:
        worker.open_interpreter(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("float32", -0.5, 0.5), ("int8", -127, 127), ("uint8", 0, 254), ("int32", 0, 99)],
)
def test_random_inputs_span_the_ranges_of_benchmark_model(dtype, low, high):
    random = np.random.RandomState(0)
    values = worker.random_input(detail(dtype, (1, 100, 100, 3)), random)
    assert values.dtype == dtype and values.shape == (1, 100, 100, 3)
    assert low <= values.min() and values.max() <= high
    assert values.min() < low + (high - low) * 0.01 and values.max() > high - (high - low) * 0.01


def test_a_given_input_range_is_kept_and_one_that_does_not_fit_the_type_is_refused():
    random = np.random.RandomState(0)
    values = worker.random_input(detail("int8"), random, (3, 5))
    assert set(np.unique(values)) == {3, 4, 5}
    with pytest.raises(ValueError, match="-1..300 does not fit uint8"):
        worker.random_input(detail("uint8"), random, (-1, 300))


def test_input_files_are_read_with_or_without_batch_dimension_and_checked(tmp_path):
    image = np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)
    for name, values in [("batch.npy", image), ("image.npy", image[0])]:
        np.save(tmp_path / name, values)
        np.testing.assert_array_equal(
            worker.read_input(str(tmp_path / name), detail("int8")), image
        )
    (tmp_path / "raw.bin").write_bytes(image.tobytes())
    np.testing.assert_array_equal(
        worker.read_input(str(tmp_path / "raw.bin"), detail("int8")), image
    )
    with pytest.raises(ValueError, match=r"48 bytes.*allowed is 192"):
        worker.read_input(str(tmp_path / "raw.bin"), detail("float32"))
    with pytest.raises(ValueError, match="holds int8.*allowed is float32"):
        worker.read_input(str(tmp_path / "batch.npy"), detail("float32"))
    with pytest.raises(ValueError, match=r"shape \(1, 4, 4, 3\).*allowed is \(1, 2, 2, 3\)"):
        worker.read_input(str(tmp_path / "batch.npy"), detail("int8", (1, 2, 2, 3)))


class Clock:
    """A clock that an inference moves on by a fixed time."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("step", "runs", "min_secs", "max_secs", "expected"),
    [
        (0.01, 50, 1.0, 150.0, 100),  # fast model: until min_secs
        (0.1, 50, 1.0, 150.0, 50),  # slow model: until num_runs
        (10.0, 50, 1.0, 150.0, 16),  # very slow: until max_secs has passed, not before
        (1.0, 1, 0.0, 150.0, 1),
    ],
)
def test_the_run_loop_ends_when_benchmark_models_does(
    monkeypatch, models, step, runs, min_secs, max_secs, expected
):
    clock = Clock(step)
    run = worker.Run(str(models / "float32.tflite"), worker.Options())
    monkeypatch.setattr(worker, "time", clock)
    monkeypatch.setattr(run, "invoke", lambda: clock.sleep(step) or 1)
    # Sums of 0.01 miss 1.0 by a rounding error, which may cost one more run.
    assert len(run.loop(runs, min_secs, max_secs)) in (expected, expected + (step == 0.01))


def test_models_take_turns_and_the_first_one_changes_from_session_to_session(monkeypatch, models):
    order = []
    real_loop = worker.Run.loop

    def loop(run, *limits):
        order.append(Path(run.path).stem)
        return real_loop(run, *limits)

    monkeypatch.setattr(worker.Run, "loop", loop)
    paths = [str(models / f"{name}.tflite") for name in ("float32", "int8", "mixed")]
    document = worker.measure(
        {"models": paths, "sessions": 3, "num_runs": 2, "min_secs": 0, "warmup_min_secs": 0}
    )
    assert order == (
        ["float32", "int8", "mixed"]  # warm-up
        + ["float32", "int8", "mixed", "int8", "mixed", "float32", "mixed", "float32", "int8"]
    )
    assert [len(model["sessions_us"]) for model in document["models"]] == [3, 3, 3]


def test_the_script_prints_one_document_alone_and_the_first_inference_is_a_warm_up(
    models, tmp_path
):
    options = tmp_path / "options with space.json"
    options.write_text(json.dumps({"models": [str(models / "slow.tflite")], "min_secs": 0}))
    done = subprocess.run(
        [sys.executable, worker.__file__, options], capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    model = document["models"][0]
    assert model["first_us"] == model["warmup_us"][0]
    assert len(model["sessions_us"][0]) == 50
    assert model["memory_peak_mb"] >= model["memory_init_mb"] > 0
    assert document["facts"]["runtime"].startswith("ai-edge-litert 2.")
    assert set(document["before"]) == {"governor", "frequencies_mhz", "temperatures_c"}


def test_equal_seeds_give_equal_outputs_and_other_seeds_others(models):
    def digest(seed):
        path = str(models / "int8.tflite")
        options = {"models": [path], "num_runs": 1, "min_secs": 0, "warmup_min_secs": 0}
        return worker.measure(options | {"seed": seed})["models"][0]["outputs"][0]["sha256"]

    assert digest(0) == digest(0) != digest(1)


def test_the_worker_runs_by_itself_in_a_python_that_knows_none_of_this_project(models, tmp_path):
    script = tmp_path / "worker.py"
    script.write_bytes(Path(worker.__file__).read_bytes())
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import worker
worker.open_interpreter({str(models / "int8.tflite")!r})
ours = {{"android_bench", "convert", "keras_lwcnn", "keras", "tensorflow"}} & set(sys.modules)
assert not ours, ours
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor: 0\nCPU part : 0xd05\nprocessor: 1\nCPU part : 0xd0b\n",
         "1x Cortex-A55 + 1x Cortex-A76"),
        ("CPU part\t: 0xfff\n", "1x Arm part 0xfff"),
        ("model name : Intel(R) Xeon(R)\nmodel name : Intel(R) Xeon(R)\n", "2x Intel(R) Xeon(R)"),
        ("", None),
    ],
)  # fmt: skip
def test_cores_are_named_from_cpuinfo(cpuinfo, expected):
    assert worker.core_name(cpuinfo) == expected


def test_the_big_cores_are_those_of_the_highest_maximum_frequency(monkeypatch):
    speeds = {0: "1800000", 1: "1800000", 2: "2400000", 3: "2400000"}
    monkeypatch.setattr(worker, "cpu_numbers", lambda: sorted(speeds))
    monkeypatch.setattr(worker, "read_text", lambda path: speeds[int(path.split("cpu/cpu")[1][0])])
    assert worker.big_cores() == [2, 3]


@pytest.mark.parametrize("hidden", [[], ["ai_edge_litert"]])
def test_the_runtime_is_litert_and_else_tensorflows_own(models, hidden):
    # Found, not imported: the import alone takes seconds.
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs tensorflow")
    code = f"""
import sys
sys.modules.update(dict.fromkeys({hidden!r}))
from android_bench import worker
interpreter = worker.open_interpreter({str(models / "mixed.tflite")!r}, use_xnnpack=False)
assert worker.delegation(interpreter)["partitions"] == 0
print(worker.runtime_version(worker.load_runtime()).split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == ("tensorflow" if hidden else "ai-edge-litert")
