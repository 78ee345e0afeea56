import os
from urllib.error import URLError

import keras
import numpy as np
import pytest
from PIL import Image

from keras_lwcnn.data import ImageDataset, load_data, scale_images
from keras_lwcnn.data.dataset import Split


def class_folders(root, counts, size=(20, 16), mode="RGB"):
    """Make folders of small images whose pixels tell their class."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.full((*size, 3), 40 * label + i, dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(root / name / f"{i:03}.png")
    return root


def test_digits_are_32_px_rgb_with_every_class_in_every_split():
    data = load_data("digits")
    assert data.input_shape == (32, 32, 3)
    assert len(data.train) + len(data.val) + len(data.test) == 1797
    for split in (data.train, data.val, data.test):
        assert set(split.labels) == set(range(10))
    assert data.train.images.max() == 255 and data.train.images.min() == 0


def test_splits_are_the_same_for_the_same_seed_and_share_no_image():
    first, again, other = load_data("digits"), load_data("digits"), load_data("digits", seed=1)
    assert np.array_equal(first.train.images, again.train.images)
    assert not np.array_equal(first.train.images, other.train.images)
    rows = {name: {i.tobytes() for i in getattr(first, name).images} for name in ("train", "test")}
    assert not rows["train"] & rows["test"]


def test_folders_with_train_and_val_measure_on_val(tmp_path):
    class_folders(tmp_path / "train", {"cat": 20, "dog": 20})
    class_folders(tmp_path / "val", {"cat": 5, "dog": 6})
    data = load_data(tmp_path, image_size=16)
    assert data.class_names == ("cat", "dog")
    assert (len(data.train), len(data.val), len(data.test)) == (36, 4, 11)


def test_flat_folders_are_split_by_class(tmp_path):
    class_folders(tmp_path, {"a": 30, "b": 30, "c": 40})
    data = load_data(tmp_path, image_size=8)
    assert (len(data.train), len(data.val), len(data.test)) == (80, 10, 10)
    assert list(np.bincount(data.test.labels)) == [3, 3, 4]


def test_grey_images_become_rgb(tmp_path):
    class_folders(tmp_path, {"a": 12, "b": 12}, mode="L")
    data = load_data(tmp_path, image_size=8)
    images = data.train.images
    assert images.shape[-1] == 3 and (images[..., 0] == images[..., 2]).all()
    assert data.notes == (f"{tmp_path.name}: 24 grey images became RGB",)


def test_broken_images_are_left_out_when_asked_and_named(tmp_path):
    class_folders(tmp_path, {"a": 30, "b": 30})
    (tmp_path / "a" / "004.png").write_bytes(b"no picture")
    (tmp_path / "b" / "cut.png").write_bytes((tmp_path / "b" / "000.png").read_bytes()[:60])
    with pytest.raises(ValueError, match="2 of 61 images cannot be decoded: .*a/004.png"):
        load_data(tmp_path, image_size=8)
    data = load_data(tmp_path, image_size=8, skip_broken=True)
    splits = (data.train, data.val, data.test)
    assert sum(len(split) for split in splits) == 59
    assert sorted(data.skipped) == sorted(data.to_dict()["skipped"]) == ["a/004.png", "b/cut.png"]
    assert "broken images skipped: 2 (" in data.notes[0] and "a/004.png" in data.notes[0]
    for split in splits:
        assert len(split.files) == len(split)
        for image, label, file in zip(split.images, split.labels, split.files, strict=True):
            with Image.open(tmp_path / file) as picture:
                assert (image == np.asarray(picture)[0, 0]).all()
            assert file.startswith(data.class_names[label])


def test_a_class_of_broken_images_alone_is_refused(tmp_path):
    class_folders(tmp_path, {"a": 30, "b": 12})
    for file in (tmp_path / "b").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no readable training image of class 'b'"):
        load_data(tmp_path, image_size=8, skip_broken=True)


def test_what_was_not_asked_for_is_not_in_the_record(tmp_path):
    class_folders(tmp_path, {"a": 30, "b": 30})
    facts = {"name", "source", "input_shape", "class_names", "images"}
    assert set(load_data(tmp_path, image_size=8, skip_broken=True).to_dict()) == facts


def test_npz_gives_its_arrays(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8),
        "y_train": np.tile(np.arange(4), 10).reshape(-1, 1),
        "x_test": rng.integers(0, 256, (8, 12, 12, 3), dtype=np.uint8),
        "y_test": np.tile(np.arange(4), 2),
    }
    np.savez(tmp_path / "mine.npz", **arrays)
    data = load_data(tmp_path / "mine.npz")
    assert np.array_equal(data.test.images, arrays["x_test"])
    assert data.class_names == ("0", "1", "2", "3")
    assert load_data(tmp_path / "mine.npz", image_size=24).input_shape == (24, 24, 3)


def test_cifar100_has_its_fine_classes(tmp_path, monkeypatch):
    fine = (np.arange(1000) % 100).reshape(-1, 1)
    images = np.zeros((1000, 32, 32, 3), np.uint8)

    def load(label_mode):
        assert label_mode == "fine"
        return (images, fine), (images[:200], fine[:200])

    monkeypatch.setattr("keras.datasets.cifar100.load_data", load)
    monkeypatch.setenv("LWCNN_DATA", str(tmp_path))
    arrays = {"x_train": images, "y_train": fine, "x_test": images[:200], "y_test": fine[:200]}
    downloaded = load_data("cifar100")
    np.savez(tmp_path / "cifar100.npz", **arrays)
    monkeypatch.setattr("keras.datasets.cifar100.load_data", None)
    for data in (downloaded, load_data("cifar100")):
        assert len(data.class_names) == len(set(data.class_names)) == 100
        assert data.class_names[:2] == ("apple", "aquarium_fish")
        assert data.class_names[99] == "worm" and set(np.bincount(data.val.labels)) == {1}


def test_a_name_is_looked_up_in_the_data_folder(tmp_path, monkeypatch):
    class_folders(tmp_path / "pets", {"cat": 20, "dog": 20})
    monkeypatch.setenv("LWCNN_DATA", str(tmp_path))
    assert load_data("pets", image_size=8).name == "pets"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_set", "unknown data source 'no_such_set'; allowed are cifar10, cifar100, digits"),
        ("broken.npz", "broken.npz: not an .npz archive"),
        ("cut.npz", "cut.npz: not an .npz archive"),
        ("missing.npz", "x_test"),
        ("pickled.npz", "pickled.npz: not an .npz archive of plain arrays"),
        ("labels.npz", "y_train holds 8 values of float64; integer labels are allowed"),
        ("negative.npz", "negative.npz: labels [-1] are there; allowed are 0 to 1"),
        ("huge.npz", "labels [1099511627776] are there; allowed are 0 to 1"),
        ("longer.npz", "longer, train split: 8 images but labels of shape (9,)"),
        ("few.npz", "few: too few images to cut a split of 1"),
        ("one_class", "its class folders are ['cat']; at least 2 are needed"),
        ("empty_class", "dog: this class holds no image"),
        ("unreadable", "images cannot be decoded: unreadable/dog/cut.jpg"),
        ("cmyk", "cmyk/dog/000.jpg (its pixels are CMYK; allowed are 1, L, LA, RGB, RGBA, P)"),
        ("deep", "deep/dog/000.png (its pixels are I;16; allowed are"),
        ("other_classes", "classes differ from the training images' by ['cow', 'dog']"),
    ],
)
def test_bad_sources_are_refused_with_what_was_found(tmp_path, monkeypatch, source, message):
    x, y = np.zeros((8, 8, 8, 3), np.uint8), np.arange(8) % 2
    if source == "broken.npz":
        (tmp_path / source).write_bytes(b"not a zip file")
    elif source == "cut.npz":
        np.savez(tmp_path / source, x_train=x, y_train=y, x_test=x, y_test=y)
        (tmp_path / source).write_bytes((tmp_path / source).read_bytes()[:-100])
    elif source == "missing.npz":
        np.savez(tmp_path / "missing.npz", x_train=x, y_train=y, y_test=y)
    elif source == "pickled.npz":
        objects = np.array([{"a": 1}] * 8)
        np.savez(tmp_path / "pickled.npz", x_train=objects, y_train=y, x_test=x, y_test=y)
    elif source == "labels.npz":
        np.savez(tmp_path / "labels.npz", x_train=x, y_train=y * 0.5, x_test=x, y_test=y)
    elif source == "negative.npz":
        np.savez(tmp_path / "negative.npz", x_train=x, y_train=y - 1, x_test=x, y_test=y)
    elif source == "huge.npz":
        np.savez(tmp_path / "huge.npz", x_train=x, y_train=y, x_test=x, y_test=y << 40)
    elif source == "longer.npz":
        np.savez(tmp_path / "longer.npz", x_train=x, y_train=np.arange(9) % 2, x_test=x, y_test=y)
    elif source == "few.npz":
        np.savez(tmp_path / "few.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    elif source == "one_class":
        class_folders(tmp_path / source, {"cat": 12})
    elif source == "empty_class":
        class_folders(tmp_path / source, {"cat": 12, "dog": 0})
    elif source == "unreadable":
        class_folders(tmp_path / source, {"cat": 12, "dog": 11})
        (tmp_path / source / "dog" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    elif source == "cmyk":
        class_folders(tmp_path / source, {"cat": 12, "dog": 11})
        (tmp_path / source / "dog" / "000.png").unlink()
        Image.new("CMYK", (20, 16)).save(tmp_path / source / "dog" / "000.jpg")
    elif source == "deep":
        class_folders(tmp_path / source, {"cat": 12, "dog": 12})
        Image.new("I;16", (20, 16)).save(tmp_path / source / "dog" / "000.png")
    elif source == "other_classes":
        class_folders(tmp_path / source / "train", {"cat": 12, "dog": 12})
        class_folders(tmp_path / source / "val", {"cat": 2, "cow": 2})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LWCNN_DATA", raising=False)
    with pytest.raises(ValueError) as raised:
        load_data(source, image_size=8)
    assert message in str(raised.value)


def test_labels_outside_the_classes_are_refused():
    split = Split(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 2, 1]))
    with pytest.raises(ValueError, match="labels span 0 to 2; allowed are 0 to 1"):
        ImageDataset("x", split, split, split, ("a", "b"))


def test_there_is_one_group_per_image():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    split = Split(images, np.array([0, 1, 1]), groups=("a", "b"))
    with pytest.raises(ValueError, match="3 images but 2 groups"):
        ImageDataset("x", split, split, split, ("a", "b"))


def test_a_notebook_shows_counts_and_no_pixels():
    data = load_data("digits")
    assert repr(data) == (
        "ImageDataset('digits', 1,293 train, 144 val, 360 test images of shape (32, 32, 3), "
        "10 classes: 0, 1, 2, 3, 4, ...)"
    )
    assert repr(data.val) == "Split(144 images of shape (32, 32, 3), 10 classes)"
    grouped = Split(data.val.images, data.val.labels, groups=("a", "b") * 72)
    assert "2 groups" in repr(grouped)


def test_scaling_maps_0_and_255_to_the_ends_of_the_range():
    scaled = scale_images(np.array([0, 255], np.uint8), (-1.0, 1.0))
    assert scaled.dtype == np.float32 and np.allclose(scaled, [-1, 1], atol=1e-6)
    with pytest.raises(ValueError, match=r"\(1.0, -1.0\)"):
        scale_images(np.zeros(1, np.uint8), (1.0, -1.0))


@pytest.mark.real_data
def test_cifar10_comes_from_the_data_folder_with_its_class_names(real_data):
    assert os.environ["LWCNN_DATA"] == str(real_data)
    data = load_data("cifar10")
    assert (len(data.train), len(data.val), len(data.test)) == (45_000, 5_000, 8_000)
    assert data.class_names[3] == "cat" and set(np.bincount(data.val.labels)) == {500}


@pytest.mark.real_data
def test_imagenette_folders_load_at_224_px(real_data):
    data = load_data("imagenette224")
    assert data.input_shape == (224, 224, 3) and len(data.test) == 150
    assert data.test.images.std() > 40


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_set_that_cannot_be_downloaded_says_what_to_do(name, monkeypatch, tmp_path):
    def offline(*_, **__):
        raise URLError("no network")

    def load(**_):
        return keras.utils.get_file("images.tar.gz", "https://nowhere", cache_dir=tmp_path)

    monkeypatch.setenv("LWCNN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr(f"keras.datasets.{name}.load_data", load)
    with pytest.raises(OSError, match=rf"{name} could not be downloaded.*{name}\.npz.*LWCNN_DATA"):
        load_data(name)
