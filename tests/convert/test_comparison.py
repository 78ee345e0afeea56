import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from convert import MODES, compare, predict, read_sidecar
from convert.comparison.paired import confidence_shift, confusion_changes, paired_drop
from convert.tflite import metrics
from convert.tflite.evaluation import quantize_input


@pytest.mark.parametrize("mode", MODES)
def test_all_workers_predict_exactly_what_one_interpreter_does(files, images, mode):
    many = np.concatenate([images] * 4)
    one = predict(files[mode], many, workers=1)
    np.testing.assert_array_equal(predict(files[mode], many, workers=4), one)
    np.testing.assert_array_equal(predict(files[mode], many[::-1], workers=3), one[::-1])


def test_raw_images_with_preprocessing_equal_preprocessed_ones(files, images):
    raw = np.rint(images * 127.5 + 127.5).astype(np.uint8)

    def preprocess(x):
        return x.astype(np.float32) / 127.5 - 1

    np.testing.assert_array_equal(
        predict(files["int8"], raw, preprocess=preprocess),
        predict(files["int8"], preprocess(raw)),
    )


def test_predicting_says_nothing_of_its_own(files):
    """LiteRT announces its delegate once a process, so that only a new one can tell."""
    code = (
        "import sys, numpy as np\nfrom convert import inspect_tflite, predict\n"
        "predict(sys.argv[1], np.zeros((1, 24, 24, 3), np.float32))\n"
        "assert inspect_tflite(sys.argv[1]).delegated_nodes"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, files["int8"]], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_values_outside_of_the_input_range_saturate():
    detail = {"dtype": np.int8, "quantization": (0.01, 3)}
    values = np.array([-9.0, 0.0, 0.014, 9.0], np.float32)
    assert quantize_input(values, detail).tolist() == [-128, 3, 4, 127]


def test_the_comparison_counts_what_the_scores_say(files, images, labels):
    result = compare(files, images, labels)
    rows = {row.mode: row for row in result.rows}
    assert rows["float32"].drop == 0
    assert rows["float32"].agreement == 1
    for mode, row in rows.items():
        scores = predict(files[mode], images)
        assert row.top1 == pytest.approx((scores.argmax(1) == labels).mean())
        assert row.drop == pytest.approx(100 * (rows["float32"].top1 - row.top1))
        assert row.size == files[mode].stat().st_size
        assert row.top5 >= row.top1
    assert rows["float32"].top1 > 0.6


def test_rows_are_json_of_kind_compare(files, images, labels):
    for row in compare(files, images, labels).to_rows():
        assert row["kind"] == "compare"
        assert row["date"]
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_progress_counts_every_image_of_every_mode(files, images, labels):
    done = dict.fromkeys(files, 0)

    def progress(mode, count):
        done[mode] += count

    compare(files, images, labels, progress=progress)
    assert set(done.values()) == {len(images)}


def test_bad_comparisons_are_refused_before_any_file_is_run(files, images, labels, tmp_path):
    with pytest.raises(ValueError, match="reference='float32' is no mode; allowed are"):
        compare({"int8": files["int8"]}, images, labels)
    with pytest.raises(ValueError, match="120 images have 119 labels.* one label per image"):
        compare(files, images, labels[:-1])
    with pytest.raises(ValueError, match="labels span .*; allowed are 0 to 6"):
        compare(files, images, labels + 5)
    with pytest.raises(ValueError, match="shape"):
        compare(files, images[:, :8], labels)
    with pytest.raises(FileNotFoundError, match="nothing"):
        compare({"float32": tmp_path / "nothing.tflite"}, images, labels)


def test_equal_scores_go_to_the_lower_class():
    scores = np.array([[1.0, 1.0, 0.0]])
    assert metrics.hits(scores, [0], 1).tolist() == [True]
    assert metrics.hits(scores, [1], 1).tolist() == [False]
    assert metrics.hits(scores, [1], 2).tolist() == [True]


def test_one_unit_is_two_classes():
    probabilities = metrics.class_scores(np.array([[0.2], [0.9]]))
    np.testing.assert_allclose(probabilities, [[0.8, 0.2], [0.1, 0.9]], rtol=1e-6)
    assert metrics.are_probabilities(probabilities)
    assert metrics.class_scores(np.array([[-3.0], [2.0]])).argmax(1).tolist() == [0, 1]


def test_the_paired_test_is_mcnemars_exact_one():
    reference = np.array([True] * 90 + [False] * 10)
    other = np.array([True] * 80 + [False] * 10 + [True] * 2 + [False] * 8)
    found = paired_drop(reference, other)
    assert (found.lost, found.gained) == (10, 2)
    assert found.drop == pytest.approx(8.0)
    expected = 2 * stats.binom.cdf(2, 12, 0.5)
    assert found.p_value == pytest.approx(expected)


def test_the_interval_covers_the_drop_as_a_bootstrap_over_images_does():
    random = np.random.default_rng(0)
    reference = random.random(4000) < 0.9
    other = np.where(random.random(4000) < 0.03, ~reference, reference)
    found = paired_drop(reference, other)
    change = 100.0 * (reference.astype(float) - other)
    drawn = [random.choice(change, len(change)).mean() for _ in range(1000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert found.low < found.drop < found.high
    assert found.low == pytest.approx(low, abs=0.15)
    assert found.high == pytest.approx(high, abs=0.15)


def test_equal_files_lose_nothing_for_certain():
    right = np.arange(50) % 3 == 0
    found = paired_drop(right, right)
    assert (found.drop, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_confidence_and_confusion_are_counted():
    reference = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    scores = np.log(np.array([[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]]))
    shift = confidence_shift(scores, reference, squashed=False)
    assert shift == pytest.approx((-0.1 - 0.4) / 2)
    assert confusion_changes(scores, reference, np.array([0, 1])) == [
        {"label": 1, "reference": 1, "other": 2, "images": 1}
    ]


def test_confusion_changes_name_the_classes_where_they_are_known():
    reference, scores = np.eye(3)[[0, 2, 2]], np.eye(3)[[1, 0, 0]]
    found = confusion_changes(scores, reference, np.array([0, 1, 1]), ("cat", "dog", "owl"))
    assert [(row["label_name"], row["reference_name"], row["other_name"]) for row in found] == [
        ("dog", "owl", "cat"),
        ("cat", "cat", "dog"),
    ]
    assert [row["images"] for row in found] == [2, 1]


def test_rows_tell_what_the_conversion_took_and_what_was_measured(files, images, labels):
    result = compare(files, images, labels)
    timed = result.with_latency({mode: 100.0 + len(mode) for mode in files})
    for row in timed.to_rows():
        sidecar = read_sidecar(files[row["mode"]])
        assert row["conversion_seconds"] == sidecar["float_seconds"] + sidecar["seconds"] > 0
        assert row["host_median_us"] == 100 + len(row["mode"])
    assert {row["host_median_us"] for row in result.to_rows()} == {None}


def test_files_without_a_sidecar_are_compared_all_the_same(files, images, labels, tmp_path):
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(files["float32"].read_bytes())
    (row,) = compare({"float32": alone}, images, labels).rows
    assert row.conversion_seconds is None and row.top1 > 0.6


def test_class_names_are_one_per_class(files, images, labels):
    with pytest.raises(ValueError, match="class_names has 2 names; allowed are 7"):
        compare(files, images, labels, class_names=("cat", "dog"))


def test_the_comparison_finds_the_images_that_changed(files, images, labels):
    result = compare(files, images, labels)
    assert len(repr(result)) < 400 and "120 images, top-1: float32" in repr(result)
    row = {row.mode: row for row in result.rows}["int8"]
    parted = result.disagreements("int8", 1000)
    assert len(parted) == round((1 - row.agreement) * len(images))
    sure = result.probabilities("float32")[parted].max(axis=1)
    assert (np.diff(sure) <= 0).all() and (sure <= 1).all()
    assert sum(change["images"] for change in row.confusion_changes) == len(parted)
    assert row.drop_low <= row.drop <= row.drop_high
    assert row.gzip_size == len(gzip.compress(files["int8"].read_bytes(), mtime=0))
    with pytest.raises(ValueError, match="mode='int4' was not compared; allowed are float32, "):
        result.disagreements("int4")
