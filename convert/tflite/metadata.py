"""TFLite metadata: what task libraries on phones read to prepare pixels and name classes.

A flatbuffer of its own (schema "M001") in a buffer of the model, with the labels in a zip archive
behind it, as the MediaPipe and Android task libraries expect.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import flatbuffer

IDENTIFIER = b"M001"
BUFFER_NAME = b"TFLITE_METADATA"
LABELS_FILE = "labels.txt"
PARSER_VERSION = "1.0.0"
IMAGE_PROPERTIES, NORMALIZATION = 2, 1
"""Members of the schema's unions ContentProperties and ProcessUnitOptions."""
RGB, GRAYSCALE = 1, 2
AXIS_LABELS = 2


@dataclass(frozen=True)
class Metadata:
    """What a file says about itself.

    Attributes:
        name: of the model.
        description: what it does, for people.
        labels: names of the classes, in the order of the outputs; may be empty.
        input_range: (low, high) that the model takes raw pixels 0..255 scaled to; None when that
            is not known, which task libraries refuse for float inputs.
        version: of the model.
        author: who made it.
        license: under which terms.
    """

    name: str
    description: str = ""
    labels: tuple[str, ...] = ()
    input_range: tuple[float, float] | None = None
    version: str = "1"
    author: str = ""
    license: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    def normalization(self) -> tuple[float, float] | None:
        """Return (mean, std) with which (pixel - mean) / std gives the input range, if known."""
        if self.input_range is None:
            return None
        low, high = self.input_range
        std = 255.0 / (high - low)
        return -low * std, std


def with_metadata(content: bytes, metadata: Metadata) -> bytes:
    """Return a .tflite file's content with metadata, replacing what it had.

    Args:
        content: of a file with one image input (1, height, width, 1 or 3) and one output of scores.
        metadata: what to write.

    Raises:
        ValueError: the input is no image, or the labels do not fit the output.
    """
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    source, target = (graph.tensors[ends[0]] for ends in (graph.inputs, graph.outputs))
    if len(source.shape) != 4 or source.shape[3] not in (1, 3):
        raise ValueError(
            f"the file's input has the shape {tuple(source.shape)}; allowed is (1, height, width, "
            "1 or 3), as metadata describes images"
        )
    if metadata.labels and len(metadata.labels) != target.shape[-1]:
        raise ValueError(
            f"metadata has {len(metadata.labels)} labels; allowed are {target.shape[-1]}, as many "
            "as outputs, or none"
        )
    if any("\n" in label or not label.strip() for label in metadata.labels):
        raise ValueError(
            f"labels={metadata.labels!r:.200} are not all names; allowed are single lines of text"
        )
    kept = [entry for entry in model.metadata or [] if entry.name != BUFFER_NAME]
    entry = schema.MetadataT()
    entry.name, entry.buffer = BUFFER_NAME, len(model.buffers)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_pack(metadata, source, target), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*kept, entry]
    written = flatbuffer.write(model)
    return written + _labels_archive(metadata.labels, len(written)) if metadata.labels else written


def read_labels(content: bytes) -> tuple[str, ...]:
    """Return the class names packed into a .tflite file, empty when there are none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(archive.read(LABELS_FILE).decode().splitlines())
    except (zipfile.BadZipFile, KeyError):
        return ()


def can_describe(content: bytes) -> bool:
    """Tell whether a file's input is an image, as metadata needs it."""
    graph = flatbuffer.read(content).subgraphs[0]
    shape = graph.tensors[graph.inputs[0]].shape
    return len(shape) == 4 and shape[3] in (1, 3)


def _labels_archive(labels: Sequence[str], offset: int) -> bytes:
    """Return a zip archive of the labels that is valid behind `offset` other bytes."""
    written = io.BytesIO()
    written.write(bytes(offset))
    with zipfile.ZipFile(written, "a", zipfile.ZIP_STORED) as archive:
        # A fixed date, so that equal labels give equal bytes.
        info = zipfile.ZipInfo(LABELS_FILE, (1980, 1, 1, 0, 0, 0))
        archive.writestr(info, "\n".join(labels) + "\n")
    return written.getvalue()[offset:]


def _pack(metadata: Metadata, source: Any, target: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    pixels = [
        _string(builder, 0, "image"),
        _string(builder, 1, "the image to classify, RGB" if source.shape[3] == 3 else "gray image"),
        _offset(3, _image_content(builder, int(source.shape[3]))),
    ]
    if metadata.input_range is not None:
        raw = source.type == schema.TensorType.UINT8
        low, high = (0.0, 255.0) if raw else metadata.input_range
        unit = _normalization(builder, *metadata.normalization())
        pixels += [
            _offset(4, _vector(builder, [unit])),
            _offset(5, _stats(builder, low, high)),
        ]
    parts = [_string(builder, 0, "scores"), _string(builder, 1, "one score a class")]
    if metadata.labels:
        labels = _table(
            builder,
            _string(builder, 0, LABELS_FILE),
            _string(builder, 1, "names of the classes"),
            _byte(2, AXIS_LABELS),
        )
        parts.append(_offset(6, _vector(builder, [labels])))
    scores = _table(builder, *parts)
    graph = _table(
        builder,
        _offset(2, _vector(builder, [_table(builder, *pixels)])),
        _offset(3, _vector(builder, [scores])),
    )
    root = _table(
        builder,
        _string(builder, 0, metadata.name),
        _string(builder, 1, metadata.description),
        _string(builder, 2, metadata.version),
        _offset(3, _vector(builder, [graph])),
        _string(builder, 4, metadata.author),
        _string(builder, 5, metadata.license),
        _string(builder, 7, PARSER_VERSION),
    )
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())


def _image_content(builder: flatbuffers.Builder, channels: int) -> int:
    image = _table(builder, _byte(0, RGB if channels == 3 else GRAYSCALE))
    return _table(builder, _byte(0, IMAGE_PROPERTIES), _offset(1, image))


def _normalization(builder: flatbuffers.Builder, mean: float, std: float) -> int:
    options = _table(
        builder, _offset(0, _floats(builder, [mean])), _offset(1, _floats(builder, [std]))
    )
    return _table(builder, _byte(0, NORMALIZATION), _offset(1, options))


def _stats(builder: flatbuffers.Builder, low: float, high: float) -> int:
    return _table(
        builder, _offset(0, _floats(builder, [high])), _offset(1, _floats(builder, [low]))
    )


Slot = Callable[[flatbuffers.Builder], None]


def _table(builder: flatbuffers.Builder, *slots: Slot) -> int:
    builder.StartObject(10)
    for slot in slots:
        slot(builder)
    return builder.EndObject()


def _offset(field: int, offset: int) -> Slot:
    return lambda builder: builder.PrependUOffsetTRelativeSlot(field, offset, 0)


def _string(builder: flatbuffers.Builder, field: int, text: str) -> Slot:
    return _offset(field, builder.CreateString(text))


def _byte(field: int, value: int) -> Slot:
    return lambda builder: builder.PrependUint8Slot(field, value, 0)


def _vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, values: list[float]) -> int:
    return builder.CreateNumpyVector(np.asarray(values, np.float32))
