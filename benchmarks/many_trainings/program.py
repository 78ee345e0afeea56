"""The program that is compiled: many steps of training, and the measurement of images."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_lwcnn.optimizers import KernelMuon, depthwise_paths
from keras_lwcnn.training.numerics import training_copy

STEPS = int(os.environ.get("LWCNN_STEPS", "44"))
"""Steps of one call."""
EVALUATED = 1000
"""Images that are measured at a time."""
GREY = 127.5
State = dict[str, Any]


class GivenRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is set from outside while the program is traced."""

    rate: Any = 0.0

    def __call__(self, step: Any) -> Any:
        """Return the rate."""
        return self.rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments: none."""
        return {}


@dataclass
class Program:
    """A network in training.

    Attributes:
        model: float32; takes pixels in [-1, 1] and returns logits.
        teacher: the like, whose predictions are learned too; None without.
        precision: the dtype policy to train in.
    """

    model: keras.Model
    teacher: keras.Model | None = None
    precision: str = "mixed_bfloat16"

    def __post_init__(self) -> None:
        """Make the copy that is trained, its optimizer and the compiled functions."""
        self.working = training_copy(self.model, self.precision)
        if self.teacher is not None:
            self.teaching = training_copy(self.teacher, self.precision)
            self.teaching.trainable = False
        self.rate = GivenRate()
        depthwise = depthwise_paths(self.working)
        classifier = [v.path for v in self.working.layers[-1].trainable_variables]
        self.optimizer = KernelMuon(
            self.rate, adamw_paths=[*depthwise, *classifier], undecayed_paths=depthwise
        )
        self.optimizer.build(self.working.trainable_variables)
        self.train = jax.jit(self._train, donate_argnums=0)
        self.correct = jax.jit(self._correct)

    def state(self, weights: Sequence[np.ndarray] | None = None) -> State:
        """Return the state of a training that begins with `weights`, or the model's own."""
        self.working.set_weights(self.model.get_weights() if weights is None else weights)
        trained = [jnp.array(v.value) for v in self.working.trainable_variables]
        return {
            "trained": trained,
            "others": [jnp.array(v.value) for v in self.working.non_trainable_variables],
            "optimizer": [jnp.zeros(v.shape, v.dtype) for v in self.optimizer.variables],
            "teacher": []
            if self.teacher is None
            else [jnp.array(v.value) for v in self.teaching.non_trainable_variables],
        }

    def weights(self, state: State) -> list[np.ndarray]:
        """Return a state's weights in the order of `model.get_weights()`."""
        for variables, values in (
            (self.working.trainable_variables, state["trained"]),
            (self.working.non_trainable_variables, state["others"]),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return self.working.get_weights()

    def _train(
        self, state: State, images: Any, labels: Any, steps: Mapping, numbers: Mapping
    ) -> tuple[State, Any]:
        """Take steps; return the new state, and the mean loss and accuracy over the steps."""

        def step(state: State, given: Mapping) -> tuple[State, Any]:
            key = jax.random.key(given["key"])
            x = augmented(images, given["chosen"], given["epoch"], key, numbers)
            (_, (others, measured)), gradients = jax.value_and_grad(self._loss, has_aux=True)(
                state["trained"], state, x, labels[given["chosen"]], numbers
            )
            trained, optimizer = self._updated(state, gradients, given["share"], numbers)
            new = {"trained": trained, "others": others, "optimizer": optimizer}
            return {**state, **new}, measured

        state, measured = jax.lax.scan(step, state, dict(steps))
        return state, jnp.mean(measured, axis=0)

    def _loss(self, trained: list, state: State, x: Any, y: Any, numbers: Mapping) -> Any:
        logits, others = self.working.stateless_call(trained, state["others"], x, training=True)
        logits = logits.astype(jnp.float32)
        log_p = jax.nn.log_softmax(logits)
        classes = logits.shape[-1]
        smooth = numbers["label_smoothing"]
        wanted = jax.nn.one_hot(y, classes) * (1 - smooth) + smooth / classes
        loss = -jnp.mean(jnp.sum(wanted * log_p, axis=-1))
        if self.teacher is not None:
            heat = numbers["temperature"]
            taught, _ = self.teaching.stateless_call([], state["teacher"], x, training=False)
            p = jax.nn.softmax(taught.astype(jnp.float32) / heat)
            log_q = jax.nn.log_softmax(logits / heat)
            distance = jnp.mean(jnp.sum(p * (jnp.log(p + 1e-9) - log_q), axis=-1)) * heat**2
            loss = loss + numbers["teacher_weight"] * (distance - loss)
        right = jnp.mean(jnp.argmax(logits, -1) == y)
        return loss, (others, jnp.stack([loss, right]))

    def _updated(self, state: State, gradients: list, share: Any, numbers: Mapping) -> Any:
        peak = numbers["learning_rate"]
        self.rate.rate = share * peak
        self.optimizer.adam_lr_ratio = numbers["adam_learning_rate"] / peak
        for name in ("weight_decay", "adam_weight_decay", "momentum"):
            setattr(self.optimizer, name, numbers[name])
        return self.optimizer.stateless_apply(state["optimizer"], gradients, state["trained"])

    def _correct(self, trained: list, others: list, images: Any, labels: Any) -> Any:
        """Return how many images (a multiple of `EVALUATED`) are right, and the sum of losses."""

        def measure(total: Any, part: tuple) -> Any:
            x = part[0].astype(jnp.float32) / 127.5 - 1.0
            logits, _ = self.working.stateless_call(trained, others, x, training=False)
            log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
            right = jnp.sum(jnp.argmax(logits, -1) == part[1])
            loss = -jnp.sum(jnp.take_along_axis(log_p, part[1][:, None], axis=-1))
            return total + jnp.stack([right.astype(jnp.float32), loss]), None

        shape = (-1, EVALUATED)
        parts = (images.reshape(*shape, *images.shape[1:]), labels.reshape(shape))
        return jax.lax.scan(measure, jnp.zeros(2), parts)[0]


def augmented(images: Any, chosen: Any, epoch: Any, key: Any, numbers: Mapping) -> Any:
    """Return augmented images in [-1, 1], (batch, height, width, 3), of `images` (all) of uint8."""
    height, width = images.shape[1:3]
    count = len(chosen)
    shifts, flips, boxes = jax.random.split(key, 3)
    reach = numbers["shift"]
    moved = jax.random.uniform(shifts, (2, count), minval=-1.0) * reach
    down, across = jnp.round(moved).astype(jnp.int32)
    coin = jax.random.bernoulli(flips, 0.5, (count,))
    # A number for each image that has nothing to do with its class or place.
    turn = ((chosen * 40503 + 12345) // 64 + epoch) % 2 == 0
    flipped = jnp.where(numbers["flip"] == 2.0, turn, coin & (numbers["flip"] == 1.0))
    rows = jnp.arange(height) + down[:, None]
    columns = jnp.arange(width)
    columns = jnp.where(flipped[:, None], columns[::-1], columns) + across[:, None]

    def inside(at: Any, size: int) -> Any:
        return (at >= 0) & (at < size)

    def mirrored(at: Any, size: int) -> Any:
        at = jnp.abs(at)
        return jnp.minimum(at, 2 * (size - 1) - at)

    pixels = (chosen[:, None, None], mirrored(rows, height)[:, :, None],
              mirrored(columns, width)[:, None, :])  # fmt: skip
    x = images.at[pixels].get(mode="promise_in_bounds").astype(jnp.float32)
    kept = inside(rows, height)[:, :, None] & inside(columns, width)[:, None, :]
    x = jnp.where((kept | (numbers["reflect"] > 0))[..., None], x, 0.0)
    erased = _boxes(boxes, count, (height, width), numbers["erase"])
    x = jnp.where(erased[..., None], GREY, x)
    return x / 127.5 - 1.0


def _boxes(key: Any, count: int, size: tuple[int, int], share: Any) -> Any:
    """Return which pixels are erased, as `RandomErasing` of Keras draws them."""
    whether, sides, places = jax.random.split(key, 3)
    spans = jnp.sqrt(jax.random.uniform(sides, (2, count), minval=0.02, maxval=0.33))
    centers = jax.random.uniform(places, (2, count))
    masks = []
    for axis in range(2):
        at = (jnp.arange(size[axis]) + 0.5) / size[axis]
        masks.append(jnp.abs(at - centers[axis][:, None]) < spans[axis][:, None] / 2)
    chosen = jax.random.bernoulli(whether, share, (count,))
    return masks[0][:, :, None] & masks[1][:, None, :] & chosen[:, None, None]
