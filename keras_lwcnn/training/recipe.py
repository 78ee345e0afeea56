"""How a network is trained, as one value that a run can be repeated from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

AUGMENTATIONS = ("none", "shift", "shift_flip", "shift_flip_erase", "rotate_shift_flip_contrast")
OPTIMIZERS = ("adamw", "adam", "sgd", "muon")
OF_MUON = ("adam_learning_rate", "adam_weight_decay")
SCHEDULES = ("cosine", "constant")
LOSSES = ("cross_entropy", "class_balanced_focal")
PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run.

    The defaults suit short trainings of the small networks; `RECIPES` has whole ones by network and
    data set, the published ones among them.

    Attributes:
        epochs: passes over the training images, at least 1.
        batch_size: images per step, over all processes, at least 1.
        optimizer: `adamw`, `adam`, `sgd` (Nesterov momentum 0.9), or `muon` (`KernelMuon`: makes
            the updates of kernels orthogonal; depthwise kernels, the last layer, normalization and
            biases are trained by AdamW).
        learning_rate: peak learning rate, above 0; of `muon`, that of kernels.
        adam_learning_rate: of `muon`: peak learning rate of what AdamW trains, above 0.
        adam_weight_decay: of `muon`: weight decay of the last layer's kernel, at least 0.
        schedule: `cosine` (falls to 0 at the end) or `constant`, after the warm-up.
        warmup: share of the steps over which the learning rate rises linearly from 0, in [0, 1).
        weight_decay: share of a kernel taken off at each step, times the learning rate
            (decoupled; biases and normalization are spared). At least 0, and 0 for `adam`. A decay
            that is added to the gradient of an SGD with momentum 0.9 takes off ten times its value
            in the long run: a published 1e-4 of that kind is 1e-3 here.
        augmentation: `none`; `shift` (random shifts by up to an eighth of the side); `shift_flip`
            (the same with horizontal flips; for 32 px, crop with padding 4 and flip);
            `shift_flip_erase` (after these, in every second image, a rectangle of 0.02 to 0.33 of
            the area becomes grey: random erasing, AAAI 2020); or
            `rotate_shift_flip_contrast` (rotation by up to 0.15 turns, shifts by up to a tenth,
            flips, contrast by up to a tenth: those of Xception-Lite).
        label_smoothing: in [0, 1); 0 for another loss than cross-entropy.
        loss: `cross_entropy`, or `class_balanced_focal` (beta 0.9999, gamma 2, of the training
            images' class counts), which the CondenseNeXt papers name.
        ema: momentum of an exponential moving average of the weights, which then replaces them in
            validation and at the end; in [0, 1), 0 for none.
        settle_batches: batches over which the statistics of batch normalization are measured anew
            at the end, at least 0; 0 keeps the moving averages. For trainings of few steps.
        precision: `float32`, or `mixed_bfloat16` (layers compute in bfloat16, weights stay
            float32; the network that is saved is a float32 one). For GPUs.
        pruning_share: of networks with learned groups: share of the epochs after which they are
            condensed, in (0, 1].
        group_lasso: of networks with learned groups: weight of the lasso until then, at least 0.
        frozen: for transfer learning: the last stage or layer, by name, that stays as it is with
            all before it, batch normalization in inference mode; `base` for all but the last
            layer, empty for none.
        frozen_normalization: whether batch normalization stays in inference mode everywhere.
        seed: of weights drawn while training, shuffling and augmentation.
    """

    epochs: int = 15
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    adam_learning_rate: float = 3e-3
    adam_weight_decay: float = 0.05
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 1e-2
    augmentation: str = "shift"
    label_smoothing: float = 0.0
    loss: str = "cross_entropy"
    ema: float = 0.0
    settle_batches: int = 0
    precision: str = "float32"
    pruning_share: float = 0.5
    group_lasso: float = 0.0
    frozen: str = ""
    frozen_normalization: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every setting.

        Raises:
            ValueError: quoting the setting, its value and what is allowed.
        """
        for name, allowed in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("augmentation", AUGMENTATIONS),
            ("loss", LOSSES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is unknown; allowed are {', '.join(allowed)}"
                )
        for name, holds, allowed in (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("adam_learning_rate", self.adam_learning_rate > 0, "above 0"),
            ("adam_weight_decay", self.adam_weight_decay >= 0, "at least 0"),
            ("warmup", 0 <= self.warmup < 1, "in [0, 1)"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)"),
            ("ema", 0 <= self.ema < 1, "in [0, 1)"),
            ("settle_batches", self.settle_batches >= 0, "at least 0"),
            ("pruning_share", 0 < self.pruning_share <= 1, "in (0, 1]"),
            ("group_lasso", self.group_lasso >= 0, "at least 0"),
        ):
            if not holds:
                raise ValueError(
                    f"{name}={getattr(self, name)} is out of range; allowed is {allowed}"
                )
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(
                f"weight_decay={self.weight_decay} does not fit adam, which has none. "
                "Take 0, or the optimizer adamw"
            )
        for name in OF_MUON:
            value, default = getattr(self, name), getattr(type(self), name)
            if self.optimizer != "muon" and value != default:
                raise ValueError(
                    f"{name}={value} goes with the optimizer muon; this is {self.optimizer}. "
                    f"Leave it at {default}, or take muon"
                )
        if self.label_smoothing and self.loss != "cross_entropy":
            raise ValueError(
                f"label_smoothing={self.label_smoothing} goes with the loss cross_entropy; this is "
                f"{self.loss}. Take 0"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, those of Muon only where it is the optimizer."""
        settings = asdict(self)
        if self.optimizer != "muon":
            for name in OF_MUON:
                del settings[name]
        return settings

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Recipe":
        """Make the recipe that `to_dict` described; what is missing has its default.

        Raises:
            ValueError: an unknown setting, or one out of range.
        """
        known = [field.name for field in fields(cls)]
        strange = sorted(settings.keys() - set(known))
        if strange:
            raise ValueError(
                f"{', '.join(strange)} is no setting of a recipe; allowed are {', '.join(known)}"
            )
        return cls(**settings)
