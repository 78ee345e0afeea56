"""Batch normalization by the kernel that TensorFlow has for it, while a network is trained."""

from typing import Any

import keras

VECTOR = 8
"""Channels that a processor normalizes together; for other numbers of them the kernel is slow."""


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of images by TensorFlow's fused kernel: the same function, to rounding.

    Keras composes the statistics of a batch and their gradient of many operations, each of which
    reads the whole feature map from memory. For the TensorFlow backend.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize `inputs` (batch, h, w, channels); outside training as Keras does."""
        if not (training and self.trainable) or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        x = tf.cast(inputs, self.compute_dtype)
        channels = x.shape[-1]
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=tf.cast(self.gamma, "float32") if self.scale else tf.ones(channels),
            offset=tf.cast(self.beta, "float32") if self.center else tf.zeros(channels),
            mean=tf.constant([]),
            variance=tf.constant([]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel estimates the variance of all images from the batch, Keras takes the batch's.
        count = tf.cast(tf.size(x) // channels, "float32")
        biased = variance * (count - 1.0) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return y


def can_be_fused(layer: keras.layers.Layer) -> bool:
    """Say whether `FusedBatchNormalization` computes what a built layer does, and faster."""
    return (
        keras.backend.backend() == "tensorflow"
        and type(layer) is keras.layers.BatchNormalization
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.moving_mean.shape[0] % VECTOR == 0
        and not (layer.synchronized or getattr(layer, "renorm", False))
    )
