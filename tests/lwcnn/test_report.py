import json

import numpy as np
import pytest
from PIL import Image

from lwcnn.report.comparison_figure import plot_comparison
from lwcnn.report.comparison_table import print_comparison
from lwcnn.report.disagreements import write_disagreements
from lwcnn.report.page import write_report
from lwcnn.report.samples import write_samples
from lwcnn.report.summary import summarize

TRAIN = {
    "kind": "train",
    "date": "2026-01-01T00:00:00+00:00",
    "model": "l_mobilenet",
    "dataset": {
        "name": "digits",
        "source": "digits",
        "input_shape": [32, 32, 3],
        "class_names": list("0123456789"),
        "images": {"train": 1293, "val": 144, "test": 360},
    },
    "recipe": {"epochs": 2, "optimizer": "adamw", "batch_size": 64, "seed": 0},
    "history": {
        "loss": [2.0, 1.0],
        "top1": [0.3, 0.6],
        "val_loss": [1.9, 0.9],
        "val_top1": [0.4, 0.7],
    },
    "versions": {"keras": "3", "backend": "tensorflow"},
}


def mode_rows(mode, size, top1, median):
    convert = {
        "kind": "convert",
        "mode": mode,
        "file": f"model.{mode}.tflite",
        "size": size,
        "sha256": "ab" * 32,
        "nodes": 68,
        "delegated_nodes": 60,
        "partitions": 7,
    }
    compare = {
        "kind": "compare",
        "mode": mode,
        "images": 360,
        "top1": top1,
        "top5": None,
        "drop": 100 * (0.9876 - top1),
        "agreement": 0.9912,
    }
    bench = {
        "kind": "bench",
        "mode": mode,
        "device": "host",
        "num_threads": 1,
        "use_xnnpack": True,
        "median_us": median,
        "p5_us": median - 10,
        "p95_us": median + 90,
        "cpu": "cpu <x>",
        "os": "os",
        "runtime": "litert",
        "runs": 50,
    }
    return [convert, compare, bench]


@pytest.fixture
def rows():
    return [
        TRAIN,
        *mode_rows("float32", 2_501_184, 0.9876, 1070.0),
        *mode_rows("int8", 781_008, 0.9765, 650.0),
    ]


def test_every_figure_of_the_rows_is_on_the_page(rows, tmp_path):
    html = write_report(rows, tmp_path / "report.html").read_text()
    for text in ("98.76 %", "97.65 %", "-1.11", "99.12 %", "2,501 kB", "781 kB", "1.07", "0.74"):
        assert text in html, text
    assert "60 of 68" in html and "3.2&times;" in html and "1.6&times;" in html
    assert html.count("<svg") == 2


def test_the_page_needs_nothing_beside_it_and_escapes_what_it_quotes(rows, tmp_path):
    html = write_report(rows, tmp_path / "report.html").read_text()
    assert "cpu &lt;x&gt;" in html
    assert not [part for part in html.split('"') if part.startswith(("//", "file:"))]
    assert "<script" not in html and "<link" not in html and 'src="http' not in html


def test_the_last_row_of_a_setting_counts_and_other_devices_stay_apart(rows):
    phone = {**mode_rows("int8", 1, 0.5, 9999.0)[2], "device": "adb:X"}
    again = mode_rows("int8", 1, 0.5, 600.0)[2]
    summary = summarize([*rows, phone, again])
    int8 = {mode.mode: mode for mode in summary.modes}["int8"]
    assert int8.host["median_us"] == 600.0
    assert [row["device"] for row in int8.bench] == ["host", "adb:X"]


def test_sections_without_rows_are_left_out(rows, tmp_path):
    html = write_report(rows[1:2], tmp_path / "report.html").read_text()
    assert "Training</h2>" not in html and "Sample predictions" not in html


def test_nothing_to_report_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="nothing to report"):
        write_report([], tmp_path / "report.html")
    assert not any(tmp_path.iterdir())


def test_samples_show_disagreements_then_shared_mistakes_then_right_ones(tmp_path):
    labels = np.zeros(20, int)
    right = np.tile([4.0, 0.0], (20, 1))
    float_logits, int8_logits = right.copy(), right.copy()
    float_logits[[7, 9]] = int8_logits[9] = [0.0, 4.0]
    images = np.zeros((20, 12, 12, 3), np.uint8)
    path = write_samples(
        tmp_path / "samples.json",
        images,
        labels,
        {"float32": float_logits, "int8": int8_logits},
        ("cat", "dog"),
        count=6,
    )
    stored = json.loads(path.read_text())
    assert stored["facts"] == {"images": 20, "disagreements": 1, "all_wrong": 1}
    assert [sample["index"] for sample in stored["samples"]] == [7, 9, 0, 1, 2, 3]
    first = stored["samples"][0]["predictions"]
    assert first["float32"]["label"] == "dog" and first["int8"]["label"] == "cat"
    assert first["int8"]["confidence"] == pytest.approx(1 / (1 + np.exp(-4)))


def comparison_rows(**changes):
    modes = ("float32", "float16", "dynamic", "weight_int8", "int8", "int8_float", "int16x8")
    return [
        {
            "mode": mode,
            "reference": "float32",
            "size": 2_395_546 // (place + 1),
            "gzip_size": 2_195_577 // (place + 1),
            "images": 8000,
            "top1": 0.7511,
            "top5": 0.9806,
            "drop": 0.25 * place,
            "drop_low": 0.25 * place - 0.5,
            "drop_high": 0.25 * place + 0.625,
            "p_value": 0.0421,
            "agreement": 0.9583,
            "confidence_shift": -0.0123,
            "confusion_changes": [
                {
                    "label": 3,
                    "reference": 3,
                    "other": 5,
                    "images": 40 - i,
                    **dict.fromkeys(("label_name", "reference_name"), "cat [brown]"),
                    "other_name": "dog",
                }
                for i in range(5)
            ]
            * (place > 0),
            "conversion_seconds": 2.75,
            "host_median_us": 531.0 * 1.5**place,
            **changes,
        }
        for place, mode in enumerate(modes)
    ]


def test_the_table_of_a_comparison_is_read_in_100_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    print_comparison(comparison_rows())
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "…" not in out
    for text in ("1.50", "1.00 to 2.12", "0.042", "95.83%", "-1.23", "2.8", "0.531", "98.06%"):
        assert text in out, text
    assert out.count("cat [brown]") == 2 * 3 * 6 and "40 of 190" in out and "37 of" not in out
    assert "phone's" in out


def test_the_table_leaves_out_what_was_not_measured(capsys):
    rows = comparison_rows(host_median_us=None, conversion_seconds=None, confusion_changes=[])
    print_comparison(rows)
    out = capsys.readouterr().out
    assert "host" not in out and "Changed classes" not in out and "None" not in out


@pytest.mark.parametrize("median, panels", [(531.0, 3), (None, 2)])
def test_a_comparison_is_drawn_with_latency_where_it_was_measured(tmp_path, median, panels):
    path = plot_comparison(comparison_rows(host_median_us=median), tmp_path / "costs.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width == pytest.approx(panels * 3.7 * 150, abs=2)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert [p.name for p in tmp_path.iterdir()] == ["costs.png"]


def test_pages_show_the_surest_disagreements_and_say_how_many_there_are(tmp_path):
    labels = np.array([0, 1, 0, 1])
    images = np.zeros((4, 12, 12, 3), np.uint8)
    reference = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    int8 = np.array([[0.1, 0.9], [0.25, 0.75], [0.4, 0.6], [0.4, 0.6]])
    pages = write_disagreements(
        tmp_path / "pages",
        images,
        labels,
        {"float32": reference, "float16": reference, "int8": int8},
        {"float16": np.array([], int), "int8": np.array([0, 1, 2])},
        ("cat", "<dog>"),
        source="pictures",
        shown=2,
    )
    assert [page.name for page in pages] == ["float16.html", "int8.html"]
    same, html = (page.read_text() for page in pages)
    assert "same class on every image" in same and 'href="int8.html"' in same
    assert html.count('class="card"') == 2 and "The first 2 of 3" in html
    assert html.index("no. 0<") < html.index("no. 1<") and "no. 2<" not in html
    assert "90.0 %" in html and "&lt;dog&gt;" in html and "<dog>" not in html
    for count, what in ((2, "only float32 has right"), (1, "only int8 has right")):
        assert f">{count}</b>{what}" in html
    assert 'src="http' not in html and "<script" not in html and "<link" not in html
