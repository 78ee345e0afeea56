"""Many steps in one call of an accelerator, which then does not wait for Python between them."""

import keras
import numpy as np

from keras_lwcnn.training.batches import ShuffledBatches


def check_steps_per_call(steps: int, processes: int) -> None:
    """Refuse a number of steps a call that cannot be had.

    Raises:
        ValueError: no positive number; more than one on another backend than JAX, or where several
            processes train together.
    """
    if steps < 1:
        raise ValueError(f"steps_per_call has to be at least 1, got {steps}")
    if steps > 1 and keras.backend.backend() != "jax":
        raise ValueError(
            f"steps_per_call={steps} is for the JAX backend (KERAS_BACKEND=jax), this is "
            f"{keras.backend.backend()}: 1 is allowed"
        )
    if steps > 1 and processes > 1:
        raise ValueError(
            f"steps_per_call={steps} is for one process, these are {processes}: 1 is allowed"
        )


class StackedBatches(keras.utils.PyDataset):
    """Stacks of consecutive batches of `ShuffledBatches`; the last of an epoch may be shorter."""

    def __init__(self, batches: ShuffledBatches, steps: int) -> None:
        """Keep the batches.

        Args:
            batches: what to stack.
            steps: batches a stack.
        """
        super().__init__()
        self.batches = batches
        self.steps = steps

    def __len__(self) -> int:
        """Give the number of stacks of an epoch."""
        return -(-len(self.batches) // self.steps)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Give images (steps, batch, height, width, channels) and their labels."""
        first = index * self.steps
        taken = range(first, min(first + self.steps, len(self.batches)))
        images, labels = zip(*(self.batches[i] for i in taken), strict=True)
        return np.stack(images), np.stack(labels)


class ScannedModel(keras.Model):
    """A functional model that takes a step for each batch of a stack in one call, on JAX.

    Every step is that of `fit`, on the same batch and with the same randomness. Callbacks see one
    "batch" a stack.
    """

    def train_step(self, state: tuple, data: tuple) -> tuple[dict, tuple]:
        """Train on a stack of batches; give the logs after the last one, and the new state."""
        import jax

        structure = jax.tree.structure(state)

        def step(state: tuple, batch: tuple) -> tuple[tuple, dict]:
            logs, state = super(ScannedModel, self).train_step(state, batch)
            # A list where there was a tuple would be another structure to the scan.
            return jax.tree.unflatten(structure, jax.tree.leaves(state)), logs

        state, logs = jax.lax.scan(step, state, data)
        return jax.tree.map(lambda values: values[-1], logs), state
