"""Take three steps of Muon with fixed gradients, and write the weights.

muon_steps.py FILE
"""

import sys

import keras
import numpy as np

from keras_lwcnn.models import build
from keras_lwcnn.training import Recipe
from keras_lwcnn.training.optimization import optimizer_of


def main():
    model = build(
        "l_mobilenet",
        stages=((16, 1), (24, 1)),
        strides=(2, 2, 1),
        classifier_activation=None,
        weights=None,
    )
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    recipe = Recipe(optimizer="muon", learning_rate=0.1, warmup=0.0)
    optimizer = optimizer_of(recipe, 5, model)
    variables = model.trainable_variables
    optimizer.build(variables)
    for _ in range(3):
        gradients = [draw.normal(size=v.shape).astype("float32") for v in variables]
        gradients = [keras.ops.convert_to_tensor(gradient) for gradient in gradients]
        if keras.backend.backend() == "torch":
            import torch

            with torch.no_grad():
                optimizer.apply(gradients, variables)
        else:
            optimizer.apply(gradients, variables)
    np.savez(sys.argv[1], *model.get_weights())


main()
