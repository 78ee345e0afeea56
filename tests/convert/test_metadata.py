import io
import zipfile

import flatbuffers
import numpy as np
import pytest

from convert import MODES, predict, to_tflites
from convert.tflite import flatbuffer
from convert.tflite.metadata import BUFFER_NAME, IDENTIFIER, Metadata, read_labels, with_metadata

NAMES = ("apple", "bee", "cat", "dog", "elk", "fox", "goose")


@pytest.fixture(scope="module")
def described(model, images):
    return to_tflites(
        model,
        list(MODES),
        images,
        input_range=(-1, 1),
        class_names=NAMES,
        description="seven things",
        license="Apache-2.0",
    )


def packed(content):
    model = flatbuffer.read(content)
    (entry,) = [entry for entry in model.metadata if entry.name == BUFFER_NAME]
    return bytes(np.asarray(model.buffers[entry.buffer].data, np.uint8))


def field(table, number):
    return table.Offset(4 + 2 * number)


def child(table, number, index=None):
    """Follow a field to another table, or to one of a vector of tables."""
    offset = field(table, number)
    if index is None:
        place = table.Indirect(offset + table.Pos)
    else:
        place = table.Indirect(table.Vector(offset) + 4 * index)
    return flatbuffers.table.Table(table.Bytes, place)


def text(table, number):
    return table.String(field(table, number) + table.Pos).decode()


def number(table, slot):
    return np.frombuffer(table.Bytes, np.float32, 1, table.Vector(field(table, slot)))[0]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_carries_labels_and_normalization(described, mode):
    content = described[mode].content
    assert read_labels(content) == NAMES
    written = packed(content)
    assert written[4:8] == IDENTIFIER
    start = int.from_bytes(written[:4], "little")
    root = flatbuffers.table.Table(bytearray(written), start)
    assert text(root, 0) == "small"
    assert text(root, 1) == "seven things"
    assert text(root, 5) == "Apache-2.0"
    pixels = child(child(root, 3, 0), 2, 0)
    options = child(child(pixels, 4, 0), 1)
    # (pixel - mean) / std takes 0..255 to the model's -1..1.
    assert (0 - number(options, 0)) / number(options, 1) == pytest.approx(-1)
    assert (255 - number(options, 0)) / number(options, 1) == pytest.approx(1)


@pytest.mark.parametrize("mode", MODES)
def test_metadata_leaves_the_predictions_alone(described, files, images, mode):
    if MODES[mode].io_dtypes[0] == "float32" and not MODES[mode].calibrated:
        scores = predict(described[mode].content, images)
        assert (scores.argmax(1) == predict(files[mode], images).argmax(1)).all()
    plain = flatbuffer.write(flatbuffer.read(described[mode].content))
    np.testing.assert_array_equal(
        predict(plain, images[:8]), predict(described[mode].content, images[:8])
    )


def test_the_labels_are_a_zip_archive_behind_the_model(described):
    with zipfile.ZipFile(io.BytesIO(described["float32"].content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt"]


def test_metadata_is_replaced_not_piled_up(described):
    content = described["float32"].content
    again = with_metadata(content, Metadata("other", labels=NAMES))
    assert len(again) <= len(content) + len(packed(content))
    assert [e.name for e in flatbuffer.read(again).metadata].count(BUFFER_NAME) == 1
    assert read_labels(again) == NAMES


def test_labels_that_do_not_fit_are_refused(described):
    content = described["float32"].content
    with pytest.raises(ValueError, match="metadata has 2 labels; allowed are 7"):
        with_metadata(content, Metadata("m", labels=("a", "b")))
    with pytest.raises(ValueError, match="single lines"):
        with_metadata(content, Metadata("m", labels=(*NAMES[:-1], "two\nlines")))
