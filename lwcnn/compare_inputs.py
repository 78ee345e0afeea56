"""What `lwcnn compare` is given, looked at before anything long starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.data import ImageDataset
    from lwcnn.common import DataSource

REFERENCE = "float32"


@dataclass(frozen=True)
class ComparedFiles:
    """Files of one model, the float32 one among them.

    Attributes:
        paths: mode -> file; a second file of a mode stands under its name without suffix.
        sidecars: the same for what the files' sidecars say.
        input_range: what pixels 0 and 255 become, the same for all.
    """

    paths: dict[str, Path]
    sidecars: dict[str, dict[str, Any]]
    input_range: tuple[float, float]

    @property
    def image_size(self) -> int:
        """Height of the images that the reference file takes, in pixels."""
        return self.sidecars[REFERENCE]["inputs"][0]["shape"][1]

    @property
    def classes(self) -> int:
        """Number of classes that the reference file tells apart; one unit tells two apart."""
        return max(2, self.sidecars[REFERENCE]["outputs"][0]["shape"][-1])

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes, None where the sidecar does not tell them."""
        return self.sidecars[REFERENCE].get("class_names")


def lone_model(files: Sequence[Path]) -> Path | None:
    """Return the `.keras` file, where one is given, and None for `.tflite` files.

    Raises:
        ValueError: a file of another kind, several models, or a model and `.tflite` files.
    """
    for path in files:
        if path.suffix not in (".keras", ".tflite"):
            raise ValueError(f"{path} is neither a .keras nor a .tflite file")
    if all(path.suffix == ".tflite" for path in files):
        return None
    if len(files) > 1:
        raise ValueError(
            "give one MODEL.keras, or .tflite files alone; got " + ", ".join(map(str, files))
        )
    return files[0]


def read_files(files: Sequence[Path]) -> ComparedFiles:
    """Read the sidecars of `.tflite` files and check that they can be compared.

    Raises:
        FileNotFoundError: a file or its sidecar is missing.
        ValueError: no `.tflite` file, a sidecar of another file, two float32 files or none, one
            file twice, or files that do not share one input range.
    """
    from convert import read_sidecar
    from convert.tflite.inspection import check_tflite_file

    paths: dict[str, Path] = {}
    sidecars: dict[str, dict[str, Any]] = {}
    for path in files:
        check_tflite_file(path)
        sidecar = read_sidecar(path)
        mode = sidecar["mode"]
        if mode in paths and (mode == REFERENCE or path.stem in paths):
            raise ValueError(f"{paths[mode]} and {path} both are {mode}; give one file a mode")
        # As the int8 file of a pruned network beside that of the network itself.
        label = path.stem if mode in paths else mode
        paths[label], sidecars[label] = path, sidecar
    if REFERENCE not in paths:
        raise ValueError(
            f"one of the files has to be {REFERENCE}, which the others are compared with; got "
            + ", ".join(f"{path} ({mode})" for mode, path in paths.items())
        )
    ranges = {tuple(sidecar.get("input_range") or ()) for sidecar in sidecars.values()}
    if len(ranges) > 1 or () in ranges:
        raise ValueError(f"the files' sidecars have to tell one input range; found {ranges}")
    return ComparedFiles(paths, sidecars, ranges.pop())


def model_of(paths: Mapping[str, Path]) -> Path:
    """Give the NAME.keras that NAME.float32.tflite is named after."""
    file = paths[REFERENCE]
    return file.with_name(file.name.removesuffix(f".{REFERENCE}.tflite") + ".keras")


def recorded_source(model_file: Path) -> DataSource:
    """Find what a model was trained on, in the record NAME.json beside NAME.keras.

    Raises:
        ValueError: nothing tells it.
    """
    from keras_lwcnn.record import read_record
    from lwcnn.common import DataSource

    source = DataSource.recorded(read_record(model_file))
    if source is None:
        raise ValueError(f"no training record of {model_file} names its images: give --data")
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
    found = list(dataset.class_names)
    if len(found) != classes:
        raise ValueError(
            f"{dataset.name} has {len(found)} classes, {where} tells {classes} apart"
            + (f": {_some(names)}" if names else "")
        )
    numbered = all(name.isdigit() for name in found) or all(name.isdigit() for name in names or ())
    if not numbered and found != list(names):
        raise ValueError(f"{dataset.name} has the classes {_some(found)}; {where}: {_some(names)}")


def _some(names: Sequence[str], count: int = 10) -> str:
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
