"""Whether a shipped set is still as accurate as its entry states."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from keras_lwcnn.weights.measured import MeasuredMode

# Differences that are allowed on the images that were measured. A float network may round a tie the
# other way; the calibration and conversion of an int8 file change a little with library versions.
FLOAT_IMAGES = 1
INT8_POINTS = 0.25
STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class CheckedMode:
    """The stated accuracy of a mode beside the one that was found now.

    Attributes:
        mode: `float32` (here the Keras model itself) or `int8`.
        stated: top-1 in the index, 0 to 1.
        found: top-1 now, 0 to 1.
        images: number of test images now.
        same_images: whether they are the images of the stated accuracy.
        allowed: by how much the two may differ, in percentage points.
    """

    mode: str
    stated: float
    found: float
    images: int
    same_images: bool
    allowed: float

    @property
    def difference(self) -> float:
        """Found minus stated, in percentage points."""
        return 100 * (self.found - self.stated)

    @property
    def holds(self) -> bool:
        """Whether stated and found differ by no more than is allowed."""
        # Both are shares of images: a smaller excess is rounding.
        return abs(self.difference) <= self.allowed + 1e-9

    def to_dict(self) -> dict[str, Any]:
        """Return the row of kind `weights_check`."""
        return {
            "kind": "weights_check",
            **asdict(self),
            "difference": self.difference,
            "holds": self.holds,
        }


def checked(stated: MeasuredMode, right: int, images: int, *, same_images: bool) -> CheckedMode:
    """Compare the accuracy of a mode with the stated one.

    Args:
        stated: the mode in the index.
        right: on how many images the right class came first now.
        images: how many images there were.
        same_images: whether they are the images of the stated accuracy. On others, the difference
            may be as large as chance makes it (three standard errors).
    """
    if not same_images:
        share = (stated.right + right) / (stated.images + images)
        error = math.sqrt(share * (1 - share) * (1 / stated.images + 1 / images))
        allowed = 100 * STANDARD_ERRORS * error
    elif stated.mode == "float32":
        allowed = 100 * FLOAT_IMAGES / images
    else:
        allowed = INT8_POINTS
    return CheckedMode(stated.mode, stated.top1, right / images, images, same_images, allowed)
