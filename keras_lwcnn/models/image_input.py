"""The images that go into a network: their shape, and the strides that suit their size."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import layers

ImageShape = tuple[int | None, int | None, int]
"""(height, width, channels) of one image; None: any."""

SMALL_SIZE = 64
"""Side in pixels up to which images are small, as CIFAR's are."""


def image_input(input_shape: ImageShape | None, input_tensor: Any, default_size: int | None) -> Any:
    """Return the tensor of images that a network is built upon.

    Args:
        input_shape: shape of one image; None: that of `input_tensor`, or RGB of the default size.
        input_tensor: a Keras tensor (batch, height, width, channels), or None for a new input.
        default_size: height and width when nothing is said; None leaves them open.

    Returns:
        A Keras tensor (batch, height, width, channels).

    Raises:
        ValueError: a shape that is none of images, or that contradicts the tensor.
    """
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            raise ValueError(
                f"input_tensor is of type {type(input_tensor).__name__}; a Keras tensor is "
                "allowed, such as keras.Input returns."
            )
        tensor_shape = tuple(input_tensor.shape[1:])
        if input_shape is not None and tuple(input_shape) != tensor_shape:
            raise ValueError(
                f"input_shape={tuple(input_shape)} contradicts input_tensor, whose images are "
                f"{tensor_shape}. Leave input_shape out."
            )
        input_shape = tensor_shape
    if input_shape is None:
        input_shape = (default_size, default_size, 3)
    if len(input_shape) != 3 or not isinstance(input_shape[-1], int) or input_shape[-1] < 1:
        raise ValueError(
            f"input_shape={tuple(input_shape)} is not that of images; allowed is (height, width, "
            "channels) with a known number of channels, at least 1."
        )
    if input_tensor is not None:
        return input_tensor
    return layers.Input(shape=tuple(input_shape), name="image")


def is_small(images: Any) -> bool:
    """Tell whether images are small, as CIFAR's: height and width known and at most 64 px."""
    _, height, width, _ = images.shape
    return None not in (height, width) and max(height, width) <= SMALL_SIZE


def check_size(images: Any, minimum: int) -> None:
    """Check that height and width, where they are known, are at least `minimum` pixels.

    Raises:
        ValueError: they are less.
    """
    shape = tuple(images.shape[1:])
    if any(side is not None and side < minimum for side in shape[:2]):
        raise ValueError(
            f"input_shape={shape} is too small for this network; allowed are images of at least "
            f"{minimum}x{minimum} pixels."
        )


def chosen_strides(
    images: Any,
    strides: Sequence[int] | None,
    *,
    small: Sequence[int],
    large: Sequence[int],
    stages: int,
) -> tuple[int, ...]:
    """Return the strides of a network's stem and of the first block of each of its stages.

    Args:
        images: a Keras tensor (batch, height, width, channels).
        strides: what was asked for; None: those for the size of the images.
        small: strides for small images, see `is_small`.
        large: strides for all others.
        stages: number of stages.

    Raises:
        ValueError: another number of strides, or images smaller than their product.
    """
    chosen = tuple(strides or (small if is_small(images) else large))
    if len(chosen) != stages + 1:
        raise ValueError(
            f"strides={chosen} has {len(chosen)} entries; {stages + 1} are needed: one for the "
            f"stem and one for each of the {stages} stages."
        )
    check_size(images, prod(chosen))
    return chosen
