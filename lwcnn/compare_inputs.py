"""What `lwcnn compare` is given, looked at before anything long starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lwcnn.conversion import some_of

if TYPE_CHECKING:
    from convert.tflite.sidecar import Sidecar
    from keras_lwcnn.data import ImageDataset
    from lwcnn.common import DataSource

REFERENCE = "float32"


@dataclass(frozen=True)
class ComparedFiles:
    """Files of one model, the float32 one among them.

    Attributes:
        paths: mode -> file; a second file of a mode stands under its name without suffix.
        sidecars: mode -> sidecar, under the same names.
        input_range: what pixels 0 and 255 become, the same for all.
    """

    paths: dict[str, Path]
    sidecars: dict[str, Sidecar]
    input_range: tuple[float, float]

    @property
    def reference(self) -> Sidecar:
        """Sidecar of the file that the others are compared with."""
        return self.sidecars[REFERENCE]

    @property
    def image_size(self) -> int:
        """Height of the images that the reference file takes, in pixels."""
        return self.reference.inputs[0]["shape"][1]

    @property
    def classes(self) -> int:
        """Number of classes that the reference file tells apart; one unit tells two apart."""
        return max(2, self.reference.outputs[0]["shape"][-1])

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes, None where the sidecar does not tell them."""
        return self.reference.class_names

    @property
    def model_file(self) -> Path:
        """The NAME.keras that NAME.float32.tflite is named after; it need not be there."""
        file = self.paths[REFERENCE]
        return file.with_name(file.name.removesuffix(f".{REFERENCE}.tflite") + ".keras")


def lone_model(files: Sequence[Path]) -> Path | None:
    """Return the `.keras` file, where one is given, and None for `.tflite` files.

    Raises:
        ValueError: a file of another kind, several models, or a model and `.tflite` files.
    """
    for path in files:
        if path.suffix not in (".keras", ".tflite"):
            raise ValueError(f"{path} is no model; allowed are .keras and .tflite files")
    if all(path.suffix == ".tflite" for path in files):
        return None
    if len(files) > 1:
        raise ValueError(
            f"{', '.join(map(str, files))} cannot be compared in one run; allowed are one "
            "MODEL.keras, or .tflite files alone. Convert the model first: lwcnn convert"
        )
    return files[0]


def read_files(files: Sequence[Path]) -> ComparedFiles:
    """Read the sidecars of `.tflite` files and check that they can be compared.

    Raises:
        FileNotFoundError: a file or its sidecar is missing.
        ValueError: no `.tflite` file, a sidecar of another file, two float32 files or none, one
            file twice, or files that do not share one input range.
    """
    from convert.tflite.inspection import check_tflite_file
    from convert.tflite.sidecar import Sidecar

    paths: dict[str, Path] = {}
    sidecars: dict[str, Sidecar] = {}
    for path in files:
        check_tflite_file(path)
        sidecar = Sidecar.read(path)
        mode = sidecar.mode
        if mode in paths and (mode == REFERENCE or path.stem in paths):
            raise ValueError(f"{paths[mode]} and {path} both are {mode}. Give one file per mode")
        # As the int8 file of a pruned network beside that of the network itself.
        label = path.stem if mode in paths else mode
        paths[label], sidecars[label] = path, sidecar
    if REFERENCE not in paths:
        names = ", ".join(f"{path} ({mode})" for mode, path in paths.items())
        raise ValueError(
            f"{names} cannot be compared without a {REFERENCE} file. Add it: the others are "
            "compared with it"
        )
    ranges = {tuple(sidecar.input_range or ()) for sidecar in sidecars.values()}
    if len(ranges) > 1 or () in ranges:
        raise ValueError(
            f"the files' sidecars have the input ranges {sorted(ranges)}; allowed is one range, "
            "known to all. Convert them again with one --input-range"
        )
    return ComparedFiles(paths, sidecars, ranges.pop())


def images_for(
    compared: ComparedFiles,
    data: str | DataSource | ImageDataset | None,
    image_size: int | None,
) -> ImageDataset:
    """Load the images that files are run on, and check that they are of the files' classes.

    Args:
        compared: the files.
        data: source of the images, or a loaded data set; None for what the model was trained on.
        image_size: side of a source's images in pixels, None for what the files take.

    Raises:
        ValueError: nothing names the images, or they are of other classes.
    """
    from lwcnn.common import loaded

    if data is None:
        data = recorded_source(compared.model_file)
    dataset = loaded(data, image_size or compared.image_size)
    check_classes(dataset, compared.classes, compared.class_names, compared.paths[REFERENCE])
    return dataset


def recorded_source(model_file: Path) -> DataSource:
    """Return what a model was trained on, from the record NAME.json beside NAME.keras.

    Raises:
        ValueError: nothing tells it.
    """
    from convert.source.keras_file import read_record
    from lwcnn.common import DataSource

    source = DataSource.recorded(read_record(model_file))
    if source is None:
        raise ValueError(f"no training record of {model_file} names its images. Give --data")
    return source


def check_classes(
    dataset: ImageDataset, classes: int, names: Sequence[str] | None, where: Path
) -> None:
    """Refuse a data set whose classes are not those of the model.

    Sources without names number their classes, which fit any names.

    Args:
        dataset: the images.
        classes: number of the model's classes.
        names: their names, where they are known.
        where: the file that tells of them.

    Raises:
        ValueError: another number of classes, or other names.
    """
    own = list(dataset.class_names)
    if len(own) != classes:
        raise ValueError(
            f"{dataset.name} has {len(own)} classes; {where} tells {classes} apart"
            + (f": {some_of(names, 10)}" if names else "")
        )
    numbered = all(name.isdigit() for name in own) or all(name.isdigit() for name in names or ())
    if not numbered and own != list(names):
        raise ValueError(
            f"{dataset.name} has the classes {some_of(own, 10)}; {where} has "
            f"{some_of(names, 10)}. Give images of the same classes in the same order"
        )
