"""A training that is ready to begin: the network to compute with, and its batches."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_lwcnn.data.dataset import ImageDataset, Split
from keras_lwcnn.training.augmentation import with_preparation
from keras_lwcnn.training.batches import OrderedBatches, ShuffledBatches
from keras_lwcnn.training.distributed import Part
from keras_lwcnn.training.numerics import training_copy
from keras_lwcnn.training.optimization import learning_rates, loss_of, optimizer_of
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.scanning import GivenRate, ScannedModel, StackedSteps


@dataclass(frozen=True)
class Plan:
    """What is trained, and how.

    Attributes:
        model: float32; takes images scaled to `input_range`.
        dataset: what to train on.
        recipe: the settings.
        output: `logits` or `probabilities`, what the model gives.
        input_range: what pixels 0 and 255 become for the model.
        steps_per_call: steps of one call.
        all_images: whether to train on the validation images too.
        part: of this process.
    """

    model: keras.Model
    dataset: ImageDataset
    recipe: Recipe
    output: str
    input_range: tuple[float, float] = (-1.0, 1.0)
    steps_per_call: int = 1
    all_images: bool = False
    part: Part = Part()

    def measures(self) -> dict[str, Any]:
        """Return loss and accuracy, as `compile` takes them, for labels as the loss has them."""
        accuracy = (
            keras.metrics.CategoricalAccuracy
            if self.recipe.label_smoothing
            else keras.metrics.SparseCategoricalAccuracy
        )
        classes = len(self.dataset.class_names)
        labels = self.dataset.train.labels
        loss = loss_of(self.recipe, labels, classes, self.output == "logits")
        return {"loss": loss, "metrics": [accuracy("top1")]}

    def with_epochs(self, epochs: int) -> "Plan":
        """Return the plan with another number of epochs."""
        return replace(self, recipe=replace(self.recipe, epochs=epochs))


class Run:
    """A plan with the network that computes and its batches.

    Attributes:
        plan: what is trained, and how.
        working: the plan's model or the copy of it that the backend computes faster.
        whole: `working` behind augmentation and scaling; takes pixels as uint8.
        batches: shuffled training images.
        stacks: what `fit` takes: `batches`, or stacks of steps.
        validation: batches of the validation images.
    """

    def __init__(self, plan: Plan) -> None:
        """Build the network and the batches, compiled for no training yet.

        Raises:
            ValueError: batches that cannot be spread over the devices of all processes.
        """
        recipe, dataset = plan.recipe, plan.dataset
        one_hot = len(dataset.class_names) if recipe.label_smoothing else None
        images = _joined(dataset.train, dataset.val) if plan.all_images else dataset.train
        self.plan = plan
        self.batches = ShuffledBatches(images, recipe.batch_size, recipe.seed, one_hot, plan.part)
        at_most = max(OrderedBatches.BATCH, recipe.batch_size)
        self.validation = OrderedBatches(dataset.val, one_hot, plan.part, at_most)
        keras.utils.set_random_seed(recipe.seed)
        self.working = training_copy(plan.model, recipe.precision)
        self.whole = with_preparation(self.working, recipe.augmentation, plan.input_range)
        self.stacks: keras.utils.PyDataset = self.batches

    def compile(self) -> None:
        """Compile the network for the recipe; layers that stay as they are have to be frozen."""
        plan, steps = self.plan, self.plan.recipe.epochs * len(self.batches)
        if plan.steps_per_call == 1:
            optimizer = optimizer_of(plan.recipe, steps, self.working)
            self.whole.compile(optimizer=optimizer, **plan.measures())
            return
        rate = GivenRate()
        optimizer = optimizer_of(plan.recipe, steps, self.working, rate)
        rates = learning_rates(plan.recipe, steps)
        self.stacks = StackedSteps(self.batches, plan.steps_per_call, rates)
        self.whole = ScannedModel(self.whole.input, self.whole.output, name=self.whole.name)
        self.whole.take_from(self.batches, rate)
        self.whole.compile(optimizer=optimizer, **plan.measures())
        # Measures are built from a batch; `fit` would build them from a stack.
        self.whole.test_on_batch(*self.validation[0])


def _joined(first: Split, second: Split) -> Split:
    """Return the images of two splits as one."""
    return Split(
        np.concatenate([first.images, second.images]),
        np.concatenate([first.labels, second.labels]),
    )
