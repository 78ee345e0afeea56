"""Conversions as the verbs ask for them: images from sources, files named after the model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert import Calibration, ConversionOptions, Mode
    from convert.tflite.sidecar import Sidecar
    from keras_lwcnn.data import ImageDataset
    from lwcnn.common import DataSource

DEFAULT_CALIBRATION_COUNT = 200
VALIDATION_COUNT = 500
TRAIN_BATCH_SIZE = 16


@dataclass(frozen=True)
class TrainedModel:
    """A `.keras` file with what the training record beside it tells.

    Attributes:
        file: the `.keras` file.
        record: what `train` recorded, empty without a record.
        input_range: what pixels 0 and 255 become; None when nothing tells it.
    """

    file: Path
    record: dict[str, Any]
    input_range: tuple[float, float] | None

    @classmethod
    def read(cls, file: Path, input_range: Sequence[float] | None = None) -> TrainedModel:
        """Read the record of a model.

        Args:
            file: the `.keras` file.
            input_range: what pixels 0 and 255 become, None for what the record says.

        Raises:
            FileNotFoundError: there is no model file.
            ValueError: no `.keras` file, or a file beside it that is no training record.
        """
        from convert.source.keras_file import check_keras_file, read_record

        check_keras_file(file)
        record = read_record(file)
        input_range = input_range or record.get("input_range")
        return cls(file, record, None if input_range is None else tuple(input_range))

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes, None where the record does not tell them."""
        return self.record.get("dataset", {}).get("class_names")

    @property
    def source(self) -> DataSource | None:
        """The images that the model was trained on, None where the record does not tell them."""
        from lwcnn.common import DataSource

        return DataSource.recorded(self.record)

    def load(
        self, data: str | DataSource | ImageDataset, image_size: int | None = None
    ) -> ImageDataset:
        """Load images in the size of the model's training, once the range is known.

        Args:
            data: source of the images, or a loaded data set, which is returned as it is.
            image_size: side in pixels, None for what the model was trained on.

        Raises:
            ValueError: nothing tells the range.
        """
        from lwcnn.common import loaded

        if self.input_range is None:
            raise ValueError(
                f"{self.file} has no training record that tells its input range. Give --input-range"
            )
        trained_on = self.record.get("dataset", {}).get("input_shape", [None])
        return loaded(data, image_size or trained_on[0])


def convert_model(
    model_file: Path,
    out: Path,
    *,
    modes: Sequence[str] | None = None,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    calibration_count: int | None = None,
    input_range: Sequence[float] | None = None,
    reuse: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Write a .tflite file and its sidecar for each mode, named after the model file.

    Args:
        model_file: the `.keras` file.
        out: folder for the files.
        modes: names of modes, None for the usual ones.
        data: source of calibration images, or a loaded data set; None for what the model was
            trained on.
        image_size: side of a source's images in pixels, None for what the model was trained on.
        calibration_count: number of calibration images; None for `DEFAULT_CALIBRATION_COUNT`, or
            all where there are fewer.
        input_range: what pixels 0 and 255 become, None for what the training record says.
        reuse: leave files that are there and would only be written again; see
            `convert.reuse.reusable`.
        **options: further fields of `convert.options.ConversionOptions`.

    Returns:
        One row of kind "convert" per mode.

    Raises:
        FileNotFoundError: there is no model file.
        ValueError: what `convert.to_tflites` refuses, or calibration images that nothing tells.
    """
    from convert import ConversionOptions, to_tflites
    from lwcnn.common import working

    chosen = checked_modes(modes)
    model = TrainedModel.read(model_file, input_range)
    options |= {"input_range": model.input_range, "class_names": model.class_names}
    calibration = validation = None
    if calibrated := [mode.name for mode in chosen if mode.calibrated]:
        data = data or model.source
        if data is None:
            raise ValueError(
                f"{', '.join(calibrated)} needs calibration images, which no training record of "
                f"{model_file} names. Give --data"
            )
        dataset = model.load(data, image_size)
        calibration = calibration_from(dataset, calibration_count, model.input_range)
        if options.get("quantization") == "auto":
            validation = _validation_from(dataset, model.input_range)
    paths = {mode.name: out / f"{model_file.stem}.{mode.name}.tflite" for mode in chosen}
    sidecars = {}
    if reuse:
        sidecars = _reused(model_file, paths, calibration, ConversionOptions(**options))
    if missing := [name for name in paths if name not in sidecars]:
        with working(f"Converting {model_file} to {', '.join(missing)}") as say:
            files = to_tflites(
                model_file,
                missing,
                calibration,
                paths=paths,
                validation_data=validation,
                progress=say,
                **options,
            )
        sidecars |= {name: file.sidecar for name, file in files.items()}
    return [sidecars[name].to_dict() for name in paths]


def _reused(
    model_file: Path,
    paths: dict[str, Path],
    calibration: Calibration | None,
    options: ConversionOptions,
) -> dict[str, Sidecar]:
    """Find the files that can be used again, and say so."""
    from convert.reuse import reusable

    sidecars = reusable(model_file, paths, calibration, options)
    if sidecars:
        files = ", ".join(paths[name].name for name in sidecars)
        print(f"made from this model before, used again: {files}", file=sys.stderr)
    return sidecars


def convert_trainable(
    model_file: Path,
    out: Path,
    batch_size: int = TRAIN_BATCH_SIZE,
    *,
    data: str | DataSource | ImageDataset | None = None,
    image_size: int | None = None,
    calibration_count: int | None = None,
    input_range: Sequence[float] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write a .tflite file whose last layer can be trained, and its sidecar; return its row.

    Arguments and errors as `convert_model`; `options` are further ones of
    `convert.trainable_tflite`.
    """
    from convert import trainable_tflite
    from lwcnn.common import working

    model = TrainedModel.read(model_file, input_range)
    calibration = None
    if data := data or model.source:
        dataset = model.load(data, image_size)
        calibration = calibration_from(dataset, calibration_count, model.input_range)
    with working(f"Converting {model_file}") as say:
        file = trainable_tflite(
            model_file,
            calibration,
            batch_size=batch_size,
            path=out / f"{model_file.stem}.trainable.tflite",
            progress=say,
            input_range=model.input_range,
            class_names=model.class_names,
            **options,
        )
    return file.to_dict()


def checked_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Return modes by their names, the usual ones for None."""
    from convert.modes import DEFAULT_MODES, mode_named

    return [mode_named(name) for name in modes or DEFAULT_MODES]


def compared_modes(modes: Sequence[str] | None) -> list[Mode]:
    """Return modes by their names, the usual ones for None; refuse them without float32.

    Raises:
        ValueError: an unknown mode, or no float32 to compare the others with.
    """
    chosen = checked_modes(modes)
    names = [mode.name for mode in chosen]
    if "float32" not in names:
        raise ValueError(
            f"--modes has {', '.join(names)} but not float32, which the others are compared with. "
            "Add it"
        )
    return chosen


def calibration_from(
    dataset: ImageDataset, count: int | None, input_range: Sequence[float]
) -> Calibration:
    """Choose training images, as many of each class as the count allows, scale and check them.

    Args:
        dataset: where the images come from.
        count: how many; None for `DEFAULT_CALIBRATION_COUNT`, or all where there are fewer.
        input_range: what pixels 0 and 255 become.

    Raises:
        ValueError: more are asked for than there are, or images that `check_calibration` refuses.
    """
    from convert import Calibration, check_calibration
    from keras_lwcnn.data import balanced_indices, scale_images

    if count is None:
        count = min(DEFAULT_CALIBRATION_COUNT, len(dataset.train))
    indices = balanced_indices(dataset.train.labels, count, what="calibration images")
    calibration = Calibration(
        scale_images(dataset.train.images[indices], tuple(input_range)),
        tuple(input_range),
        source=f"{dataset.source}, train split",
        indices=tuple(int(i) for i in indices),
    )
    return check_calibration(calibration, dataset.input_shape)


def _validation_from(dataset: ImageDataset, input_range: Sequence[float]) -> tuple[Any, Any]:
    """Choose validation images, balanced by class; return them scaled, and their labels."""
    from keras_lwcnn.data import balanced_indices, scale_images

    count = min(VALIDATION_COUNT, len(dataset.val))
    indices = balanced_indices(dataset.val.labels, count)
    images = scale_images(dataset.val.images[indices], tuple(input_range))
    return images, dataset.val.labels[indices]


def some_of(names: Sequence[str], most: int = 4) -> str:
    """Join names; of more than `most`, join the first ones and say how many are left out."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
