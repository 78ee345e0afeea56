"""How a network is trained, as one value that a run can be repeated from."""

from dataclasses import asdict, dataclass
from typing import Any

AUGMENTATIONS = ("none", "shift", "shift_flip")
OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run.

    The learning rate rises linearly over the first 5 % of the steps and falls to 0 along a cosine.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images a step, at least 1.
        optimizer: `adamw`, or `sgd` (Nesterov momentum 0.9).
        learning_rate: peak learning rate, above 0.
        weight_decay: share of a kernel taken off at each step, times the learning rate
            (decoupled, for both optimizers; biases and normalization are spared). At least 0.
        augmentation: `none`, `shift` (random shifts by up to an eighth of the side) or
            `shift_flip` (the same with horizontal flips; for 32 px, crop with padding 4 and flip).
        label_smoothing: in [0, 1).
        seed: of weights drawn while training, shuffling and augmentation.
    """

    epochs: int = 15
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    augmentation: str = "shift"
    label_smoothing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every setting.

        Raises:
            ValueError: quoting the setting, its value and what is allowed.
        """
        if self.epochs < 1:
            raise ValueError(f"epochs has to be at least 1, got {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size has to be at least 1, got {self.batch_size}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}; allowed are {OPTIMIZERS}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate has to be above 0, got {self.learning_rate}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay has to be at least 0, got {self.weight_decay}")
        if self.augmentation not in AUGMENTATIONS:
            raise ValueError(
                f"unknown augmentation {self.augmentation!r}; allowed are {AUGMENTATIONS}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing has to be in [0, 1), got {self.label_smoothing}")

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as JSON values."""
        return asdict(self)
