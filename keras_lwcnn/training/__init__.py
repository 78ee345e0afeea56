"""Training over `model.fit`: recipes, augmentation, progress, the record of a run, its cost."""

from keras_lwcnn.training.cost import TrainingCost, TrainingSetup, measure_training
from keras_lwcnn.training.memory import TrainingMemory, estimate_memory
from keras_lwcnn.training.numerics import make_deterministic
from keras_lwcnn.training.recipe import AUGMENTATIONS, OPTIMIZERS, Recipe
from keras_lwcnn.training.recipes import RECIPES, NamedRecipe, recipe_named
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.trainer import train
from keras_lwcnn.training.transfer import transfer, with_new_head

__all__ = [
    "AUGMENTATIONS",
    "OPTIMIZERS",
    "RECIPES",
    "NamedRecipe",
    "Recipe",
    "TrainingCost",
    "TrainingMemory",
    "TrainingResult",
    "TrainingSetup",
    "estimate_memory",
    "make_deterministic",
    "measure_training",
    "recipe_named",
    "train",
    "transfer",
    "with_new_head",
]
