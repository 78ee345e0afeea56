"""Batches in an order that depends on the seed and the epoch alone, so that a run can resume."""

import keras
import numpy as np

from keras_lwcnn.data.dataset import Split
from keras_lwcnn.training.distributed import Part


def labels_for_loss(split: Split, classes: int | None) -> np.ndarray:
    """Return labels as one-hot float32 rows of length `classes`, or as indices for None."""
    return split.labels if classes is None else np.eye(classes, dtype=np.float32)[split.labels]


class ShuffledBatches(keras.utils.PyDataset):
    """Whole batches of a split, shuffled anew for each epoch; a remainder is left out of the epoch.

    Attributes:
        epoch: the epoch whose order the batches have, from 0; `SeededEpochs` sets it.
    """

    def __init__(
        self, split: Split, batch_size: int, seed: int, classes: int | None, part: Part
    ) -> None:
        """Keep the split.

        Args:
            split: images and labels.
            batch_size: images per batch, over all processes; at most the number of images.
            seed: of the order.
            classes: length of the labels as one-hot rows; None returns them as indices.
            part: what this process gets of every batch.

        Raises:
            ValueError: batches that cannot be spread over the devices of all processes.
        """
        super().__init__()
        self.split = split
        self.part = part
        self.batch_size = min(batch_size, len(split))
        if self.batch_size % part.devices:
            raise ValueError(
                f"batch_size={self.batch_size} cannot be spread evenly; allowed are multiples of "
                f"{part.devices}, the devices of {part.count} processes"
            )
        self.seed = seed
        self.labels = labels_for_loss(split, classes)
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose order the batches have."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = np.random.default_rng((self.seed, epoch)).permutation(len(self.split))

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self.split) // self.batch_size

    def chosen(self, index: int) -> np.ndarray:
        """Return which images of the split are this process's part of a batch, int64."""
        return self.part.of(self._order[index * self.batch_size :][: self.batch_size])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and labels of one batch."""
        chosen = self.chosen(index)
        return self.split.images[chosen], self.labels[chosen]


class OrderedBatches(keras.utils.PyDataset):
    """All images of a split in their order, in batches of one size where their number allows it.

    JAX compiles a network anew for each size of a batch. Where processes train together, the last
    few images are left out that do not fill a row of their devices: fewer than there are devices.
    """

    BATCH = 256  # Images at most, rounded up to a multiple of the devices.

    def __init__(self, split: Split, classes: int | None, part: Part, at_most: int = BATCH) -> None:
        """Keep the split; arguments as of `ShuffledBatches`.

        Args:
            at_most: images per batch.

        Raises:
            ValueError: fewer images than devices.
        """
        super().__init__()
        self.split = split
        self.part = part
        self.labels = labels_for_loss(split, classes)
        self.images = len(split) // part.devices * part.devices
        if not self.images:
            raise ValueError(
                f"{len(split)} validation images are fewer than {part.devices} devices"
            )
        rows = self.images // part.devices
        count = -(-self.images // at_most)
        self.batch_size = -(-rows // count) * part.devices

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.images // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and labels of one batch."""
        start = index * self.batch_size
        chosen = self.part.of(np.arange(start, min(start + self.batch_size, self.images)))
        return self.split.images[chosen], self.labels[chosen]


class SeededEpochs(keras.callbacks.Callback):
    """Make the randomness of each epoch depend on the seed and the epoch alone.

    Sets the order of the batches, and the state of every seed generator (augmentation, dropout),
    which Keras does not store in checkpoints.
    """

    def __init__(self, batches: ShuffledBatches, seed: int) -> None:
        """Keep what is seeded.

        Args:
            batches: gets the epoch's order.
            seed: of the run.
        """
        super().__init__()
        self.batches = batches
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Seed the epoch."""
        self.batches.epoch = epoch
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for index, state in enumerate(states):
            fresh = np.random.SeedSequence((self.seed, epoch, index)).generate_state(2)
            state.assign(fresh.astype(state.dtype))
