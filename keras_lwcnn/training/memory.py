"""What training a network keeps in memory, counted from the network alone."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from keras_lwcnn.costs import costs

# Tensors of the size of the trainable weights that each optimizer of `Recipe` keeps: Adam's two
# moments, the momentum of SGD.
SLOTS = {"adamw": 2, "sgd": 1}
BYTES_PER_ELEMENT = 4


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a training step keeps, by part, in float32.

    Attributes:
        weights: all weights, statistics of normalizations and masks included.
        gradients: one for each trainable weight.
        slots: what the optimizer keeps of each trainable weight.
        activations: the feature maps between layers that the backward pass reads, of a whole batch
            (`Costs.activations` says which).
    """

    weights: int
    gradients: int
    slots: int
    activations: int

    @property
    def total(self) -> int:
        """All parts together."""
        return self.weights + self.gradients + self.slots + self.activations

    @property
    def beyond_weights(self) -> int:
        """What training adds to the network itself."""
        return self.total - self.weights


def estimate_memory(
    model: keras.Model, batch_size: int, optimizer: str = "adamw"
) -> TrainingMemory:
    """Estimate the memory of training: weights, gradients, optimizer and kept activations.

    Our design, after what every framework has to keep for backpropagation. A lower bound of what a
    process takes: tensors inside layers (the depthwise result of a separable convolution),
    gradients of activations, workspaces of convolutions and the framework itself are not counted.

    Args:
        model: any Keras model that `costs` counts, of a fixed input shape.
        batch_size: images per step, at least 1.
        optimizer: `adamw` (or Adam: two moments) or `sgd` (with momentum).

    Returns:
        The parts.

    Raises:
        ValueError: a batch size below 1, an unknown optimizer, or what `costs` refuses.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} is too small; allowed is 1 or more")
    if optimizer not in SLOTS:
        raise ValueError(f"optimizer={optimizer!r} is unknown; allowed are {', '.join(SLOTS)}")
    trainable = _bytes(model.trainable_weights)
    return TrainingMemory(
        weights=_bytes(model.weights),
        gradients=trainable,
        slots=SLOTS[optimizer] * trainable,
        activations=BYTES_PER_ELEMENT * batch_size * costs(model).activations,
    )


def _bytes(weights: list[Any]) -> int:
    return BYTES_PER_ELEMENT * sum(math.prod(weight.shape) for weight in weights)
