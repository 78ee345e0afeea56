"""Many steps in one call of an accelerator, which then does not wait for Python between them."""

from typing import Any

import keras
import numpy as np

from keras_lwcnn.training.batches import ShuffledBatches


def check_steps_per_call(steps: int, processes: int) -> None:
    """Refuse a number of steps per call that cannot be had.

    Raises:
        ValueError: no positive number; more than one on another backend than JAX, or where several
            processes train together.
    """
    if steps < 1:
        raise ValueError(f"steps_per_call={steps} is too small; at least 1 is allowed")
    if steps > 1 and keras.backend.backend() != "jax":
        raise ValueError(
            f"steps_per_call={steps} works on the JAX backend only; this is "
            f"{keras.backend.backend()}. Use 1, or KERAS_BACKEND=jax"
        )
    if steps > 1 and processes > 1:
        raise ValueError(
            f"steps_per_call={steps} works in one process only; these are {processes}. Use 1"
        )


class GivenRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is an input of the compiled program, set while that is traced.

    A schedule's numbers would be part of the program, and another length of training another
    program to compile.
    """

    def __init__(self) -> None:
        self.rate: Any = 0.0

    def __call__(self, step: Any) -> Any:
        """Return the rate, whatever the step."""
        return self.rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments: none."""
        return {}


class StackedSteps(keras.utils.PyDataset):
    """What consecutive steps train on: which images, and at which rate."""

    def __init__(self, batches: ShuffledBatches, steps: int, rates: np.ndarray) -> None:
        """Keep the batches.

        Args:
            batches: say which images each step takes; their epoch says where in the run it is.
            steps: steps per stack; the last stack of an epoch may have fewer.
            rates: learning rate of each step of the whole run, float32.
        """
        super().__init__()
        self.batches = batches
        self.steps = steps
        self.rates = rates

    def __len__(self) -> int:
        """Return the number of stacks of an epoch."""
        return -(-len(self.batches) // self.steps)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return indices of images, int32 (steps, batch), and rates, float32 (steps,)."""
        first = index * self.steps
        taken = range(first, min(first + self.steps, len(self.batches)))
        chosen = np.stack([self.batches.chosen(i) for i in taken]).astype(np.int32)
        start = self.batches.epoch * len(self.batches) + first
        return chosen, self.rates[start : start + len(taken)]


class ScannedModel(keras.Model):
    """A functional model that takes many steps in one call, on JAX.

    All images and labels are put on the device once, and each step takes its batch from there.
    Every step is that of `fit`, on the same batch and with the same randomness. Callbacks see one
    "batch" per stack of steps.
    """

    def take_from(self, batches: ShuffledBatches, rate: GivenRate) -> None:
        """Say what is trained on, before `fit`.

        Args:
            batches: whose images and labels are put on the device.
            rate: the learning rate of the optimizer that the model is compiled with.
        """
        self._batches = batches
        self._rate = rate

    def make_train_function(self, force: bool = False) -> None:
        """Compile the steps of a stack."""
        if self.train_function is not None and not force:
            return
        import jax

        images = jax.device_put(self._batches.split.images)
        labels = jax.device_put(self._batches.labels)
        compiled = jax.jit(self._take_steps, donate_argnums=0)

        def train_function(state: tuple, iterator: Any) -> tuple[dict, tuple]:
            return compiled(state, images, labels, *next(iterator))

        self.train_function = train_function

    def _take_steps(
        self, state: tuple, images: Any, labels: Any, chosen: Any, rates: Any
    ) -> tuple[dict, tuple]:
        """Take a step for each row of `chosen`; return the last one's logs, and the new state."""
        import jax

        structure = jax.tree.structure(state)

        def step(state: tuple, given: tuple) -> tuple[tuple, dict]:
            rows, self._rate.rate = given
            logs, state = self.train_step(state, (images[rows], labels[rows]))
            # A list where there was a tuple would be another structure to the scan.
            return jax.tree.unflatten(structure, jax.tree.leaves(state)), logs

        state, logs = jax.lax.scan(step, state, (chosen, rates))
        return jax.tree.map(lambda values: values[-1], logs), state
