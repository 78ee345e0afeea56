"""Conversions as the verbs ask for them: images from sources, files named after the model."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from convert import Calibration, Mode
    from keras_lwcnn.data import ImageDataset
    from lwcnn.common import DataSource

DEFAULT_IMAGES = 200
VALIDATION_IMAGES = 500
TRAIN_BATCH_SIZE = 16


def convert_model(
    model_file: Path,
    out: Path,
    *,
    modes: Sequence[str] | None = None,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    images: int | None = None,
    input_range: Sequence[float] | None = None,
    reuse: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Write a .tflite file and its sidecar for each mode, named after the model file; give rows.

    Args:
        model_file: the `.keras` file.
        out: folder for the files.
        modes: names of modes, None for the usual ones.
        data: source of calibration images, or a loaded data set; None for what the model was
            trained on.
        image_size: side of a source's images in pixels, None for what the model was trained on.
        images: how many to calibrate with; None for `DEFAULT_IMAGES`, or all of fewer.
        input_range: what pixels 0 and 255 become, None for what the training record says.
        reuse: leave files that are there and would only be written again; see
            `convert.reuse.reusable`.
        **options: further fields of `convert.options.ConversionOptions`.

    Raises:
        FileNotFoundError: there is no model file.
        ValueError: what `convert.to_tflites` refuses, or calibration images that nothing tells.
    """
    from convert import ConversionOptions, to_tflites
    from convert.reuse import reusable
    from convert.source.keras_file import check_keras_file
    from keras_lwcnn.record import read_record
    from lwcnn.common import DataSource, working

    chosen = checked_modes(modes)
    check_keras_file(model_file)
    record = read_record(model_file)
    input_range = input_range or record.get("input_range")
    options |= {
        "input_range": None if input_range is None else tuple(input_range),
        "class_names": record.get("dataset", {}).get("class_names"),
    }
    calibration = validation = None
    if any(mode.calibrated for mode in chosen):
        data = data or DataSource.recorded(record)
        if data is None:
            calibrated = ", ".join(mode.name for mode in chosen if mode.calibrated)
            raise ValueError(f"{calibrated} needs calibration images: give --data")
        dataset = training_images(record, data, image_size, input_range)
        calibration = calibration_from(dataset, images, input_range)
        if options.get("quantization") == "auto":
            validation = _validation_from(dataset, input_range)
    paths = {mode.name: out / f"{model_file.stem}.{mode.name}.tflite" for mode in chosen}
    rows = {}
    if reuse:
        rows = reusable(model_file, paths, calibration, ConversionOptions(**options))
        _say_kept(rows)
    if missing := [name for name in paths if name not in rows]:
        with working(f"Converting {model_file} to {', '.join(missing)}") as say:
            made = to_tflites(
                model_file,
                missing,
                calibration,
                paths=paths,
                validation_data=validation,
                progress=say,
                **options,
            )
        rows |= {name: file.to_dict() for name, file in made.items()}
    return [rows[name] for name in paths]


def _say_kept(rows: Mapping[str, dict[str, Any]]) -> None:
    if rows:
        files = ", ".join(row["file"] for row in rows.values())
        print(f"made from this model before, used again: {files}", file=sys.stderr)


def convert_trainable(
    model_file: Path,
    out: Path,
    batch_size: int = TRAIN_BATCH_SIZE,
    *,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    images: int | None = None,
    input_range: Sequence[float] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write a .tflite file whose last layer can be trained, and its sidecar; give its row.

    Arguments and errors as `convert_model`; `options` are further ones of
    `convert.trainable_tflite`.
    """
    from convert import trainable_tflite
    from convert.source.keras_file import check_keras_file
    from keras_lwcnn.record import read_record
    from lwcnn.common import DataSource, working

    check_keras_file(model_file)
    record = read_record(model_file)
    if input_range is None:
        input_range = record.get("input_range")
    calibration = None
    if data := data or DataSource.recorded(record):
        dataset = training_images(record, data, image_size, input_range)
        calibration = calibration_from(dataset, images, input_range)
    with working(f"Converting {model_file}") as say:
        file = trainable_tflite(
            model_file,
            calibration,
            batch_size=batch_size,
            path=out / f"{model_file.stem}.trainable.tflite",
            progress=say,
            input_range=None if input_range is None else tuple(input_range),
            class_names=record.get("dataset", {}).get("class_names"),
            **options,
        )
    return file.to_dict()


def training_images(
    record: dict[str, Any],
    data: str | DataSource | ImageDataset,
    image_size: int | None,
    input_range: Sequence[float] | None,
) -> ImageDataset:
    """Load a source in the size of the model's training, once the range is known.

    Raises:
        ValueError: nothing tells the range.
    """
    from lwcnn.common import loaded

    if input_range is None:
        raise ValueError("the model has no training record: --input-range is needed")
    size = image_size or record.get("dataset", {}).get("input_shape", [None])[0]
    return loaded(data, size)


def checked_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Give modes by their names, the usual ones for None."""
    from convert.modes import DEFAULT_MODES, mode_named

    return [mode_named(name) for name in modes or DEFAULT_MODES]


def compared_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Give modes by their names, the usual ones for None; refuse them without float32.

    Raises:
        ValueError: an unknown mode, or no float32 to compare the others with.
    """
    chosen = checked_modes(modes)
    if "float32" not in [mode.name for mode in chosen]:
        raise ValueError(
            "--modes has to hold float32, which the others are compared with; got "
            + ", ".join(mode.name for mode in chosen)
        )
    return chosen


def calibration_from(
    dataset: ImageDataset, count: int | None, input_range: Sequence[float]
) -> Calibration:
    """Choose training images, as many of each class as the count allows, and scale them.

    Raises:
        ValueError: more are asked for than there are.
    """
    from convert import Calibration
    from keras_lwcnn.data import balanced_indices, scale_images

    count = min(DEFAULT_IMAGES, len(dataset.train)) if count is None else count
    indices = balanced_indices(dataset.train.labels, count, what="calibration images")
    return Calibration(
        scale_images(dataset.train.images[indices], tuple(input_range)),
        tuple(input_range),
        source=f"{dataset.source}, train split",
        indices=tuple(int(i) for i in indices),
    )


def _validation_from(
    dataset: ImageDataset, input_range: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Choose validation images, balanced by class, and scale them; give their labels, too."""
    from keras_lwcnn.data import balanced_indices, scale_images

    indices = balanced_indices(dataset.val.labels, min(VALIDATION_IMAGES, len(dataset.val)))
    images = scale_images(dataset.val.images[indices], tuple(input_range))
    return images, dataset.val.labels[indices]
