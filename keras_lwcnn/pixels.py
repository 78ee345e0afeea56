"""Scaling pixels to a network's range, with neither Keras nor numpy."""

from typing import Any


def to_range(x: Any, input_range: tuple[float, float]) -> Any:
    """Scale pixels from 0..255.

    Args:
        x: float32 array, or tensor of any backend, of pixels in 0..255, any shape.
        input_range: what 0 and 255 become, for example (-1.0, 1.0).

    Returns:
        float32 of the same kind and shape.

    Raises:
        ValueError: the range is empty or reversed.
    """
    low, high = map(float, input_range)
    if not low < high:
        raise ValueError(
            f"input_range={input_range} does not rise; allowed is (low, high) with low < high, as "
            "(-1.0, 1.0)."
        )
    return x * ((high - low) / 255.0) + low
