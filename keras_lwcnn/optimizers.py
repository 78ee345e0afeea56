"""Muon for convolutional networks: orthogonal updates of kernels, AdamW for everything else."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lwcnn.model_graph import flat_layers

DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class KernelMuon(keras.optimizers.Muon):
    """Muon that sees a kernel (height, width, inputs, outputs) as one matrix.

    The momentum of a kernel, as a matrix (height * width * inputs, outputs), is made orthogonal by
    `ns_steps` Newton-Schulz steps, and taken off times the learning rate and
    sqrt(max(1, outputs / rows)). `keras.optimizers.Muon` does so for matrices alone, and gives
    every kernel of a convolution to AdamW.

    Variables of fewer than two dimensions, and those named in `adamw_paths`, are trained by AdamW
    at `adam_lr_ratio` times the learning rate. Weight decay is decoupled: of kernels under Muon
    `weight_decay`, of those under AdamW `adam_weight_decay`, both times the learning rate that the
    kernel is trained at; variables of fewer than two dimensions and those named in
    `undecayed_paths` have none.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with its
    coefficients of the Newton-Schulz steps.

    Args:
        learning_rate: rate of kernels, or a schedule of it.
        adamw_paths: paths of further variables for AdamW: depthwise kernels, the classifier.
        undecayed_paths: paths of variables that are not decayed: depthwise kernels.
        momentum: of the gradients of kernels, Nesterov, in [0, 1).
        **options: of `keras.optimizers.Muon`. `rms_rate`, `exclude_layers` and
            `exclude_embeddings` are not used.
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        adamw_paths: Sequence[str] = (),
        undecayed_paths: Sequence[str] = (),
        momentum: float = 0.9,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, momentum=momentum, **options)
        self.adamw_paths = tuple(adamw_paths)
        self.undecayed_paths = tuple(undecayed_paths)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or variable.path in self.adamw_paths

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Take a step of all variables, kernels of one shape together."""
        pairs = list(zip(grads, trainable_variables, strict=True))
        kernels = [pair for pair in pairs if not self._should_use_adamw(pair[1])]
        others = [pair for pair in pairs if self._should_use_adamw(pair[1])]
        if kernels:
            directions = [self._direction(grad, kernel) for grad, kernel in kernels]
            for (_, kernel), update in zip(kernels, self._orthogonal(directions), strict=True):
                rows, outputs = update.shape
                rate = ops.cast(learning_rate, kernel.dtype) * math.sqrt(max(1.0, outputs / rows))
                self.assign_sub(kernel, rate * ops.reshape(update, kernel.shape))
        for grad, variable in others:
            self.update_step(grad, variable, learning_rate)

    def _direction(self, gradient: Any, kernel: Any) -> Any:
        """Return the gradient with its momentum, after an update of that, as a matrix."""
        momentum = self.momentums[self._get_variable_index(kernel)]
        self.assign_add(momentum, gradient + momentum * (self.momentum - 1))
        direction = gradient + self.momentum * momentum if self.nesterov else momentum
        return ops.reshape(direction, (-1, kernel.shape[-1]))

    def _orthogonal(self, matrices: Sequence[Any]) -> list[Any]:
        """Make matrices orthogonal, those of like sizes as one stack of matrices.

        Zeros that fill a matrix up to the size of its stack stay zeros and change nothing else.
        """
        stacks: dict[tuple[int, int], list[int]] = {}
        for index, matrix in enumerate(matrices):
            stacks.setdefault(_stack_shape(matrix.shape), []).append(index)
        results: list[Any] = [None] * len(matrices)
        for shape, members in stacks.items():
            stack = ops.stack([_filled(matrices[index], shape) for index in members])
            updates = self.zeropower_via_newtonschulz5(stack, self.ns_steps)
            for place, index in enumerate(members):
                rows, columns = matrices[index].shape
                update = updates[place]
                if rows > columns:
                    results[index] = ops.transpose(update[:columns, :rows])
                else:
                    results[index] = update[:rows, :columns]
        return results

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        for variable in variables:
            if len(variable.shape) < 2 or variable.path in self.undecayed_paths:
                continue
            decay, ratio = self.weight_decay, 1.0
            if self._should_use_adamw(variable):
                decay, ratio = self.adam_weight_decay, self.adam_lr_ratio
            if decay is not None and self._use_weight_decay(variable):
                rate = ops.cast(self.learning_rate, variable.dtype)
                variable.assign(variable - variable * (decay * ratio * rate))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "adamw_paths": list(self.adamw_paths),
            "undecayed_paths": list(self.undecayed_paths),
        }


def depthwise_paths(model: keras.Model) -> list[str]:
    """Return the paths of the kernels that filter each channel for itself."""
    separable = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
    paths = []
    for layer in flat_layers(model):
        if isinstance(layer, DEPTHWISE):
            paths.append(layer.kernel.path)
        elif isinstance(layer, separable):
            paths.append(layer.depthwise_kernel.path)
    return paths


def _stack_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the size to which a matrix is filled, the smaller side first.

    An accelerator takes many small products one by one: there, like sizes are made one.
    """
    small, large = sorted(shape)
    if keras.backend.backend() != "jax":
        return small, large
    return 1 << (small - 1).bit_length(), 1 << (large - 1).bit_length()


def _filled(matrix: Any, shape: tuple[int, int]) -> Any:
    """Return the matrix, on its wider side, with zeros up to a shape."""
    rows, columns = matrix.shape
    if rows > columns:
        matrix, rows, columns = ops.transpose(matrix), columns, rows
    if (rows, columns) == shape:
        return matrix
    return ops.pad(matrix, ((0, shape[0] - rows), (0, shape[1] - columns)))
