"""Train a small network on JAX one step a call and three, and once more from three to one.

steps_per_call.py FOLDER

Writes the weights of each training, and what the first two measured.
"""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np
from small_training import StopAt, network, noise

from keras_lwcnn.training import Recipe, train

# Four steps an epoch: a stack of three, and one that is shorter.
RECIPE = Recipe(
    epochs=3,
    batch_size=25,
    optimizer="sgd",
    learning_rate=0.02,
    augmentation="rotate_shift_flip_contrast",
    label_smoothing=0.1,
    ema=0.5,
    settle_batches=3,
)


class Compiled(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        assert self.model.jit_compile


def main():
    folder = Path(sys.argv[1])
    dataset = noise(100)
    for steps in (1, 3):
        model = network()
        out = folder / f"{steps}"
        result = train(model, dataset, RECIPE, out, callbacks=[Compiled()], steps_per_call=steps)
        np.savez(
            folder / f"{steps}.npz",
            *model.get_weights(),
            loss=result.history["loss"],
            val_loss=[*result.history["val_loss"], result.val["loss"]],
        )
    cut = folder / "cut"
    with contextlib.suppress(KeyboardInterrupt):
        # In the second epoch: one and two thirds of an epoch are done, one is stored.
        train(network(), dataset, RECIPE, cut, callbacks=[StopAt(7)], steps_per_call=3)
    assert not (cut / "model.keras").exists()
    model = network()
    train(model, dataset, RECIPE, cut)
    np.savez(folder / "cut.npz", *model.get_weights())


main()
