"""The package's own layers; importing this module registers them with Keras' serialization."""

from keras_lwcnn.layers.channels import ChannelGather, ChannelShuffle, ChannelSlice
from keras_lwcnn.layers.condensed_dense import CondensedDense
from keras_lwcnn.layers.group_conv import GroupConv2D
from keras_lwcnn.layers.learned_group_conv import LearnedGroupConv2D

__all__ = [
    "ChannelGather",
    "ChannelShuffle",
    "ChannelSlice",
    "CondensedDense",
    "GroupConv2D",
    "LearnedGroupConv2D",
]
