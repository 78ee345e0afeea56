import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from android_bench import BenchmarkOptions, DeviceError, benchmark, benchmark_interleaved
from android_bench.statistics import percentile
from lwcnn.rows import validate_row


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An empty folder that the benchmark's temporary files go to, and so its worker's arguments."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def processes(mark):
    """The processes of this machine with `mark` in their command line."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and str(mark).encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
    return found


def test_a_benchmark_is_a_valid_row_about_the_given_file(models, short):
    path = models / "mixed.tflite"
    result = benchmark(path, num_threads=2, sessions=2, **short)
    validate_row(result.to_dict())
    assert result.model == "mixed.tflite"
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (result.nodes, result.delegated_nodes, result.partitions) == (3, 2, 2)
    assert result.not_delegated == ["REVERSE_V2"]
    assert (result.runs, len(result.sessions_us), len(result.session_medians_us)) == (6, 2, 2)
    assert result.median_us == percentile(sum(result.sessions_us, []), 50)
    assert result.device == "host" and result.num_threads == 2
    assert result.memory_peak_mb > 0


def test_the_mode_is_the_one_that_the_sidecar_names(models, short, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes((models / "int8.tflite").read_bytes())
    assert benchmark(path, **short).mode is None
    (tmp_path / "net.tflite.json").write_text(json.dumps({"mode": "int8"}))
    assert benchmark(path, **short).mode == "int8"


def test_interleaved_models_share_a_run_and_claim_no_memory(models, short):
    paths = [models / "float32.tflite", models / "int8.tflite"]
    first, second = benchmark_interleaved(paths, sessions=3, **short)
    assert first.run == second.run
    assert [first.model, second.model] == ["float32.tflite", "int8.tflite"]
    assert len(first.session_medians_us) == len(second.session_medians_us) == 3
    assert first.memory_init_mb is None and second.memory_peak_mb is None


def test_names_with_spaces_quotes_and_shell_characters_are_only_names(models, short, tmp_path):
    path = tmp_path / 'it\'s a $(touch pwned); `net` "1".tflite'
    path.write_bytes((models / "float32.tflite").read_bytes())
    assert benchmark(path, **short).model == path.name
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["cut", "foreign", "empty"])
def test_what_is_no_whole_model_is_a_value_error_in_one_line(models, name):
    with pytest.raises(ValueError, match=f"{name}.tflite") as caught:
        benchmark(models / f"{name}.tflite")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.tflite"):
        benchmark(tmp_path / "nothing.tflite")


def test_a_model_that_crashes_the_interpreter_does_not_take_the_caller_along(models, scratch):
    with pytest.raises(DeviceError, match="crashed the interpreter") as caught:
        benchmark(models / "crashing.tflite")
    assert "\n" not in str(caught.value)
    assert processes(scratch) == [] and list(scratch.iterdir()) == []


def test_a_hang_ends_at_the_time_limit_and_leaves_nothing(models, scratch):
    with pytest.raises(DeviceError, match="no end within 2 s"):
        benchmark(models / "endless.tflite", timeout=2)
    assert processes(scratch) == [] and list(scratch.iterdir()) == []


def test_the_worker_dies_with_a_caller_that_is_killed(models, scratch):
    code = f"import android_bench; android_bench.benchmark({str(models / 'endless.tflite')!r})"
    caller = subprocess.Popen([sys.executable, "-c", code])
    # By the time it loads LiteRT, the worker has asked for its parent's death signal.
    while not any(b"litert" in Path(f"/proc/{n}/maps").read_bytes() for n in processes(scratch)):
        assert caller.poll() is None
        time.sleep(0.01)
    caller.kill()
    caller.wait()
    deadline = time.monotonic() + 60
    while processes(scratch):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("device", ["phone", "ssh:", "adb:", "emulated:", "ssh:a b", "hosts"])
def test_an_unknown_device_is_refused_with_the_allowed_forms(models, device):
    with pytest.raises(ValueError, match=r"allowed are host, ssh:\[user@\]host") as caught:
        benchmark(models / "float32.tflite", device=device)
    assert repr(device) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"num_threads": 0}, "num_threads=0 is out of range; allowed is 1 or more"),
        ({"num_runs": -1}, "num_runs=-1 is"),
        ({"max_secs": 0}, "max_secs=0 is"),
        ({"run_delay": -0.5}, "run_delay=-0.5 is"),
        ({"input_range": (1, 0)}, r"input_range=\(1, 0\) is"),
        ({"affinity": "fast"}, "affinity='fast' is out of range; allowed is \"big\" or a mask"),
        ({"threads": 2}, "options threads are unknown; allowed are num_threads"),
    ],
)
def test_an_option_out_of_range_is_refused_before_anything_runs(models, options, found):
    with pytest.raises(ValueError, match=found):
        benchmark(models / "float32.tflite", **options)


def test_the_defaults_are_benchmark_models():
    options = BenchmarkOptions()
    assert (options.num_runs, options.min_secs, options.max_secs) == (50, 1.0, 150.0)
    assert (options.warmup_runs, options.warmup_min_secs) == (1, 0.5)
    assert (options.run_delay, options.num_threads, options.use_xnnpack) == (-1.0, 1, True)


def test_the_whole_machine_is_usable_by_mask_and_a_cpu_that_is_not_there_is_refused(models, short):
    assert benchmark(models / "float32.tflite", affinity="0x1", **short).affinity_mask == "0x1"
    with pytest.raises(ValueError, match="does not fit CPUs"):
        benchmark(models / "float32.tflite", affinity=hex(1 << 900), **short)


def test_importing_the_package_loads_nothing_heavy():
    heavy = {"keras", "numpy", "rich", "tensorflow"}
    code = f"import sys, android_bench; assert not {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
