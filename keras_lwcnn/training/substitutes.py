"""Layers that compute what those of Keras do, to rounding, and train faster on one backend."""

from typing import Any

import keras
from keras import ops

VECTOR = 8
"""Channels that a processor takes together: for other numbers, the fused kernel is slow."""


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of images by TensorFlow's fused kernel.

    Keras composes the statistics of a batch and their gradient of many operations, each of which
    reads the whole feature map from memory.
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


class NativeBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of images by PyTorch's own kernel, on memory as it lies.

    Keras composes the statistics of a batch and their gradient of many operations.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize `inputs` (batch, h, w, channels); outside training as Keras does."""
        if not (training and self.trainable) or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import torch

        x = inputs.to(getattr(torch, self.compute_dtype)).permute(0, 3, 1, 2)
        mean, variance = (v.value for v in (self.moving_mean, self.moving_variance))
        before = variance.detach().clone()
        y = torch.nn.functional.batch_norm(
            x,
            mean.data,
            variance.data,
            self.gamma.value.float() if self.scale else None,
            self.beta.value.float() if self.center else None,
            training=True,
            momentum=1.0 - self.momentum,
            eps=self.epsilon,
        )
        # PyTorch estimates the variance of all images from the batch, Keras takes the batch's.
        count = x.numel() // x.shape[1]
        with torch.no_grad():
            kept = self.momentum * before
            variance.data.copy_(kept + (variance.data - kept) * ((count - 1.0) / count))
        return y.permute(0, 2, 3, 1)


class ShiftedDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """A depthwise convolution as a sum of shifted products, one for each weight of a channel.

    XLA fuses them; the gradients of its grouped convolutions are slow.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve `inputs` (batch, h, w, channels), padded as `same`."""
        if None in inputs.shape[1:3]:
            return super().call(inputs)
        kernel = ops.cast(self.kernel, "float32")[..., 0]
        spans = [self._span(size, axis) for axis, size in enumerate(inputs.shape[1:3])]
        padded = ops.pad(inputs, [(0, 0), *(padding for _, padding in spans), (0, 0)])
        (height, _), (width, _) = spans
        step, across = self.strides
        total = 0.0
        for i in range(self.kernel_size[0]):
            for j in range(self.kernel_size[1]):
                part = padded[:, i : i + height : step, j : j + width : across]
                total = total + ops.cast(part, "float32") * kernel[i, j]
        total = ops.cast(total, self.compute_dtype)
        return self.activation(ops.add(total, self.bias) if self.use_bias else total)

    def _span(self, size: int, axis: int) -> tuple[int, tuple[int, int]]:
        """Return how far the kernel is shifted along an axis, and what is padded on its sides."""
        stride, kernel = self.strides[axis], self.kernel_size[axis]
        span = (-(-size // stride) - 1) * stride + 1
        padding = max(span - 1 + kernel - size, 0)
        return span, (padding // 2, padding - padding // 2)


class OnePassBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of images whose statistics are read from memory once.

    Keras takes the variance of differences from the mean, for which a feature map is read again;
    here it is the mean of squares less the square of the mean, both in float32.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize `inputs` (batch, h, w, channels); outside training as Keras does."""
        if not (training and self.trainable) or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        x = ops.cast(inputs, "float32")
        axes = tuple(range(len(x.shape) - 1))
        mean = ops.mean(x, axes)
        variance = ops.maximum(ops.mean(ops.square(x), axes) - ops.square(mean), 0.0)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        scale = ops.rsqrt(variance + self.epsilon)
        if self.scale:
            scale = scale * ops.cast(self.gamma, "float32")
        y = (x - mean) * scale
        if self.center:
            y = y + ops.cast(self.beta, "float32")
        return ops.cast(y, self.compute_dtype)


class PointwiseConv2D(keras.layers.Conv2D):
    """A 1x1 convolution as a product of matrices."""

    def call(self, inputs: Any) -> Any:
        """Convolve `inputs` (batch, h, w, channels)."""
        across, down = self.strides
        kernel = ops.cast(self.kernel, self.compute_dtype)[0, 0]
        y = ops.matmul(inputs[:, ::across, ::down], kernel)
        return self.activation(ops.add(y, self.bias) if self.use_bias else y)


def substitute(layer: keras.layers.Layer) -> type[keras.layers.Layer]:
    """Return the class that computes a built layer faster on the backend; its own, if none does."""
    backend, kind = keras.backend.backend(), type(layer)
    if kind is keras.layers.BatchNormalization and _normalizes_images(layer):
        whole_vectors = layer.moving_mean.shape[0] % VECTOR == 0
        return {
            "tensorflow": FusedBatchNormalization if whole_vectors else kind,
            "jax": OnePassBatchNormalization,
            "torch": NativeBatchNormalization,
        }.get(backend, kind)
    if backend == "jax" and kind is keras.layers.DepthwiseConv2D and _is_plain(layer):
        return ShiftedDepthwiseConv2D
    if backend == "jax" and kind is keras.layers.Conv2D and _is_pointwise(layer):
        return PointwiseConv2D
    return kind


def _normalizes_images(layer: keras.layers.BatchNormalization) -> bool:
    # Older versions of Keras have no `renorm`.
    special = layer.synchronized or getattr(layer, "renorm", False)
    return layer.input_spec.ndim == 4 and layer.axis in (-1, 3) and not special


def _is_plain(layer: keras.layers.DepthwiseConv2D) -> bool:
    return (
        layer.padding == "same"
        and layer.data_format == "channels_last"
        and layer.depth_multiplier == 1
        and set(layer.dilation_rate) == {1}
        and max(layer.kernel_size) <= 3
    )


def _is_pointwise(layer: keras.layers.Conv2D) -> bool:
    return (
        tuple(layer.kernel_size) == (1, 1)
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and getattr(layer, "lora_rank", None) is None
    )
