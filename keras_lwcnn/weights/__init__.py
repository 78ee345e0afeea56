"""Trained weights that the package holds: `weights="cifar10"` of the builders.

`index.json` describes each set, an `.npz` holds it. Importing this package imports no framework.
"""

from keras_lwcnn.weights.index import ShippedSet, shipped, shipped_names, shipped_sets
from keras_lwcnn.weights.loading import load_shipped

__all__ = ["ShippedSet", "load_shipped", "shipped", "shipped_names", "shipped_sets"]
