"""Layers that reorder or choose channels, and compute nothing."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class ChannelShuffle(keras.layers.Layer):
    """Take one channel of each of `groups` equal groups in turn, as ShuffleNet does.

    Args:
        groups: number of groups; the channels must be a multiple of it.

    Raises:
        ValueError: when built, channels not divisible by `groups`.
    """

    def __init__(self, groups: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the channels of `input_shape` (batch, height, width, channels)."""
        channels = input_shape[-1]
        if self.groups < 1 or channels is None or channels % self.groups:
            raise ValueError(
                f"{self.name!r} has {channels} input channels, which groups={self.groups} does not "
                "divide; allowed are multiples of groups, at least 1 of them."
            )

    def call(self, inputs: Any) -> Any:
        """Shuffle the channels of `inputs` (batch, height, width, channels)."""
        _, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, height, width, self.groups, channels // self.groups))
        x = ops.transpose(x, (0, 1, 2, 4, 3))
        return ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "groups": self.groups}


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class ChannelSlice(keras.layers.Layer):
    """Take channels `start` up to, not including, `stop` of the last axis.

    Args:
        start: first channel, from 0.
        stop: the channel after the last.

    Raises:
        ValueError: an empty slice, or, when built, one beyond the channels.
    """

    def __init__(self, start: int, stop: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= start < stop:
            raise ValueError(f"start={start}, stop={stop} is empty; allowed is 0 <= start < stop.")
        self.start = start
        self.stop = stop

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that `input_shape` has the channels of the slice."""
        if input_shape[-1] is None or input_shape[-1] < self.stop:
            raise ValueError(
                f"{self.name!r} has {input_shape[-1]} input channels; its slice from {self.start} "
                f"needs at least {self.stop}."
            )

    def call(self, inputs: Any) -> Any:
        """Slice the last axis of `inputs`."""
        return inputs[..., self.start : self.stop]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with the slice's channels."""
        return (*input_shape[:-1], self.stop - self.start)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class ChannelGather(keras.layers.Layer):
    """Take channels of the last axis by their indices, in any order, repeats allowed.

    Args:
        indices: the channels to take.

    Raises:
        ValueError: no or negative indices, or, when built, one beyond the channels.
    """

    def __init__(self, indices: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.indices = [int(index) for index in indices]
        if not self.indices or min(self.indices) < 0:
            raise ValueError(
                f"indices={self.indices} are no channels; allowed are one or more, from 0 on."
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that `input_shape` has the channels that are taken."""
        if input_shape[-1] is None or input_shape[-1] <= max(self.indices):
            raise ValueError(
                f"{self.name!r} has {input_shape[-1]} input channels; its indices need more than "
                f"{max(self.indices)}."
            )

    def call(self, inputs: Any) -> Any:
        """Gather along the last axis of `inputs`."""
        return ops.take(inputs, self.indices, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with the taken channels."""
        return (*input_shape[:-1], len(self.indices))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "indices": self.indices}
