"""Train a small network; get killed at a step, or in the middle of writing a checkpoint.

killed_training.py OUT step:N | saving:N | -
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from keras_lwcnn.data import ImageDataset
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.training import Recipe, train

RECIPE = Recipe(
    epochs=4,
    batch_size=25,
    augmentation="shift_flip",
    label_smoothing=0.1,
    ema=0.9,
    settle_batches=3,
)


class KilledAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_while_saving(count):
    """Let the process die with half of the `count`-th weight file on disk."""
    save = keras.Model.save_weights
    saved = []

    def half(model, path):
        save(model, path)
        saved.append(path)
        if len(saved) == count:
            content = Path(path).read_bytes()
            Path(path).write_bytes(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    keras.Model.save_weights = half


def main():
    out, fate = sys.argv[1:]
    what, _, number = fate.partition(":")
    if what == "saving":
        killed_while_saving(int(number))
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (100, 16, 16, 3), dtype=np.uint8)
    split = Split(images, np.arange(100) % 4)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, 2, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dropout(0.1),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ],
        name="small",
    )
    train(
        model,
        ImageDataset("noise", split, split, split, ("a", "b", "c", "d")),
        RECIPE,
        out,
        callbacks=[KilledAt(int(number))] if what == "step" else [],
        deterministic=True,
    )


main()
