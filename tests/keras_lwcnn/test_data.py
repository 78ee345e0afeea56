import os

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
    images = load_data(tmp_path, image_size=8).train.images
    assert images.shape[-1] == 3 and (images[..., 0] == images[..., 2]).all()


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


def test_a_name_is_looked_up_in_the_data_folder(tmp_path, monkeypatch):
    class_folders(tmp_path / "pets", {"cat": 20, "dog": 20})
    monkeypatch.setenv("LWCNN_DATA", str(tmp_path))
    assert load_data("pets", image_size=8).name == "pets"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_set", "unknown data source 'no_such_set'; allowed are cifar10, digits"),
        ("broken.npz", "broken.npz: not an .npz archive"),
        ("missing.npz", "x_test"),
        ("pickled.npz", "pickled.npz: not an .npz archive of plain arrays"),
        ("labels.npz", "y_train has to hold integer labels"),
        ("one_class", "at least 2 class folders are needed, found"),
        ("empty_class", "dog: this class holds no image"),
        ("unreadable", "images cannot be decoded: unreadable/dog/cut.jpg"),
        ("other_classes", "classes differ from the training images': ['cow', 'dog']"),
    ],
)
def test_bad_sources_are_refused_with_what_was_found(tmp_path, monkeypatch, source, message):
    x, y = np.zeros((8, 8, 8, 3), np.uint8), np.arange(8) % 2
    if source == "broken.npz":
        (tmp_path / source).write_bytes(b"not a zip file")
    elif source == "missing.npz":
        np.savez(tmp_path / "missing.npz", x_train=x, y_train=y, y_test=y)
    elif source == "pickled.npz":
        objects = np.array([{"a": 1}] * 8)
        np.savez(tmp_path / "pickled.npz", x_train=objects, y_train=y, x_test=x, y_test=y)
    elif source == "labels.npz":
        np.savez(tmp_path / "labels.npz", x_train=x, y_train=y * 0.5, x_test=x, y_test=y)
    elif source == "one_class":
        class_folders(tmp_path / source, {"cat": 12})
    elif source == "empty_class":
        class_folders(tmp_path / source, {"cat": 12, "dog": 0})
    elif source == "unreadable":
        class_folders(tmp_path / source, {"cat": 12, "dog": 11})
        (tmp_path / source / "dog" / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
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
