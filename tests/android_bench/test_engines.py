"""Engines on a device that is a folder of this machine: neither adb nor ssh is needed."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from android_bench import DeviceError, benchmark_interleaved
from android_bench.devices.local import run_local
from android_bench.engines.benchmark_model import BenchmarkModel, turns
from android_bench.engines.c_runner import CRunner
from android_bench.engines.python_worker import PythonWorker
from android_bench.interfaces import Device
from lwcnn.rows import validate_row

FACTS = {
    "os": "Android 14", "cpu": "Phone", "architecture": os.uname().machine, "core": None,
    "governor": "schedutil", "frequencies_mhz": {}, "temperatures_c": {}, "big_cores": "0x1",
}  # fmt: skip


class Folder(Device):
    """A phone that is a folder."""

    name = "adb:folder"

    def __init__(self, engine):
        self.engine = engine
        self.folder = Path(tempfile.mkdtemp())

    def push(self, local, name):
        return str(shutil.copyfile(local, self.folder / name))

    def run(self, command, timeout):
        inside = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(self.folder)]
        return run_local([*inside, *command], timeout, self.name)

    def pull(self, remote, local):
        return Path(shutil.copyfile(remote, local))

    def facts(self):
        return dict(FACTS)

    def close(self):
        shutil.rmtree(self.folder)


TOOL = """#!/bin/sh
echo "$@" >> calls
echo "INFO: count=4 first=9 curr=11 min=9 max=11 avg=10 std=1 p5=9 median=10 p95=11"
echo "INFO: Inference timings in us: Init: 5, First inference: 9, Warmup (avg): 9, Inference (avg): 10"
"""  # noqa: E501


def test_benchmark_model_runs_once_per_model_and_session_in_turns(models, short, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text(TOOL)
    paths = [models / "float32.tflite", models / "int8.tflite"]
    with Folder(BenchmarkModel(tool)) as device:
        results = benchmark_interleaved(paths, device, sessions=2, **short)
        calls = (device.folder / "calls").read_text().splitlines()
    assert [Path(call.split()[0]).name for call in calls] == [
        "model0.tflite", "model1.tflite", "model1.tflite", "model0.tflite",
    ]  # fmt: skip
    assert [turns(2, session) for session in (0, 1)] == [[0, 1], [1, 0]]
    for result in results:
        validate_row(result.to_dict())
        assert (result.engine, result.os, result.median_us) == ("benchmark_model", "Android 14", 10)
        assert result.before["governor"] == "schedutil" and result.runs == 8


def test_inputs_that_a_benchmark_binary_cannot_take_are_refused(models, tmp_path):
    with (
        Folder(BenchmarkModel(tmp_path / "tool")) as device,
        pytest.raises(ValueError, match="input_range and input_files do not fit.*Leave them out"),
    ):
        benchmark_interleaved([models / "int8.tflite"], device, input_range=(0, 1))


def test_the_runner_brings_its_outputs_back_and_computes_what_this_machine_does(
    models, short, need
):
    need("gcc", "gcc")
    if os.uname().machine != "x86_64":
        pytest.skip("the bundle of this machine's own runner is x86_64's")
    paths = [models / "int8.tflite", models / "mixed.tflite"]
    with Folder(CRunner()) as device:
        results = benchmark_interleaved(paths, device, sessions=2, affinity="big", **short)
    for result in results:
        validate_row(result.to_dict())
        assert result.engine == "runner" and result.runtime.startswith("ai-edge-litert 2.")
        assert result.affinity_mask == "0x1" and result.outputs[0]["equals_host"]
    assert results[1].not_delegated == ["REVERSE_V2"]


def test_a_python_that_is_not_there_is_told(models):
    with (
        Folder(PythonWorker(("/nowhere/python",))) as device,
        pytest.raises(DeviceError, match="adb:folder: there is no such program.*Give the path"),
    ):
        benchmark_interleaved([models / "int8.tflite"], device)
