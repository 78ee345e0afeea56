"""A classifier that keeps only its strongest inputs."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class CondensedDense(keras.layers.Layer):
    """A dense layer of which `condense` keeps `inputs / condensation_factor` inputs.

    Trained as an ordinary dense layer; after training, `condense` masks the inputs whose weights
    have the smallest L1 norm over the outputs. The mask is a non-trainable weight.

    Source: the condensed classifier of CondenseNet (Huang et al., CVPR 2018), which keeps half.

    Args:
        units: number of outputs.
        activation: activation of the outputs, None for none.
        condensation_factor: the number of inputs must be a multiple of it.
        kernel_initializer: initializer of the kernel (inputs, units).
        bias_initializer: initializer of the bias (units,).
        kernel_regularizer: regularizer of the kernel, or None.

    Raises:
        ValueError: when built, inputs not divisible by `condensation_factor`.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        condensation_factor: int = 2,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(units, condensation_factor) < 1:
            raise ValueError(
                f"units={units}, condensation_factor={condensation_factor} are too few; each is at "
                "least 1."
            )
        self.units = units
        self.activation = keras.activations.get(activation)
        self.condensation_factor = condensation_factor
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create kernel, bias and mask for an input of `input_shape` (batch, inputs)."""
        inputs = input_shape[-1]
        if inputs is None or inputs % self.condensation_factor:
            raise ValueError(
                f"{self.name!r} has {inputs} inputs, which condensation_factor="
                f"{self.condensation_factor} does not divide; allowed are multiples of it."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer=self.bias_initializer
        )
        self.mask = self.add_weight(
            name="mask", shape=(inputs,), initializer="ones", trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """Apply the dense layer to the active inputs of `inputs` (batch, inputs)."""
        # The kernel is masked, not the inputs: conversion folds that into the constant kernel.
        kernel = self.kernel * ops.expand_dims(self.mask, 1)
        return self.activation(ops.matmul(inputs, kernel) + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, units)."""
        return (*input_shape[:-1], self.units)

    @property
    def active_inputs(self) -> np.ndarray:
        """Which inputs are read: boolean, (inputs,)."""
        return ops.convert_to_numpy(self.mask) > 0.5

    @property
    def active_kernel(self) -> np.ndarray:
        """The kernel with zeros where the mask has zeros: (inputs, units)."""
        return ops.convert_to_numpy(self.kernel) * self.active_inputs[:, None]

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
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "condensation_factor": self.condensation_factor,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
