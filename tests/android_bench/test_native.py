import json
import re
import subprocess
from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import tflite_files
from ai_edge_litert import schema_py_generated as schema

from android_bench import BenchmarkOptions, DeviceError, worker
from android_bench.engines.c_runner import (
    complete_document,
    model_arguments,
    prepare_models,
    runner_arguments,
)
from android_bench.errors import ToolMissing
from android_bench.native import build, build_runner

LIBRARY = Path(util.find_spec("ai_edge_litert").origin).with_name("libLiteRt.so")
SHORT = BenchmarkOptions(num_runs=3, min_secs=0.0, warmup_min_secs=0.0, sessions=2)


@pytest.fixture(scope="session")
def host_runner(tmp_path_factory):
    try:
        return build_runner("host", tmp_path_factory.mktemp("built"))
    except ToolMissing as error:
        pytest.skip(str(error))


def run(program, *words):
    completed = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    return completed.returncode, json.loads(completed.stdout)


def measure(program, folder, model, *words, options=SHORT):
    """Prepare, run and complete, as a device does."""
    (prepared,) = prepare_models([model], options, folder, 60)
    outputs = [folder / f"output{i}.bin" for i in range(len(prepared.expected))]
    files = model_arguments(str(model), map(str, prepared.inputs), map(str, outputs))
    code, document = run(program, *runner_arguments(options, str(LIBRARY)), *words, *files)
    assert code == 0, document
    return complete_document(document, [prepared], [outputs])


@pytest.mark.parametrize("name", ["float32", "int8", "mixed"])
def test_the_runner_prints_the_workers_document_with_the_same_outputs(
    host_runner, models, tmp_path, name
):
    path = models / f"{name}.tflite"
    (told,) = measure(host_runner, tmp_path, path)["models"]
    (expected,) = worker.measure(SHORT.for_worker() | {"models": [str(path)]})["models"]
    assert set(expected) <= set(told)
    assert all(output.pop("equals_host") for output in told["outputs"])
    for key in ("inputs", "outputs", "nodes", "delegated_nodes", "partitions", "not_delegated"):
        assert told[key] == expected[key], key
    assert [len(session) for session in told["sessions_us"]] == [3, 3]
    assert told["memory_peak_mb"] >= told["memory_init_mb"] > 0


def test_the_runners_own_defaults_are_the_workers():
    """It is always sent all options by the engine; by hand it does the same without them."""
    source = (build.SOURCES / "runner.c").read_text()
    initializer = re.search(r"struct Options options = \{(.*?)\};", source, re.DOTALL)[1]
    defaults = dict(re.findall(r"\.(\w+) = ([-.\d]+)", initializer))
    assert len(defaults) == 9
    for name, value in defaults.items():
        assert float(value) == getattr(worker.Options(), name), name


def test_several_models_take_turns_in_one_run(host_runner, models, tmp_path):
    files = []
    for name in ("float32", "int8"):
        folder = tmp_path / name
        folder.mkdir()
        (prepared,) = prepare_models([models / f"{name}.tflite"], SHORT, folder, 60)
        files += model_arguments(str(prepared.model), map(str, prepared.inputs))
    code, document = run(host_runner, *runner_arguments(SHORT, str(LIBRARY)), *files)
    assert code == 0
    assert [len(model["sessions_us"]) for model in document["models"]] == [2, 2]
    assert document["models"][0]["memory_peak_mb"] is None


def test_inputs_follow_the_graph_though_the_signature_has_another_order(host_runner, tmp_path):
    path = difference(tmp_path / "difference.tflite")
    values = [np.full((1, 4), 7, np.float32), np.full((1, 4), 2, np.float32)]
    names = [str(tmp_path / f"{name}.npy") for name in "ab"]
    for name, value in zip(names, values, strict=True):
        np.save(name, value)
    (told,) = measure(host_runner, tmp_path, path, options=replace(SHORT, input_files=names))[
        "models"
    ]
    assert told["outputs"][0]["equals_host"]
    assert np.fromfile(tmp_path / "output0.bin", np.float32).tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["MODEL", "--input", "MODEL"], "bytes, which do not fit input 'image'; allowed is 3072"),
        (["MODEL"], "0 input files do not fit the 1 inputs"),
        (["CUT", "--input", "MODEL"], "cut.tflite"),
        (["FOREIGN", "--input", "MODEL"], "is not a TFLite model"),
        (["/no/such model", "--input", "MODEL"], "/no/such model"),
        (["--sessions", "many", "MODEL"], "--sessions 'many' is no number; allowed is a number"),
        (
            ["--colour", "red", "MODEL"],
            "option --colour is unknown; allowed are --library",
        ),
        (["--library", "/no/such.so", "MODEL"], "cannot load /no/such.so"),
        ([], "there is no model to run. Name one"),
    ],
)
def test_the_runner_says_in_one_line_what_is_wrong(host_runner, models, words, said):
    names = {"MODEL": "float32", "CUT": "cut", "FOREIGN": "foreign"}
    words = [str(models / f"{names[word]}.tflite") if word in names else word for word in words]
    code, document = run(host_runner, "--library", str(LIBRARY), *words)
    assert code == 3
    assert said in document["error"] and "\n" not in document["error"]


def test_a_model_at_fault_is_told_before_any_device_is_asked(models, tmp_path):
    with pytest.raises(ValueError, match="cut.tflite"):
        prepare_models([models / "cut.tflite"], SHORT, tmp_path, 60)


def test_a_missing_compiler_is_told_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="apt-get install gcc-aarch64-linux-gnu"):
        build_runner("aarch64", tmp_path)
    with pytest.raises(ValueError, match="'mips' is unknown; allowed are host, aarch64"):
        build_runner("mips", tmp_path)


def test_a_failed_build_says_why_and_leaves_nothing(tmp_path, monkeypatch, host_runner):
    for file in (*build.RUNNER, *build.HEADERS):
        (tmp_path / file).write_bytes((build.SOURCES / file).read_bytes())
    (tmp_path / "model.c").write_text("int broken(void) { return undeclared; }\n")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    with pytest.raises(DeviceError, match="undeclared"):
        build_runner("host", tmp_path / "built")
    assert [path for path in (tmp_path / "built").rglob("*") if path.is_file()] == []


def test_missing_headers_of_the_c_library_are_told_with_their_package(tmp_path, monkeypatch):
    for file in (*build.RUNNER, *build.HEADERS):
        (tmp_path / file).write_text("#include <bits/absent.h>\n")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    with pytest.raises(DeviceError, match="apt-get install libc6-dev$"):
        build_runner("host", tmp_path / "built")


def test_the_profilers_events_come_by_run(host_runner, models, tmp_path):
    told = measure(host_runner, tmp_path, models / "mixed.tflite", "--profile", "2")
    runs = told["models"][0]["profile"]
    ops = [[event["tag"] for event in run if event["type"] in (2, 8)] for run in runs]
    assert len(ops) == 2 and ops[0] == ops[1]
    assert [tag.partition(" ")[0] for tag in ops[0]] == ["Convolution", "REVERSE_V2", "Convolution"]


def difference(path):
    """Write a - b, whose signature names b before a."""
    model = tflite_files.new_model()
    graph = tflite_files.Graph(model)
    a, b, c = (graph.tensor(name, (1, 4)) for name in "abc")
    graph.op("SUB", [a, b], [c], schema.SubOptionsT())
    graph.subgraph.inputs, graph.subgraph.outputs = [a, b], [c]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [entry("second", b), entry("first", a)]
    signature.outputs = [entry("c", c)]
    model.signatureDefs = [signature]
    return tflite_files.save(model, path)


def entry(name, tensor):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry
