"""One of two processes that train together, or the only one.

    two_processes.py FOLDER ID PORT | FOLDER alone

Writes the weights of an unbroken training, and of one that is stopped and resumed.
"""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np

from keras_lwcnn.data import ImageDataset
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.training import Recipe, train
from keras_lwcnn.training.distributed import join

# Without augmentation, whose random numbers are drawn for other batches.
RECIPE = Recipe(epochs=3, batch_size=20, augmentation="none", ema=0.9)


class StopAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == self.step:
            raise KeyboardInterrupt


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, 2, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ],
        name="small",
    )


def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    if name != "alone":
        join(2, f"127.0.0.1:{sys.argv[3]}", int(name))
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (101, 16, 16, 3), dtype=np.uint8)
    split = Split(images, np.arange(101) % 4)
    dataset = ImageDataset("noise", split, split, split, ("a", "b", "c", "d"))
    shared = folder / ("alone" if name == "alone" else "together")

    model = network()
    result = train(model, dataset, RECIPE, shared / "whole")
    np.savez(folder / f"{name}.npz", *model.get_weights(), loss=result.history["loss"])

    with contextlib.suppress(KeyboardInterrupt):
        train(network(), dataset, RECIPE, shared / "cut", callbacks=[StopAt(8)])
    model = network()
    train(model, dataset, RECIPE, shared / "cut")
    np.savez(folder / f"{name}-resumed.npz", *model.get_weights())


main()
