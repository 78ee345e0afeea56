"""Whether a written file still computes what its Keras model does."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from convert.modes import Mode
from convert.tflite import metrics
from convert.tflite.evaluation import predict

FLOAT_TOLERANCE = 1e-4
MINIMUM_AGREEMENT = 0.8
DECIDABLE_LEAD = 0.05
DECIDABLE_STEPS = 2


@dataclass(frozen=True)
class Verification:
    """A file against its Keras model on the same images.

    Attributes:
        images: how many images.
        largest_difference: of any output, relative to the largest Keras output.
        decidable: images whose best score leads by more than 5 % of the spread of all scores and
            two integer steps of the file's output; rounding may turn the order of closer ones.
        agreement: share of the decidable images with the same class; None without any.
    """

    images: int
    largest_difference: float
    decidable: int
    agreement: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


def compare_with_keras(
    content: bytes,
    images: np.ndarray,
    expected: np.ndarray,
    *,
    step: float = 0.0,
    model_squash: str | None,
    file_squash: str | None,
) -> Verification:
    """Run the file over the images and compare it with the model's outputs.

    Where only one of both ends in a softmax or sigmoid, probabilities are compared.

    Args:
        content: a .tflite file's content.
        images: float32 (count, height, width, channels).
        expected: the Keras model's outputs (count, ...).
        step: real value of one integer step of the file's output, 0 for float.
        model_squash: "SOFTMAX" or "LOGISTIC" when the Keras model ends in it, else None.
        file_squash: the same of the file.
    """
    expected = np.asarray(expected, np.float32).reshape(len(images), -1)
    outputs = predict(content, images)
    lead, spread = _lead(expected, model_squash, file_squash)
    decidable = lead > max(DECIDABLE_LEAD * spread, DECIDABLE_STEPS * step)
    if model_squash and not file_squash:
        outputs = _squash(outputs, model_squash)
    elif file_squash and not model_squash:
        expected = _squash(expected, file_squash)
    squashed = bool(model_squash or file_squash)
    scores = metrics.class_scores(outputs, squashed=squashed)
    reference = metrics.class_scores(expected, squashed=squashed)
    same = scores.argmax(axis=1) == reference.argmax(axis=1)
    largest = max(float(np.abs(expected).max()), 1e-9)
    return Verification(
        images=len(images),
        largest_difference=float(np.abs(outputs - expected).max()) / largest,
        decidable=int(decidable.sum()),
        agreement=float(same[decidable].mean()) if decidable.any() else None,
    )


def _lead(
    expected: np.ndarray, model_squash: str | None, file_squash: str | None
) -> tuple[np.ndarray, float]:
    """Return the lead of the best class (count,) and the spread of scores in the file's units."""
    scores = expected
    if model_squash and not file_squash:
        scores = np.log(np.maximum(expected, 1e-30))
        if model_squash == "LOGISTIC":
            scores = scores - np.log(np.maximum(1 - expected, 1e-30))
    elif file_squash and not model_squash:
        scores = _squash(expected, file_squash)
    ordered = np.sort(metrics.class_scores(scores, squashed=bool(file_squash)), axis=1)
    return ordered[:, -1] - ordered[:, -2], float(np.ptp(ordered))


def _squash(logits: np.ndarray, kind: str) -> np.ndarray:
    return metrics.softmax(logits) if kind == "SOFTMAX" else 1 / (1 + np.exp(-logits))


def check_verification(verification: Verification, mode: Mode) -> None:
    """Refuse a file that does not compute what its model does.

    Raises:
        ValueError: a float file differs by more than 1e-4 of the largest output, or another
            one names another class on more than a fifth of the decidable images.
    """
    if mode.weights == mode.activations == "float32":
        if not verification.largest_difference <= FLOAT_TOLERANCE:
            raise ValueError(
                f"the {mode.name} file differs from the Keras model by "
                f"{verification.largest_difference:.2g} of its largest output on "
                f"{verification.images} images; allowed is at most {FLOAT_TOLERANCE:g}. "
                "verify=False keeps the file"
            )
    elif verification.agreement is not None and verification.agreement < MINIMUM_AGREEMENT:
        raise ValueError(
            f"the {mode.name} file names the Keras model's class on {verification.agreement:.0%} "
            f"of {verification.decidable} images; allowed are at least {MINIMUM_AGREEMENT:.0%}. "
            "verify=False keeps the file"
        )
