"""The whole chain as a user starts it."""

import json

import numpy as np
import pytest

from convert import MODES, predict, read_sidecar
from keras_lwcnn.data import load_data, scale_images
from lwcnn.main import main
from lwcnn.rows import read_rows

FIVE = ("float32", "float16", "dynamic", "int8", "int16x8")


def load_once(words):
    """Run a command that may load its images only once."""
    sources = []

    def counted(source, **options):
        sources.append(source)
        return load_data(source, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_lwcnn.data.load_data", counted)
        assert main(words) == 0
    assert sources == ["digits"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run on digits, as `make demo` does it with fewer epochs."""
    out = tmp_path_factory.mktemp("demo")
    words = ["run", "--data", "digits", "--out", str(out), "--epochs", "6"]
    load_once([*words, "--modes", ",".join(FIVE)])
    return out


def test_run_leaves_every_file_of_the_chain_and_nothing_else(demo):
    expected = {"model.keras", "model.json", "rows.jsonl", "samples.json", "report.html"}
    for mode in FIVE:
        expected |= {f"model.{mode}.tflite", f"model.{mode}.tflite.json"}
    assert {path.name for path in demo.iterdir()} == expected


def test_rows_tell_one_story(demo):
    rows = read_rows(demo / "rows.jsonl")
    kinds = [row["kind"] for row in rows]
    assert kinds.count("train") == 1
    for kind in ("convert", "compare", "bench"):
        assert {row["mode"] for row in rows if row["kind"] == kind} == set(FIVE)
    for mode in FIVE:
        digests = {row["sha256"] for row in rows if row.get("mode") == mode}
        assert digests == {read_sidecar(demo / f"model.{mode}.tflite")["sha256"]}


def test_int8_keeps_the_accuracy_of_float_and_runs_in_one_partition(demo):
    rows = {row["mode"]: row for row in read_rows(demo / "rows.jsonl", "compare")}
    assert rows["float32"]["top1"] > 0.9
    assert rows["int8"]["drop"] <= 1.5 and rows["int8"]["agreement"] > 0.97
    sidecar = read_sidecar(demo / "model.int8.tflite")
    assert sidecar["partitions"] == 1
    assert sidecar["calibration"]["count"] == 200 and len(sidecar["calibration"]["indices"]) == 200
    assert sidecar["inputs"][0]["dtype"] == "int8"


def test_the_rows_top1_is_what_the_file_gives(demo):
    test = load_data("digits").test
    scores = predict(demo / "model.int8.tflite", scale_images(test.images, (-1.0, 1.0)))
    (row,) = [r for r in read_rows(demo / "rows.jsonl", "compare") if r["mode"] == "int8"]
    assert np.mean(scores.argmax(-1) == test.labels) == pytest.approx(row["top1"])


def test_the_report_shows_the_rows_figures(demo):
    html = (demo / "report.html").read_text()
    for row in read_rows(demo / "rows.jsonl", "compare"):
        assert f"{100 * row['top1']:.2f} %" in html
    for row in read_rows(demo / "rows.jsonl", "bench"):
        assert f"{row['median_us'] / 1e3:.2f}" in html
    assert html.count('class="sample"') == 12


def test_each_step_reads_what_the_one_before_wrote(demo, tmp_path, capsys):
    uint8 = ["--modes", "float32,int8_uint8", "--out", str(tmp_path)]
    assert main(["convert", str(demo / "model.keras"), *uint8]) == 0
    assert read_sidecar(tmp_path / "model.int8_uint8.tflite")["outputs"][0]["dtype"] == "uint8"
    files = [str(tmp_path / f"model.{mode}.tflite") for mode in ("float32", "int8_uint8")]
    rows = str(tmp_path / "rows.jsonl")
    assert main(["compare", *files, "--data", "digits", "--rows", rows]) == 0
    assert main(["bench", *files, "--runs", "5", "--rows", rows]) == 0
    assert main(["report", rows]) == 0
    assert "int8_uint8" in (tmp_path / "report.html").read_text()


def test_a_model_is_compared_in_one_command(demo, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in demo.iterdir()}
    rows, plot, pages = tmp_path / "rows.jsonl", tmp_path / "costs.png", tmp_path / "pages"
    words = ["compare", str(demo / "model.keras"), "--modes", "float32,int8", "--rows", str(rows)]
    load_once([*words, "--plot", str(plot), "--pages", str(pages)])
    told = capsys.readouterr()
    assert "used again: model.float32.tflite, model.int8.tflite" in told.err
    assert "XNNPACK" not in told.out + told.err
    assert {path: path.stat().st_mtime_ns for path in demo.iterdir()} == before
    found = read_rows(rows, "compare")
    assert [row["mode"] for row in found] == ["float32", "int8"]
    for row in found:
        assert row["sha256"] == read_sidecar(row["file"])["sha256"]
        assert row["host_median_us"] > 0 and row["conversion_seconds"] > 0
    changed = sum(change["images"] for change in found[1]["confusion_changes"])
    html = (pages / "int8.html").read_text()
    assert f"<b>{changed}</b>of 360 images" in html and html.count('class="card"') == changed
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_compare_converts_what_is_missing_and_writes_over_nothing(demo, tmp_path, capsys):
    words = ["compare", str(demo / "model.keras"), "--no-latency", "--out", str(tmp_path)]
    assert main([*words, "--modes", "float32"]) == 0
    float32 = tmp_path / "model.float32.tflite"
    before = float32.stat().st_mtime_ns
    assert main([*words, "--modes", "float32,int8"]) == 0
    assert float32.stat().st_mtime_ns == before
    assert (tmp_path / "model.int8.tflite").is_file()
    capsys.readouterr()
    assert main([*words, "--modes", "float32,int8", "--calibration-images", "50"]) == 2
    assert "model.int8.tflite was made from this model" in capsys.readouterr().err


def test_a_second_run_uses_the_trained_model_again(demo, capsys):
    before = (demo / "model.keras").stat().st_mtime_ns
    record = json.loads((demo / "model.json").read_text())
    words = ["run", "--data", "digits", "--out", str(demo), "--epochs", "6"]
    assert main([*words, "--modes", "float32,dynamic"]) == 0
    assert "used again" in capsys.readouterr().out
    assert (demo / "model.keras").stat().st_mtime_ns == before
    assert read_rows(demo / "rows.jsonl", "train") == [record]


@pytest.mark.real_data
def test_the_chain_runs_on_cifar10(real_data, tmp_path):
    """Two epochs on a part of the images; the rows are of all 8,000 test images."""
    with np.load(real_data / "cifar10.npz") as archive:
        part = {name: archive[name] for name in ("x_test", "y_test")}
        part |= {name: archive[name][:4000] for name in ("x_train", "y_train")}
    np.savez(tmp_path / "part.npz", **part)
    words = ["run", "--data", str(tmp_path / "part.npz"), "--out", str(tmp_path / "run")]
    options = ["--epochs", "2", "--augmentation", "shift_flip", "--modes", "float32,dynamic,int8"]
    assert main([*words, *options]) == 0
    rows = {row["mode"]: row for row in read_rows(tmp_path / "run" / "rows.jsonl", "compare")}
    assert rows["float32"]["images"] == 8000
    assert rows["float32"]["top1"] > 0.15
    assert abs(rows["int8"]["drop"]) < 3
    assert set(rows) <= set(MODES)
