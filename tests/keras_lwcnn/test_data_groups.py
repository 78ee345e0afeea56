import csv
import json

import numpy as np
import pytest
from PIL import Image

from keras_lwcnn.data import load_data
from keras_lwcnn.data.splitting import cut
from lwcnn.common import DataSource, loaded
from lwcnn.main import main

BOARDS = 30


@pytest.fixture
def boards(tmp_path):
    """Make images whose names begin with the board that they were cut from, and an index."""
    random = np.random.default_rng(0)
    rows = []
    for board in range(BOARDS):
        for tile in range(2 + board % 5):
            name = ("good", "open", "short")[tile % 3]
            file = tmp_path / "pcb" / name / f"{board:03}_{tile}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(file)
            rows.append({"file": f"{name}/{file.name}", "panel": f"p{board // 2}"})
    with open(tmp_path / "pcb" / "index.csv", "w", newline="") as lines:
        writer = csv.DictWriter(lines, ["file", "panel"])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "pcb"


def overlaps(data):
    ids = [set(split.groups) for split in (data.train, data.val, data.test)]
    return (ids[0] & ids[1]) | (ids[0] & ids[2]) | (ids[1] & ids[2])


@pytest.mark.parametrize(("groups", "count"), [(r"^(\d+)_", BOARDS), ("panel", BOARDS // 2)])
def test_groups_stay_on_one_side_of_every_cut(boards, groups, count):
    data = load_data(boards, image_size=8, groups=groups)
    splits = (data.train, data.val, data.test)
    assert not overlaps(data)
    assert len(set().union(*(split.groups for split in splits))) == count
    total = sum(len(split) for split in splits)
    for split in splits:
        assert set(split.labels) == {0, 1, 2}
        assert len(split.groups) == len(split.files) == len(split)
    for split in splits[1:]:
        assert abs(len(split) - total / 10) <= 6
    assert data.to_dict()["groups"] == groups
    again = load_data(boards, image_size=8, groups=groups)
    other = load_data(boards, image_size=8, groups=groups, seed=1)
    assert again.test.files == data.test.files != other.test.files


def test_without_groups_the_same_boards_are_on_both_sides(boards):
    data = load_data(boards, image_size=8)
    train, test = ({file[-9:-6] for file in s.files} for s in (data.train, data.test))
    assert train & test and data.test.groups == ()


def test_val_is_cut_by_groups_from_the_images_beside_a_given_test(boards, tmp_path):
    root = tmp_path / "given"
    for name in ("good", "open", "short"):
        for file in (boards / name).iterdir():
            split = "test" if int(file.name[:3]) >= 24 else "trainval"
            (root / split / name).mkdir(parents=True, exist_ok=True)
            file.rename(root / split / name / file.name)
    data = load_data(root, image_size=8, groups=r"^(\d+)_")
    assert set(data.test.groups) == {f"{board:03}" for board in range(24, 30)}
    assert not overlaps(data) and set(data.train.groups) | set(data.val.groups) == {
        f"{board:03}" for board in range(24)
    }


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("(", "groups='(' is no regular expression"),
        (r"^\d+_", r"groups='^\\d+_' has 0 groups in parentheses; one is needed. Allowed"),
        (r"^(\d+)_(\d)", "has 2 groups in parentheses"),
        (r"^(\d+)-", "does not fit 120 of 120 file names, for example good/000_0.png"),
        (r"^(9)?", "does not fit 120 of 120 file names"),
        ("board", "index.csv: columns ['board'] are missing; it has ['file', 'panel']"),
        (r"(\.png)", "its 120 images have too few groups (1) to cut a split of about 12"),
    ],
)
def test_groups_that_cannot_be_told_are_refused(boards, groups, message):
    with pytest.raises(ValueError) as raised:
        load_data(boards, image_size=8, groups=groups)
    assert message in str(raised.value)


def test_an_index_has_to_name_every_file(boards):
    index = boards / "index.csv"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="no 'panel' of 1 of 120 files, for example"):
        load_data(boards, image_size=8, groups="panel")
    index.unlink()
    with pytest.raises(ValueError, match="'panel' is a single word.*there is no such file"):
        load_data(boards, image_size=8, groups="panel")


def test_groups_of_a_source_without_files_are_refused():
    with pytest.raises(ValueError, match="but digits is not a folder of images"):
        load_data("digits", groups=r"^(\d+)_")


def test_a_cut_takes_the_fold_with_images_of_every_class():
    """Of four groups only one can go: the others hold a class or most images alone."""
    labels = np.array([0] * 20 + [0, 1] * 3 + [1] * 20 + [2, 2])
    groups = ["a"] * 20 + ["b"] * 6 + ["c"] * 20 + ["d"] * 2
    for seed in range(5):
        kept, taken = cut(labels, 5, seed=seed, where="here", groups=groups)
        assert {groups[i] for i in taken} == {"b"}
        assert sorted([*kept, *taken]) == list(range(len(labels)))


def test_later_steps_read_images_as_the_training_did(boards, capsys):
    (boards / "good" / "029_9.png").write_bytes(b"no picture")
    source = DataSource(str(boards), r"^(\d+)_", skip_broken=True)
    data = loaded(source, 8)
    assert "broken images skipped: 1 (good/029_9.png)" in capsys.readouterr().err
    record = json.loads(json.dumps({"dataset": data.to_dict()}))
    assert DataSource.recorded(record) == source
    assert loaded(DataSource.recorded(record), 8).val.files == data.val.files
    assert DataSource.recorded({}) is None


def test_how_to_read_images_needs_images(capsys):
    assert main(["convert", "model.keras", "--groups", "x"]) == 2
    assert "--groups and --skip-broken are for the images of --data" in capsys.readouterr().err
