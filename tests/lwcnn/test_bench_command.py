"""`lwcnn bench`: its own options, exit codes and messages."""

import json

import pytest

from lwcnn.main import main
from lwcnn.rows import read_rows

QUICK = ["--runs", "3", "--min-secs", "0", "--warmup-min-secs", "0"]


@pytest.fixture
def lwcnn(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def test_each_number_of_threads_is_a_run_and_each_file_a_row_in_it(lwcnn, models, tmp_path):
    files = [models / "float32.tflite", models / "int8.tflite"]
    rows, picture = tmp_path / "rows.jsonl", tmp_path / "latency.png"
    words = ["--threads", "1,2", *QUICK, "--rows", rows, "--plot", picture]
    code, printed, _ = lwcnn("bench", *files, *words)
    assert code == 0 and "Latency (ms)" in printed and picture.is_file()
    found = [(row["model"], row["num_threads"]) for row in read_rows(rows, "bench")]
    assert found == [(file.name, n) for n in (1, 2) for file in files]
    assert len({row["run"] for row in read_rows(rows)}) == 2


def test_comparing_exits_with_1_when_something_became_slower(lwcnn, models, tmp_path):
    slow, fast, same = tmp_path / "slow.jsonl", tmp_path / "fast.jsonl", tmp_path / "same.jsonl"
    lwcnn("bench", models / "slow.tflite", *QUICK, "--rows", fast)
    row = read_rows(fast)[0]
    medians = [100.0, 101.0, 99.0]
    fast.write_text(json.dumps(row | {"session_medians_us": medians}) + "\n")
    same.write_text(fast.read_text())
    slow.write_text(json.dumps(row | {"session_medians_us": [2 * m for m in medians]}) + "\n")
    assert lwcnn("bench", "compare", fast, slow)[0] == 1
    assert lwcnn("bench", "compare", slow, fast)[0] == 0
    assert lwcnn("bench", "compare", fast, same)[0] == 0
    assert lwcnn("bench", "compare", fast, slow, "--tolerance", "1.5")[0] == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--adb", "/x"], "--adb is for adb devices, not for 'host'"),
        (["--setup-board"], "--setup-board is for ssh devices"),
        (["--device", "adb", "--python", "x"], "--python is for ssh devices"),
        (["--device", "ssh:pi", "--profile"], "--profile works on host and emulated:CORE"),
        (["--threads", "0"], "num_threads is 0"),
        (["--affinity", "fast"], "affinity is 'fast'"),
        (["--device", "emulated:cortex-z9"], "cortex-a72"),
        (["--device", "phone"], "allowed: host, ssh:"),
        (["--plot", "x.gif"], "allowed suffixes: .png, .svg"),
    ],
)
def test_bad_options_end_in_one_line_and_exit_code_2(lwcnn, models, words, found):
    code, _, said = lwcnn("bench", models / "float32.tflite", *QUICK, *words)
    line = said.splitlines()[-1]
    assert code == 2 and found in line


def test_a_crash_of_the_interpreter_is_one_line_and_exit_code_2(lwcnn, models):
    code, printed, said = lwcnn("bench", models / "crashing.tflite")
    assert code == 2 and "crashed the interpreter" in said and "Traceback" not in said
    assert printed == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["compare", "a.jsonl"], "BEFORE.jsonl and AFTER.jsonl, not 1 file"),
        (["compare", "/nowhere/a.jsonl", "b.jsonl"], "/nowhere/a.jsonl"),
        ([], "no FILE.tflite to measure"),
    ],
)
def test_a_comparison_without_its_two_files_is_told(lwcnn, words, found):
    code, _, said = lwcnn("bench", *words)
    assert code == 2 and found in said and len(said.splitlines()) == 1
