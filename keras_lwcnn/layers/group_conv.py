"""Group convolutions that train fast on CPUs."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class GroupConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with each group computed as a convolution of its own.

    The function, the arguments and the weights are those of `Conv2D`. On CPUs, the group
    convolutions of JAX and of TensorFlow (for which Keras uses XLA, which compiles again at each
    eager call) take tens of times as long as the plain ones that this layer is made of.
    Conversion (`convert.lowering`) makes one grouped operation of it again.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve `inputs` (batch, height, width, channels) with `kernel`, group by group."""
        axis = -1 if self.data_format == "channels_last" else 1
        outputs = [
            ops.conv(
                group_inputs,
                group_kernel,
                strides=self.strides,
                padding=self.padding,
                data_format=self.data_format,
                dilation_rate=self.dilation_rate,
            )
            for group_inputs, group_kernel in zip(
                ops.split(inputs, self.groups, axis=axis),
                ops.split(kernel, self.groups, axis=-1),
                strict=True,
            )
        ]
        return outputs[0] if self.groups == 1 else ops.concatenate(outputs, axis=axis)
