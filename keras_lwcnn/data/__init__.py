"""Images with labels, by name or by path, as arrays that `model.fit` takes."""

from keras_lwcnn.data.dataset import ImageDataset, balanced_indices, scale_images
from keras_lwcnn.data.sources import NAMED_SOURCES, load_data

__all__ = ["NAMED_SOURCES", "ImageDataset", "balanced_indices", "load_data", "scale_images"]
