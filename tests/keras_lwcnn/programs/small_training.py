"""What the training programs and tests share: a small network, noise to train on, a stop."""

import keras
import numpy as np

from keras_lwcnn.data import ImageDataset
from keras_lwcnn.data.dataset import Split


class StopAt(keras.callbacks.Callback):
    """Stand for a kill in the middle of an epoch: raise `KeyboardInterrupt` after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == self.step:
            self.stop()

    def stop(self):
        raise KeyboardInterrupt


def noise(count):
    """Give so many random images of 16 px in four classes, the same in every split."""
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (count, 16, 16, 3), dtype=np.uint8)
    split = Split(images, np.arange(count) % 4)
    return ImageDataset("noise", split, split, split, ("a", "b", "c", "d"))


def network(*further):
    """Give a small classifier for them, with `further` layers before its head; always the same."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, 2, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            *further,
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ],
        name="small",
    )
