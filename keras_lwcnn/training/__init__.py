"""Training over `model.fit`: recipes, augmentation, progress, and the record of a run."""

from keras_lwcnn.training.recipe import AUGMENTATIONS, OPTIMIZERS, Recipe
from keras_lwcnn.training.trainer import TrainingResult, train

__all__ = ["AUGMENTATIONS", "OPTIMIZERS", "Recipe", "TrainingResult", "train"]
