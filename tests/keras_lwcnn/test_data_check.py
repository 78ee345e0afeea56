import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_lwcnn.data import ImageDataset, check_data, load_data
from keras_lwcnn.data import nearest as nearest_module
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.data.nearest import nearest, thumbnails
from lwcnn.main import main
from lwcnn.rows import read_rows


def random_split(count, seed, size=24):
    random = np.random.default_rng(seed)
    # Blocks, since fine noise is gone from thumbnails.
    blocks = random.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    images = np.kron(blocks, np.ones((1, size // 6, size // 6, 1), np.uint8))
    return Split(images, np.arange(count) % 3)


@pytest.fixture
def clean():
    """A data set of noise: nothing in it is like anything else."""
    splits = (random_split(30, 0), random_split(9, 1), random_split(12, 2))
    return ImageDataset("noise", *splits, ("a", "b", "c"))


def changed(data, split_name, index, image, label=None):
    split = getattr(data, split_name)
    images, labels = split.images.copy(), split.labels.copy()
    images[index] = image
    labels[index] = labels[index] if label is None else label
    return replace(data, **{split_name: replace(split, images=images, labels=labels)})


def counts(check):
    return {(o.first, o.second): (len(o.identical), len(o.near)) for o in check.overlaps}


def test_nothing_is_found_where_nothing_is(clean):
    check = check_data(clean)
    assert check.findings == check.pairs == ()
    assert set(counts(check).values()) == {(0, 0)}
    assert check.class_counts["test"] == (4, 4, 4) and check.majority_top1 == pytest.approx(1 / 3)


def test_a_check_is_shown_in_one_line(clean):
    check = check_data(changed(clean, "test", 3, clean.train.images[6]))
    assert repr(check) == (
        "DataCheck('noise', 1 pairs, findings: test images that are in train, too: 1 of 12)"
    )
    assert repr(check.overlaps[1]) == "Overlap('train', 'test', 1 identical, 0 near, 0 groups)"


def test_a_test_image_in_the_training_images_is_found(clean):
    check = check_data(changed(clean, "test", 3, clean.train.images[6]))
    assert counts(check) == {("train", "val"): (0, 0), ("train", "test"): (1, 0),
                             ("val", "test"): (0, 0)}  # fmt: skip
    (pair,) = check.pairs
    assert (str(pair.first), str(pair.second), pair.identical) == ("train[6]", "test[3]", True)
    assert check.findings == ("test images that are in train, too: 1 of 12",)


def test_repeats_within_a_split_are_found_and_leave_the_test_trusted(clean):
    check = check_data(changed(clean, "train", 8, clean.train.images[5]))
    assert [(p.first.index, p.second.index) for p in check.repeats["train"]] == [(5, 8)]
    assert check.repeats["val"] == check.repeats["test"] == check.findings == ()


def test_copies_that_were_saved_again_are_near(clean):
    image = clean.train.images[9].astype(int)
    noisy = image + np.random.default_rng(0).integers(-20, 21, image.shape)
    check = check_data(changed(clean, "test", 0, noisy.clip(0, 255)))
    assert counts(check)["train", "test"] == (0, 1)
    (pair,) = check.pairs
    assert (pair.first.index, pair.second.index) == (9, 0) and 0 < pair.difference < 0.25
    assert check.findings == ()


def test_a_pixel_that_thumbnails_do_not_show_parts_near_from_identical(clean):
    image = clean.train.images[9].copy()
    image[0, 0] ^= 1
    check = check_data(changed(clean, "test", 0, image))
    (pair,) = check.pairs
    assert not pair.identical and pair.difference < 0.01
    assert check.overlaps[1].near == (pair,) and check.findings == ()


def test_flat_images_of_different_brightness_are_not_near(clean):
    data = changed(clean, "train", 0, np.full((24, 24, 3), 200, np.uint8))
    check = check_data(changed(data, "test", 0, np.full((24, 24, 3), 203, np.uint8)))
    assert check.pairs == ()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_same_pixels_under_another_label_are_a_conflict(clean, split):
    image, label = clean.train.images[0], clean.train.labels[0]
    check = check_data(changed(clean, split, 7, image, (label + 1) % 3))
    (pair,) = check.conflicts
    assert (pair.first.label, pair.second.label, pair.second.split) == ("a", "b", split)
    assert check.pairs == (pair,)
    assert "images that are there under another label, too: 1" in check.findings


def test_groups_on_both_sides_of_test_are_found(clean):
    train = replace(clean.train, groups=tuple(f"board{i}" for i in range(30)))
    test = replace(clean.test, groups=tuple(f"board{i}" for i in range(28, 40)))
    check = check_data(replace(clean, train=train, test=test, groups="board"))
    assert check.findings == ("groups in both train and test: 2",)


def test_the_floor_is_what_the_nearest_thumbnail_gets_right(clean):
    data = clean
    for index in range(9):  # 9 of 12 from training images of their own class, 3 of another
        data = changed(data, "test", index, clean.train.images[index], label=index % 3)
    for index in range(9, 12):
        data = changed(data, "test", index, clean.train.images[index], label=(index + 1) % 3)
    assert check_data(data).nearest_top1 == pytest.approx(9 / 12)


def test_the_nearest_is_the_same_in_blocks_of_any_size(monkeypatch):
    random = np.random.default_rng(0)
    queries, references = (random.uniform(0, 255, (n, 40)).astype(np.float32) for n in (37, 101))
    exact = np.sqrt(np.square(queries[:, None] - references).mean(axis=-1))
    done = []
    for blocks in ((1024, 16384), (10, 7)):
        monkeypatch.setattr(nearest_module, "QUERIES", blocks[0])
        monkeypatch.setattr(nearest_module, "REFERENCES", blocks[1])
        found, differences = nearest(queries, references, advance=done.append)
        np.testing.assert_array_equal(found, exact.argmin(axis=1))
        np.testing.assert_allclose(differences, exact.min(axis=1), rtol=1e-5)
    assert sum(done) == 2 * 37 * 101


def test_thumbnails_are_means_of_what_they_cover():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), dtype=np.uint8)
    means = images.reshape(2, 16, 2, 16, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(thumbnails(images).reshape(means.shape), means, atol=1)


def test_progress_rises_to_one(clean):
    shares = []
    check_data(clean, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_command_tells_rows_draws_and_ends_with_1_where_the_test_leaks(tmp_path, capsys):
    for split, names in (("train", "abcdefghijkl"), ("test", "mnopqrst")):
        for label, folder in enumerate(("cat", "dog")):
            (tmp_path / "pets" / split / folder).mkdir(parents=True)
            images = random_split(len(names), seed=10 * len(names) + label).images
            for name, image in zip(names, images, strict=True):
                Image.fromarray(image).save(tmp_path / "pets" / split / folder / f"{name}.png")
    rows, plot = tmp_path / "rows.jsonl", tmp_path / "pairs.png"
    words = ["data", "check", str(tmp_path / "pets"), "--image-size", "24", "--rows", str(rows)]
    assert main([*words, "--plot", str(plot)]) == 0
    assert "no pairs to draw" in capsys.readouterr().out and not plot.exists()

    leaked = load_data(tmp_path / "pets", image_size=24).train.files[0]
    source = tmp_path / "pets" / leaked
    (tmp_path / "pets" / "test" / "cat" / "leaked.png").write_bytes(source.read_bytes())
    assert main([*words, "--plot", str(plot)]) == 1
    told = capsys.readouterr()
    assert "not to be trusted: test images that are in train, too: 1 of 17" in told.out
    assert plot.read_bytes().startswith(b"\x89PNG")
    clean_row, row = read_rows(rows, "data")
    assert clean_row["findings"] == [] and len(row["findings"]) >= 1
    (pair,) = row["overlaps"][1]["identical"]["pairs"]
    assert (pair["first"]["file"], pair["second"]["file"]) == (leaked, "test/cat/leaked.png")
    assert row == json.loads(json.dumps(row)) and row["dataset"]["images"]["test"] == 17


def test_a_picture_of_another_kind_is_refused_before_images_are_read(capsys, monkeypatch):
    monkeypatch.setattr("keras_lwcnn.data.load_data", None)
    assert main(["data", "check", "digits", "--plot", "pairs.gif"]) == 2
    assert "pairs.gif" in capsys.readouterr().err


@pytest.mark.real_data
def test_boards_of_deeppcb_are_cut_whole_and_its_test_is_clean(real_data):
    data = load_data("deeppcb96", image_size=32, groups="image")
    files = (data.train.files, data.val.files, data.test.files)
    train, val, test = ({re.search(r"(\d+)_", file)[1] for file in names} for names in files)
    assert not train & val and not train & test and len(train | val) == 1000 and len(test) == 400
    assert abs(len(data.val) - 717) < 50
    check = check_data(data)
    assert not check.overlaps[1].identical and not check.conflicts
    assert 0.5 < check.nearest_top1 < 0.75
