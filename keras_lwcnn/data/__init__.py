"""Images with labels, by name or by path, as arrays that `model.fit` takes."""

from keras_lwcnn.data.check import check_data
from keras_lwcnn.data.check_result import DataCheck
from keras_lwcnn.data.dataset import ImageDataset, balanced_indices, scale_images
from keras_lwcnn.data.sources import NAMED_SOURCES, load_data

__all__ = [
    "NAMED_SOURCES",
    "DataCheck",
    "ImageDataset",
    "balanced_indices",
    "check_data",
    "load_data",
    "scale_images",
]
