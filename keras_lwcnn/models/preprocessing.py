"""The range of pixel values that networks expect."""

from typing import Any

import numpy as np
from keras import ops

from keras_lwcnn.pixels import to_range


def preprocess_input(x: Any, input_range: tuple[float, float] = (-1.0, 1.0)) -> Any:
    """Scale pixels from 0..255 to the range that a network expects, [-1, 1] for all of ours.

    Args:
        x: array or tensor of pixels in 0..255, any shape, any dtype; it is not changed.
        input_range: (lowest, highest) value after scaling.

    Returns:
        The scaled pixels as float32, of the same kind (array or tensor) and shape as `x`.

    Raises:
        ValueError: the range is empty or reversed.
    """
    x = x.astype("float32") if isinstance(x, np.ndarray) else ops.cast(x, "float32")
    return to_range(x, input_range)
