"""When learned groups are pruned in training."""

from dataclasses import asdict, dataclass
from typing import Any

UNITS = ("epochs", "steps")


@dataclass(frozen=True)
class CondensationSchedule:
    """Prunings spread evenly over the first part of training.

    At progress p, 0 at the start of training and 1 at its end, a layer of condensation factor C
    is at stage min(C - 1, floor(p / pruning_share * (C - 1))).

    Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet", CVPR 2018.

    Args:
        total: length of the whole training, in `unit`.
        unit: "epochs" or "steps" (of the optimizer).
        pruning_share: share of the training after which the last stage is reached, in (0, 1].
        group_lasso: weight of the group lasso until then; 1e-5 on ImageNet, 0 on CIFAR.

    Raises:
        ValueError: a value outside of its range.
    """

    total: int
    unit: str = "epochs"
    pruning_share: float = 0.5
    group_lasso: float = 0.0

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit={self.unit!r} is unknown; allowed are {', '.join(UNITS)}.")
        if self.total < 1:
            raise ValueError(f"total={self.total} is too short; at least 1 is allowed.")
        if not 0 < self.pruning_share <= 1:
            raise ValueError(
                f"pruning_share={self.pruning_share} is out of range; allowed is (0, 1]."
            )
        if self.group_lasso < 0:
            raise ValueError(f"group_lasso={self.group_lasso} is negative; at least 0 is allowed.")

    def stage(self, progress: float, condensation_factor: int) -> int:
        """Return the stage at `progress` of a layer of `condensation_factor`."""
        last = condensation_factor - 1
        # The small addend keeps p = 1/3 of 3 stages from falling short by rounding.
        return min(last, int(progress / self.pruning_share * last + 1e-9))

    def fingerprint(self) -> tuple[float, float, float, float]:
        """Return the numbers by which a layer recognizes the schedule later."""
        return (
            float(self.total),
            float(UNITS.index(self.unit)),
            self.pruning_share,
            self.group_lasso,
        )

    @classmethod
    def from_fingerprint(cls, numbers: Any) -> "CondensationSchedule":
        """Return the schedule that `fingerprint` describes."""
        total, unit, share, lasso = (float(number) for number in numbers)
        return cls(round(total), UNITS[round(unit)], round(share, 6), float(f"{lasso:.6g}"))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return asdict(self)
