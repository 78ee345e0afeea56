"""`lwcnn bench`: its own options, exit codes and messages."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from android_bench import BenchmarkOptions
from lwcnn.main import main
from lwcnn.rows import read_rows
from lwcnn.verbs import bench

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
        (["--adb", "/x"], "--adb does not fit 'host'; allowed are adb devices"),
        (["--setup-board"], "--setup-board does not fit 'host'; allowed are ssh devices"),
        (["--device", "adb", "--python", "x"], "--python does not fit 'adb'; allowed are ssh"),
        (
            ["--device", "ssh:pi", "--profile"],
            "--profile does not work on 'ssh:pi'; allowed are host and emulated:CORE",
        ),
        (["--threads", "0"], "num_threads=0 is out of range; allowed is 1 or more"),
        (["--affinity", "fast"], "affinity='fast' is out of range; allowed is \"big\" or a mask"),
        (["--device", "emulated:cortex-z9"], "'cortex-z9' is unknown; allowed are cortex-a53"),
        (["--device", "phone"], "'phone' is unknown; allowed are host, ssh:"),
        (["--plot", "x.gif"], "'x.gif' has another suffix; allowed are .png, .svg"),
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


def test_a_comparison_names_the_file_that_is_not_there(lwcnn):
    code, _, said = lwcnn("bench", "compare", "/nowhere/a.jsonl", "b.jsonl")
    assert code == 2 and "/nowhere/a.jsonl" in said and len(said.splitlines()) == 1


def test_a_comparison_without_its_two_files_says_which_is_missing(lwcnn, capsys):
    with pytest.raises(SystemExit, match="2"):
        lwcnn("bench", "compare", "a.jsonl")
    assert "required: AFTER.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["run"], ["--threads", "2"]])
def test_a_measurement_without_a_file_says_so(lwcnn, words):
    code, _, said = lwcnn("bench", *words)
    assert code == 2 and "no FILE.tflite to measure" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("words", [["setup"], ["--setup-emulator"]])
def test_setting_up_is_an_action_and_keeps_its_older_spelling(lwcnn, monkeypatch, words):
    emulator = SimpleNamespace(folder="the/cache")
    monkeypatch.setattr("android_bench.emulated.setup_emulator", lambda: emulator)
    code, _, said = lwcnn("bench", *words)
    assert code == 0 and said == "The emulator is ready in the/cache\n"


@pytest.mark.parametrize(
    ("action", "own", "others"),
    [
        ("run", ["--threads", "--device", "--plot"], ["--tolerance", "--setup-emulator"]),
        ("compare", ["--tolerance"], ["--threads", "--device"]),
        ("setup", [], ["--threads", "--tolerance"]),
    ],
)
def test_each_action_shows_its_own_options_alone(lwcnn, capsys, action, own, others):
    with pytest.raises(SystemExit, match="0"):
        lwcnn("bench", action, "--help")
    shown = capsys.readouterr().out
    assert all(option in shown for option in own)
    assert not any(option in shown for option in others)


def test_the_commands_options_are_those_of_a_benchmark_with_the_same_defaults():
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    args = parser.parse_args(["net.tflite"])
    assert args.action == "run" and args.files == [Path("net.tflite")]
    chosen = BenchmarkOptions.of(bench._options(args) | {"num_threads": args.num_threads[0]})
    assert chosen == BenchmarkOptions(sessions=3)  # three, so that tables have intervals
    args = parser.parse_args(["run", "net.tflite", "--no-xnnpack", "--input-range", "0", "1",
                              "--input-file", "a.npy", "--input-file", "b.npy"])  # fmt: skip
    chosen = BenchmarkOptions.of(bench._options(args) | {"num_threads": 1})
    assert not chosen.use_xnnpack and chosen.input_range == (0, 1)
    assert chosen.input_files == ("a.npy", "b.npy")


#: What the base does not install.
OPTIONAL = ("ai_edge_quantizer", "jinja2", "keras", "matplotlib", "scipy", "sklearn", "tensorflow",
            "tf_keras")  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 0, ""),
        (["--plot", "x.png"], 2, "--plot needs .*jinja2, matplotlib.*pip install 'keras-lwcnn.rep"),
    ],
)
def test_measuring_works_on_the_base_and_a_plot_names_its_extra(models, words, code, said):
    program = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *_: None if name in {OPTIONAL!r} else find_spec(name, *_)
from lwcnn.main import main
sys.exit(main(["bench", {str(models / "int8.tflite")!r}, *{[*QUICK, *words]!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("Latency (ms)" in done.stdout) == (code == 0)
    assert re.search(said, done.stderr)
