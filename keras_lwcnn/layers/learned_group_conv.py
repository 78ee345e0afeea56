"""The learned group convolution of CondenseNet."""

from typing import Any

import keras
import numpy as np
from keras import ops

# Numbers that identify the schedule which prunes a layer; zeros: none yet.
SCHEDULE_LENGTH = 4


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class LearnedGroupConv2D(keras.layers.Layer):
    """A 1x1 convolution whose groups learn, by pruning, which inputs they read.

    Output channel `o` belongs to group `o % groups`. All groups read all inputs at stage 0; each
    further stage takes `in_channels // condensation_factor` inputs away from every group, those
    whose weights have the smallest L1 norm over the group's outputs. At the last stage,
    `condensation_factor - 1`, a group reads `in_channels / condensation_factor` inputs. Pruned
    inputs never come back.

    With `slice_width` above 1, slices of that many neighbouring inputs are kept or pruned as a
    whole (our variant, which deploys without a gather). Of S slices, `S - stage * S // C` remain:
    at the last stage S / C, rounded up.

    The layer computes a dense 1x1 convolution with a masked kernel. The mask (`in_channels`,
    `groups`), the stage, the weight of the group lasso and the schedule that prunes are
    non-trainable weights, so that saving, loading and resuming keep them. There is no bias: a batch
    normalization is expected to follow.

    Source: Huang, Liu, van der Maaten, Weinberger, "CondenseNet", CVPR 2018.

    Args:
        filters: output channels, a multiple of `groups`.
        groups: number of groups.
        condensation_factor: the input channels must be a multiple of it; 1 prunes nothing.
        slice_width: inputs that are kept or pruned together; the input channels must be a
            multiple of it.
        kernel_initializer: initializer of the kernel (1, 1, in_channels, filters).
        kernel_regularizer: regularizer of the kernel, or None.

    Raises:
        ValueError: `filters` not divisible by `groups`, or, when built, input channels not
            divisible by `condensation_factor` (by `slice_width` where that is above 1).
    """

    def __init__(
        self,
        filters: int,
        groups: int = 4,
        condensation_factor: int = 4,
        slice_width: int = 1,
        kernel_initializer: Any = "he_normal",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(filters, groups, condensation_factor, slice_width) < 1:
            raise ValueError(
                f"filters={filters}, groups={groups}, condensation_factor={condensation_factor}, "
                f"slice_width={slice_width} are too few; at least 1 is allowed for each."
            )
        if filters % groups:
            raise ValueError(
                f"filters={filters} cannot be parted into groups={groups}; allowed are multiples "
                "of groups."
            )
        self.filters = filters
        self.groups = groups
        self.condensation_factor = condensation_factor
        self.slice_width = slice_width
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create kernel, mask and stage for an input of `input_shape` (batch, h, w, channels)."""
        channels = input_shape[-1]
        divisor, what = self.condensation_factor, "condensation_factor"
        if self.slice_width > 1:
            divisor, what = self.slice_width, "slice_width"
        if channels is None or channels % divisor:
            raise ValueError(
                f"{self.name!r} has {channels} input channels, which {what}={divisor} does not "
                "divide; allowed are multiples of it."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, 1, channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.mask = self.add_weight(
            name="mask", shape=(channels, self.groups), initializer="ones", trainable=False
        )
        self.stage_weight = self.add_weight(
            name="stage", shape=(), initializer="zeros", dtype="int32", trainable=False
        )
        self.schedule = self.add_weight(
            name="schedule",
            shape=(SCHEDULE_LENGTH,),
            initializer="zeros",
            dtype="float32",
            trainable=False,
        )
        self.lasso = self.add_weight(
            name="lasso",
            shape=(),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Convolve `inputs` (batch, h, w, channels) with the masked kernel."""
        # Tiling along the outputs gives output o the mask of group o % groups.
        mask = ops.tile(self.mask, (1, self.filters // self.groups))
        kernel = self.kernel * mask
        if training:
            # Losses are summed in float32, in mixed precision too.
            self.add_loss(self.lasso * self._group_norm(ops.cast(kernel, "float32")))
        return ops.conv(inputs, kernel, data_format="channels_last")

    def _group_norm(self, kernel: Any) -> Any:
        # The sum over groups and inputs of the L2 norm over a group's outputs; the floor keeps
        # the gradient of a pruned input finite.
        shape = (kernel.shape[2], self.filters // self.groups, self.groups)
        squares = ops.sum(ops.reshape(ops.square(kernel), shape), axis=1)
        return ops.sum(ops.sqrt(ops.maximum(squares, 1e-6)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with `filters` channels."""
        return (*input_shape[:-1], self.filters)

    @property
    def last_stage(self) -> int:
        """The stage at which the layer is fully condensed."""
        return self.condensation_factor - 1

    @property
    def stage(self) -> int:
        """The number of prunings done so far, 0 to `last_stage`."""
        return int(ops.convert_to_numpy(self.stage_weight))

    @property
    def active_inputs(self) -> np.ndarray:
        """Which inputs each group reads: boolean, (in_channels, groups)."""
        return ops.convert_to_numpy(self.mask) > 0.5

    @property
    def active_kernel(self) -> np.ndarray:
        """The kernel with zeros where the mask has zeros: (1, 1, in_channels, filters)."""
        mask = np.tile(self.active_inputs, (1, self.filters // self.groups))
        return ops.convert_to_numpy(self.kernel) * mask

    def set_mask(self, mask: np.ndarray, stage: int) -> None:
        """Set mask and stage.

        Args:
            mask: (in_channels, groups), nonzero where a group reads an input.
            stage: the stage that the mask belongs to, 0 to `last_stage`.

        Raises:
            ValueError: a mask that does not match the kernel or the stage.
        """
        mask = np.asarray(mask) != 0
        channels = self.kernel.shape[2]
        if mask.shape != (channels, self.groups):
            raise ValueError(
                f"mask has shape {mask.shape}; {self.name!r} needs (in_channels, groups) = "
                f"{(channels, self.groups)}."
            )
        self._check_stage(stage)
        needed = self.inputs_at(stage)
        reads = mask.sum(axis=0)
        if (reads != needed).any():
            raise ValueError(
                f"mask lets the groups of {self.name!r} read {reads.tolist()} of {channels} "
                f"inputs; at stage {stage}, each must read {needed}."
            )
        self.mask.assign(mask.astype("float32"))
        self.stage_weight.assign(stage)

    def drop_to_stage(self, stage: int) -> None:
        """Prune every group up to `stage`; does nothing when the layer is already there.

        Raises:
            ValueError: a stage that the layer does not have.
        """
        self._check_stage(stage)
        if stage <= self.stage:
            return
        mask = self.active_inputs
        width = self.slice_width
        norms = self.input_norms().reshape(-1, width, self.groups).sum(axis=1)
        dropped = (self.inputs_at(self.stage) - self.inputs_at(stage)) // width
        for group in range(self.groups):
            active = np.flatnonzero(mask[::width, group])
            weakest = active[np.argsort(norms[active, group], kind="stable")[:dropped]]
            for place in weakest:
                mask[place * width : (place + 1) * width, group] = False
        self.set_mask(mask, stage)

    def _check_stage(self, stage: int) -> None:
        if not 0 <= stage <= self.last_stage:
            raise ValueError(
                f"stage={stage} is unknown; {self.name!r} has stages 0 to {self.last_stage}."
            )

    def inputs_at(self, stage: int) -> int:
        """The number of inputs that each group reads at `stage`."""
        slices = self.kernel.shape[2] // self.slice_width
        return (slices - stage * slices // self.condensation_factor) * self.slice_width

    def input_norms(self) -> np.ndarray:
        """The L1 norm of each input's weights over a group's outputs: (in_channels, groups)."""
        kernel = np.abs(ops.convert_to_numpy(self.kernel)[0, 0])
        return kernel.reshape(len(kernel), -1, self.groups).sum(axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            "condensation_factor": self.condensation_factor,
            "slice_width": self.slice_width,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
