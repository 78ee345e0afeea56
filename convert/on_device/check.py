"""Whether the head of a written file learns, and whether its weights can be carried over."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from convert.tflite.interpreter import open_interpreter


@dataclass(frozen=True)
class TrainingCheck:
    """One training step of a file.

    Attributes:
        images: how many images the step took.
        learning_rate: of the step; it lowers the loss of any batch with features of this size.
        loss_before: cross entropy of the images with the weights as converted.
        loss_after: the same in a new interpreter with the trained weights.
    """

    images: int
    learning_rate: float
    loss_before: float
    loss_after: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def train_once(
    content: bytes, images: np.ndarray, features: np.ndarray, logits: np.ndarray
) -> TrainingCheck:
    """Train a file by one step, and carry the weights over to a new interpreter.

    Each image is labelled with the class that the model holds least likely, so that there is
    something to learn. The learning rate is the inverse of a bound on the loss' curvature: half
    the mean squared norm of the features, with the bias' 1.

    Args:
        content: a file with the signatures of `trainable_tflite`.
        images: float32, one batch.
        features: float32 (batch, features), input of the head for these images.
        logits: float32 (batch, classes), output of the head for them; probabilities work as well.
    """
    learning_rate = np.float32(2 / (np.square(features).sum(axis=1) + 1).mean())
    batch = {"images": images, "labels": logits.argmin(axis=1).astype(np.int32)}
    first, second = open_interpreter(content), open_interpreter(content)
    before = first.get_signature_runner("train")(**batch, learning_rate=learning_rate)["loss"]
    weights = first.get_signature_runner("get_weights")(unused=np.int32(0))
    second.get_signature_runner("set_weights")(**weights)
    after = second.get_signature_runner("train")(**batch, learning_rate=np.float32(0))["loss"]
    return TrainingCheck(len(images), float(learning_rate), float(before), float(after))


def check_training(check: TrainingCheck) -> None:
    """Refuse a file that does not learn.

    Raises:
        ValueError: the loss did not fall.
    """
    if not check.loss_after < check.loss_before:
        raise ValueError(
            f"a training step with learning rate {check.learning_rate:.3g} took the loss of "
            f"{check.images} images from {check.loss_before:.6g} to {check.loss_after:.6g}; "
            "expected is a smaller loss. verify=False keeps the file"
        )
