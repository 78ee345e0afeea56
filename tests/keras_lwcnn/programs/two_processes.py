"""One of two processes that train together, or the only one.

    two_processes.py FOLDER ID PORT | FOLDER alone

Writes the weights of an unbroken training, and of one that is stopped and resumed.
"""

import contextlib
import sys
from pathlib import Path

import numpy as np
from small_training import StopAt, network, noise

from keras_lwcnn.training import Recipe, train
from keras_lwcnn.training.distributed import join

# Without augmentation, whose random numbers are drawn for other batches.
RECIPE = Recipe(epochs=3, batch_size=20, augmentation="none", ema=0.9)


def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    if name != "alone":
        join(2, f"127.0.0.1:{sys.argv[3]}", int(name))
    dataset = noise(101)
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
