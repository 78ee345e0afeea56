import json

import numpy as np
import pytest

from android_bench import benchmark
from lwcnn.rows import append_rows, now, read_rows, validate_row


@pytest.fixture(scope="module")
def bench_row(models, short):
    return benchmark(models / "float32.tflite", **short).to_dict()


def test_rows_of_all_kinds_come_back_in_order_and_by_kind(tmp_path, bench_row):
    path = tmp_path / "new folder" / "rows.jsonl"
    train = {"kind": "train", "date": now(), "loss": np.float32(0.5), "name": "Größe"}
    append_rows(path, [train])
    append_rows(path, [bench_row, train])
    assert [row["kind"] for row in read_rows(path)] == ["train", "bench", "train"]
    assert read_rows(path, kind="bench") == [bench_row]
    assert read_rows(path, kind="train")[0] == train | {"loss": 0.5}


def test_nothing_is_appended_when_one_of_the_rows_is_bad(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_rows(path, [{"kind": "train", "date": now()}])
    before = path.read_bytes()
    for bad in ({"kind": "train"}, {"kind": "train", "date": now(), "loss": float("nan")}):
        with pytest.raises(ValueError):
            append_rows(path, [{"kind": "train", "date": now()}, bad])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"kind": "train", "date": "2025-01-0', "Unterminated string"),
        (
            '{"kind": "tain", "date": "2025-01-01T00:00:00+00:00"}',
            "'tain' is unknown; allowed are data, train",
        ),
        ('{"kind": "train", "date": "yesterday"}', "'yesterday'"),
        ('{"kind": "train", "date": "2025-01-01T00:00:00Z", "loss": NaN}', "NaN"),
        ("[1, 2]", r"\[1, 2\]"),
        ('{"kind": "bench", "date": "2025-01-01T00:00:00Z"}', "a bench row lacks run, model"),
    ],
)
def test_a_bad_line_is_quoted_with_file_and_line_number(tmp_path, line, found):
    path = tmp_path / "rows.jsonl"
    good = json.dumps({"kind": "convert", "date": now()})
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(ValueError, match=found) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_a_file_that_ends_in_half_a_line_is_not_appended_to(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"kind": "tra')
    with pytest.raises(ValueError, match="half a line"):
        append_rows(path, [{"kind": "train", "date": now()}])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {"median_us": "fast"},
            "'fast' has the wrong type; allowed is float or null or int",
        ),
        ({"num_threads": True}, "num_threads=True has"),
        ({"min_us": -1}, "min_us=-1 is out of range; allowed is 0 or more"),
        ({"mean_us": None}, "'host' has mean_us=null; allowed is a number"),
        ({"instructions": 5}, "'host' has instructions; allowed is null"),
        ({"device": "emulated:cortex-a72"}, "emulated time is no latency"),
    ],
)
def test_a_bench_row_is_checked_field_by_field(bench_row, change, found):
    validate_row(bench_row)
    with pytest.raises(ValueError, match=found):
        validate_row(bench_row | change)


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="'benchmark' is unknown; allowed are data, train, tr"):
        read_rows(tmp_path / "rows.jsonl", kind="benchmark")
