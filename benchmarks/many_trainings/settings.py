"""What one training of a sweep is made with."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

FLIPS = {"none": 0.0, "random": 1.0, "alternating": 2.0}


@dataclass(frozen=True)
class Settings:
    """Numbers that the compiled program takes as inputs.

    Attributes:
        epochs: passes over the training images, at least 1.
        seed: of initial weights, shuffling and augmentation.
        images: "train" (45,000 of CIFAR-10's 50,000), or "all", validation images included.
        learning_rate: peak rate of Muon.
        adam_learning_rate: peak rate of AdamW.
        weight_decay: of kernels under Muon.
        adam_weight_decay: of the classifier.
        momentum: of Muon.
        warmup: share of the steps.
        label_smoothing: in [0, 1).
        flip: a key of `FLIPS`; alternating: each image every second epoch.
        reflect: whether shifted images are filled by reflection, not by zeros.
        shift: pixels of the largest shift.
        erase: share of the images of which a rectangle becomes grey.
        teacher_weight: share of the teacher in the loss, in [0, 1].
        temperature: of the teacher's probabilities.
    """

    epochs: int = 8
    seed: int = 0
    images: str = "train"
    learning_rate: float = 0.1
    adam_learning_rate: float = 6e-3
    weight_decay: float = 0.02
    adam_weight_decay: float = 0.05
    momentum: float = 0.9
    warmup: float = 0.05
    label_smoothing: float = 0.1
    flip: str = "random"
    reflect: bool = False
    shift: int = 4
    erase: float = 0.0
    teacher_weight: float = 0.0
    temperature: float = 4.0

    def numbers(self) -> dict[str, np.float32]:
        """Return what the program takes, each a float32."""
        taken = asdict(self)
        for name in ("epochs", "seed", "images", "warmup"):
            del taken[name]
        taken["flip"] = FLIPS[self.flip]
        return {name: np.float32(value) for name, value in taken.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)


def rates(settings: Settings, steps: int) -> np.ndarray:
    """Return the share of the peak rate at each step: linear warm-up, then a cosine to zero."""
    warm = max(1, round(settings.warmup * steps)) if settings.warmup else 0
    step = np.arange(steps)
    cosine = 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))
    return np.where(step < warm, step / max(1, warm), cosine).astype(np.float32)


def order(count: int, batch: int, settings: Settings, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of each step (steps, batch) and the epochs that the steps are in."""
    per_epoch = count // batch
    epochs = -(-steps // per_epoch)
    drawn = [
        np.random.default_rng((settings.seed, epoch)).permutation(count)[: per_epoch * batch]
        for epoch in range(epochs)
    ]
    chosen = np.concatenate(drawn).reshape(-1, batch)[:steps].astype(np.int32)
    return chosen, (np.arange(steps) // per_epoch).astype(np.int32)
