"""The sets of trained weights that the package holds, as `index.json` describes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_lwcnn.files import write_json
from keras_lwcnn.weights.measured import MeasuredMode

FOLDER = Path(__file__).parent
INDEX = "index.json"


@dataclass(frozen=True)
class ShippedSet:
    """A set of trained weights.

    Attributes:
        network: name in `keras_lwcnn.models.MODELS`.
        data: name of the data set that it was trained on, for `load_data` and for `weights`.
        file: name of the `.npz` beside the index.
        sha256: of that file.
        class_names: one name per class, in the order of the outputs.
        input_shape: (height, width, channels) of the images.
        input_range: what pixels 0 and 255 became.
        training: facts of the training's record: dataset (name, source, images of each split),
            recipe, val, output, versions, date.
        costs: `keras_lwcnn.costs.Costs.to_dict` for one image; of condensed networks as condensed.
        test_sha256: hash of pixels and labels of the test images (`test_digest`).
        measured: accuracy and size of the converted files on those images, float32 first.
    """

    network: str
    data: str
    file: str
    sha256: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    input_range: tuple[float, float]
    training: dict[str, Any]
    costs: dict[str, Any]
    test_sha256: str
    measured: tuple[MeasuredMode, ...] = ()

    def __repr__(self) -> str:
        """Return network, data and accuracies, in one line."""
        accuracies = ", ".join(f"{mode.mode} {mode.top1:.2%}" for mode in self.measured)
        return f"ShippedSet({self.network!r} on {self.data!r}, {accuracies or 'not measured'})"

    @property
    def id(self) -> str:
        """NETWORK-DATA, as the set's files are called."""
        return f"{self.network}-{self.data}"

    def mode(self, name: str) -> MeasuredMode:
        """Return accuracy and size of the file of a mode.

        Raises:
            ValueError: the mode was not measured.
        """
        for measured in self.measured:
            if measured.mode == name:
                return measured
        raise ValueError(
            f"mode={name!r} of {self.id} was not measured; measured are "
            + (", ".join(measured.mode for measured in self.measured) or "no modes")
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the index's entry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "ShippedSet":
        """Return the set of an index's entry, as `to_dict` returned it."""
        tuples = {
            name: tuple(entry[name]) for name in ("class_names", "input_shape", "input_range")
        }
        measured = tuple(MeasuredMode(**row) for row in entry["measured"])
        return cls(**{**entry, **tuples, "measured": measured})


def read_index(folder: Path) -> tuple[ShippedSet, ...]:
    """Return the sets that the index of a folder describes."""
    return tuple(map(ShippedSet.from_dict, json.loads((folder / INDEX).read_text())))


def shipped_sets() -> tuple[ShippedSet, ...]:
    """Return all sets that the package holds."""
    return read_index(FOLDER)


def shipped_names(network: str) -> tuple[str, ...]:
    """Return the data sets for which weights of a network are shipped."""
    return tuple(each.data for each in shipped_sets() if each.network == network)


def shipped(network: str, data: str) -> ShippedSet:
    """Return the set of a network trained on a data set.

    Raises:
        ValueError: there is none; the message names those that there are.
    """
    sets = shipped_sets()
    for each in sets:
        if (each.network, each.data) == (network, data):
            return each
    raise ValueError(
        f"no weights of {network!r} trained on {data!r} are shipped; shipped are "
        + (", ".join(f"{each.network} on {each.data}" for each in sets) or "none")
    )


def write_index(sets: Sequence[ShippedSet], folder: Path) -> Path:
    """Write the index of a folder, ordered by network and data set, and return its path."""
    ordered = sorted(sets, key=lambda each: (each.network, each.data))
    return write_json(folder / INDEX, [each.to_dict() for each in ordered])
