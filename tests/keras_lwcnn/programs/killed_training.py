"""Train a small network; get killed at a step, or in the middle of writing a checkpoint.

killed_training.py OUT step:N | saving:N | -
"""

import os
import signal
import sys
from pathlib import Path

import keras
from small_training import StopAt, network, noise

from keras_lwcnn.training import Recipe, make_deterministic, train

RECIPE = Recipe(
    epochs=4,
    batch_size=25,
    augmentation="shift_flip",
    label_smoothing=0.1,
    ema=0.9,
    settle_batches=3,
)


class KilledAt(StopAt):
    def stop(self):
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
    make_deterministic()
    callbacks = [KilledAt(int(number))] if what == "step" else []
    train(network(keras.layers.Dropout(0.1)), noise(100), RECIPE, out, callbacks=callbacks)


main()
