"""Builders of the networks, with the arguments of `keras.applications`."""

from keras_lwcnn.models.condensenet import CondenseNet
from keras_lwcnn.models.condensenext import CondenseNeXt
from keras_lwcnn.models.l_mobilenet import LMobileNet
from keras_lwcnn.models.mobilenet_v2 import MobileNetV2
from keras_lwcnn.models.preprocessing import preprocess_input
from keras_lwcnn.models.registry import MODELS, ModelEntry, build, model_named
from keras_lwcnn.models.shufflenet_v2 import ShuffleNetV2
from keras_lwcnn.models.xception_lite import XceptionLite

__all__ = [
    "MODELS",
    "CondenseNeXt",
    "CondenseNet",
    "LMobileNet",
    "MobileNetV2",
    "ModelEntry",
    "ShuffleNetV2",
    "XceptionLite",
    "build",
    "model_named",
    "preprocess_input",
]
