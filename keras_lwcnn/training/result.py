"""The record of a finished training."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_lwcnn.files import write_json


@dataclass(frozen=True)
class TrainingResult:
    """The record of a finished run, as it stands in the JSON beside the `.keras` file.

    Attributes:
        model: name of the network.
        dataset: facts of the data set (`ImageDataset.to_dict`).
        input_range: what pixels 0 and 255 became for the network.
        output: `logits` or `probabilities`.
        recipe: settings of the run (`Recipe.to_dict`).
        val: loss and top1 of the finished network on the validation images.
        history: one value per epoch for loss, top1, val_loss and val_top1 (losses in nats, top1 in
            [0, 1]; training figures are running means over the augmented epoch).
        seconds: wall-clock time of the epochs run by the last call.
        versions: of Keras, its backend's name, and keras-lwcnn.
        date: of the end of the run, UTC, ISO 8601.
        origin: of the weights that the run began with: sha256 of their file, and the data and
            epochs that they were trained with; None for random ones.
        time_budget: where a time set the epochs: `seconds` of it, `epochs`, and the pace that was
            measured, `images_per_s`; None where the recipe did.
        all_images: whether the validation images were trained on, too: `val` and the history's
            figures of them then tell nothing of other images.
    """

    model: str
    dataset: dict[str, Any]
    input_range: tuple[float, float]
    output: str
    recipe: dict[str, Any]
    val: dict[str, float]
    history: dict[str, list[float]]
    seconds: float
    versions: dict[str, str]
    date: str
    origin: dict[str, Any] | None = None
    time_budget: dict[str, Any] | None = None
    all_images: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a row of kind `train`."""
        return {"kind": "train", **json.loads(json.dumps(asdict(self)))}

    def save(self, path: Path) -> Path:
        """Write the record as JSON."""
        return write_json(path, self.to_dict())

    @classmethod
    def beside(cls, model_file: Path) -> "TrainingResult | None":
        """Return the record beside a `.keras` file; None where there is none.

        Raises:
            ValueError: the file there is not a training record.
        """
        path = model_file.with_suffix(".json")
        if not path.is_file():
            return None
        try:
            fields = json.loads(path.read_text())
            if fields.pop("kind") != "train":
                raise ValueError("its kind is not 'train'")
            return cls(**fields | {"input_range": tuple(fields["input_range"])})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is not a training record: {error}. Train the model again"
            ) from error
