"""Pareto fronts: the published points, ties, and rows joined from several steps."""

import csv

import numpy as np
import pytest

from lwcnn.main import main
from lwcnn.report.pareto import Objective, non_dominated, pareto_front
from lwcnn.report.points import chosen, joined
from lwcnn.rows import append_rows, now

ACCURACY = Objective("accuracy", maximize=True)
MEMORY = Objective("memory", maximize=False)

# Canadian AI 2024, arXiv 2403.10569: test accuracy in % and used memory as the paper gives it.
CALTECH = {
    "Xception-Lite": (76.21, 847.9),
    "Xception": (75.89, 874.6),
    "EfficientNetV2B1": (30.52, 823.1),
    "MobileNetV2": (58.11, 838.7),
}
PCB = {
    "Xception-Lite": (90.30, 865.8),
    "Xception": (88.10, 893.6),
    "EfficientNetV2B1": (55.25, 874.8),
    "MobileNetV2": (50.50, 849.4),
}


def published(points):
    return [{"model": name, "accuracy": a, "memory": m} for name, (a, m) in points.items()]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (CALTECH, ["Xception-Lite", "MobileNetV2", "EfficientNetV2B1"]),
        (PCB, ["Xception-Lite", "MobileNetV2"]),
    ],
)
def test_the_published_points_have_the_published_fronts(points, expected):
    front = pareto_front(published(points), [ACCURACY, MEMORY])
    assert [front.labels[i] for i in front.order if front.on_front[i]] == expected


def test_equal_points_are_kept_together_and_fall_together():
    values = np.array([[2, 5], [2, 5], [1, 6], [1, 6], [2, 6]])
    assert non_dominated(values, [True, False]).tolist() == [True, True, False, False, False]


def test_better_in_one_and_equal_in_the_others_is_enough_to_dominate():
    values = np.array([[1, 1, 1], [1, 1, 2], [0, 1, 1], [2, 0, 0]])
    assert non_dominated(values, [True, True, False]).tolist() == [True, False, False, True]


def test_a_front_does_not_depend_on_the_order_and_holds_against_every_pair():
    values = np.random.default_rng(0).integers(0, 6, (60, 3)).astype(float)
    found = non_dominated(values, [False, False, False])
    for point, kept in zip(values, found, strict=True):
        beaten = any((other <= point).all() and (other < point).any() for other in values)
        assert kept == (not beaten)
    assert (non_dominated(values[::-1], [False] * 3) == found[::-1]).all()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "0.9", True])
def test_a_row_without_the_figure_is_named(value):
    rows = [*published(PCB), {"model": "broken", "accuracy": value, "memory": 1.0}]
    with pytest.raises(ValueError, match="row 5 .*'broken'.*accuracy is .*memory"):
        pareto_front(rows, [ACCURACY, MEMORY])


def test_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*\(points, 2\)"):
        non_dominated(np.zeros(3), [True, False])


def test_a_csv_holds_every_point_from_the_best_to_the_worst(tmp_path):
    front = pareto_front(published(PCB), [ACCURACY, MEMORY])
    with front.write_csv(tmp_path / "front.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert lines[0] == {
        "label": "Xception-Lite",
        "accuracy": "90.3",
        "memory": "865.8",
        "on_front": "1",
    }
    assert [line["on_front"] for line in lines] == ["1", "0", "0", "1"]


def test_rows_about_the_same_file_become_one_and_differing_figures_are_refused():
    rows = [
        {"sha256": "a", "top1": 0.9},
        {"sha256": "a", "instructions": None, "device": "host"},
        {"sha256": "a", "instructions": 7, "device": "emulated:cortex-a53"},
        {"loss": 1.0},
    ]
    assert joined(rows, "sha256", ["top1", "instructions"]) == [
        {"sha256": "a", "top1": 0.9, "device": "host", "instructions": 7}
    ]
    other = {"sha256": "a", "instructions": 8, "device": "emulated:cortex-a72"}
    with pytest.raises(ValueError, match="instructions: 7 and 8.*--where"):
        joined([*rows, other], "sha256", ["top1", "instructions"])
    one_core = chosen([*rows, other], "device", "emulated:cortex-a72")
    (point,) = joined(one_core, "sha256", ["top1", "instructions"])
    assert (point["top1"], point["instructions"]) == (0.9, 8)


def test_a_choice_that_no_row_answers_lists_what_rows_have():
    rows = [{"device": "host", "threads": 1}, {"top1": 0.5}]
    assert chosen(rows, "threads", "1") == rows
    with pytest.raises(ValueError, match="device='phone'; values there: host"):
        chosen(rows, "device", "phone")
    with pytest.raises(ValueError, match="no row has a field 'devise'"):
        chosen(rows, "devise", "host")


@pytest.fixture
def rows_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    kept = {"kind": "compare", "date": now()}
    made = {"kind": "convert", "date": now()}
    append_rows(path, [{"kind": "train", "date": now()}])
    for mode, top1, size in (("float32", 0.9, 400), ("int8", 0.89, 100), ("dynamic", 0.8, 110)):
        append_rows(path, [made | {"sha256": mode, "size": size}])
        append_rows(path, [kept | {"sha256": mode, "mode": mode, "top1": top1}])
    return path


def test_the_command_joins_rows_and_writes_table_csv_and_picture(rows_file, tmp_path, capsys):
    argv = ["pareto", str(rows_file), "--maximize", "top1", "--minimize", "size"]
    argv += ["--join", "sha256", "--label", "mode", "--csv", str(tmp_path / "front.csv")]
    assert main([*argv, "--plot", str(tmp_path / "front.png")]) == 0
    assert "2 of 3 on the Pareto front" in capsys.readouterr().out
    lines = (tmp_path / "front.csv").read_text().splitlines()
    assert lines[1:] == ["float32,0.9,400.0,1", "int8,0.89,100.0,1", "dynamic,0.8,110.0,0"]
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--maximize", "top1"], "['top1']"),
        (["--maximize", "top1", "--minimize", "top1"], "['top1', 'top1']"),
        (["--maximize", "top1", "--minimize", "size"], "row 1"),
        (["--maximize", "top1", "--minimize", "size", "--where", "mode"], "'mode'"),
        (["--maximize", "top1", "--minimize", "size", "--join", "sha"], "'sha'"),
        (["--maximize", "a", "--minimize", "b", "--minimize", "c", "--plot", "x.png"], "'c'"),
        (["--maximize", "a", "--minimize", "b", "--plot", "x.gif"], "x.gif"),
    ],
)
def test_what_makes_no_front_leaves_one_line(rows_file, capsys, words, found):
    assert main(["pareto", str(rows_file), *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("lwcnn pareto: ") and found in line
