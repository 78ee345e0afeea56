"""A classifier that keeps only its strongest inputs."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class CondensedDense(keras.layers.Dense):
    """A dense layer of which `condense` keeps `inputs / condensation_factor` inputs.

    Trained as an ordinary dense layer; after training, `condense` masks the inputs whose weights
    have the smallest L1 norm over the outputs. The mask is a non-trainable weight.

    Source: the condensed classifier of CondenseNet (Huang et al., CVPR 2018), which keeps half.

    Args:
        units: number of outputs.
        condensation_factor: the number of inputs must be a multiple of it.
        **kwargs: those of `keras.layers.Dense`.

    Raises:
        ValueError: when built, inputs not divisible by `condensation_factor`.
    """

    def __init__(self, units: int, condensation_factor: int = 2, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        if condensation_factor < 1:
            raise ValueError(
                f"condensation_factor must be at least 1. Received: {condensation_factor}"
            )
        self.condensation_factor = condensation_factor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the dense weights and the mask for an input of `input_shape`."""
        inputs = input_shape[-1]
        if inputs is None or inputs % self.condensation_factor:
            raise ValueError(
                f"The inputs of {self.name!r} must be a multiple of condensation_factor. "
                f"Received: {inputs} inputs, condensation_factor={self.condensation_factor}"
            )
        super().build(input_shape)
        self.mask = self.add_weight(
            name="mask", shape=(inputs,), initializer="ones", trainable=False
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the dense layer to the active inputs."""
        return super().call(inputs * self.mask, training=training)

    @property
    def active_inputs(self) -> np.ndarray:
        """Which inputs are read: boolean, (inputs,)."""
        return ops.convert_to_numpy(self.mask) > 0.5

    def condense(self) -> None:
        """Keep the `inputs / condensation_factor` inputs of the largest L1 norm."""
        norms = np.abs(ops.convert_to_numpy(self.kernel)).sum(axis=1)
        norms[~self.active_inputs] = -1.0
        dropped = len(norms) - len(norms) // self.condensation_factor
        mask = np.ones(len(norms), "float32")
        mask[np.argsort(norms, kind="stable")[:dropped]] = 0.0
        self.mask.assign(mask)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "condensation_factor": self.condensation_factor}
