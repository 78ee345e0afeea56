"""The one line that takes pixels to a network's range, in need of neither Keras nor numpy."""

from typing import Any


def to_range(x: Any, input_range: tuple[float, float]) -> Any:
    """Scale pixels from 0..255.

    Args:
        x: float32 array, or tensor of any backend, of pixels in 0..255, any shape.
        input_range: what 0 and 255 become, for example (-1.0, 1.0).

    Returns:
        float32 of the same kind and shape.

    Raises:
        ValueError: a range that is empty or upside down.
    """
    low, high = map(float, input_range)
    if not low < high:
        raise ValueError(
            f"input_range has to rise: (low, high) with low < high, as (-1.0, 1.0); "
            f"got {input_range}"
        )
    return x * ((high - low) / 255.0) + low
