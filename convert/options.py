"""The options of a conversion, besides the mode."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from convert.modes import OUTPUTS
from convert.quantize.ranges import choose_range
from convert.source.calibration import MINIMUM_IMAGES


@dataclass(frozen=True)
class QuantizationOptions:
    """What int8 quantization does beyond TensorFlow's per-channel weights and min-max activations.

    Attributes:
        ranges: how activation ranges are chosen: "minmax", "percentile" or "mse".
        percentile: share of values to cover in percent, for "percentile".
        equalize: spread channels over the range of their tensors where the layers around them
            allow it.
        correct_bias: take back the mean error of rounded weights.
        round_weights: round weights so that their errors cancel on the calibration images, instead
            of each to the nearest; includes the correction of biases.
        keep_float: names of op output tensors whose ops stay float32.
    """

    ranges: str = "minmax"
    percentile: float = 99.99
    equalize: bool = False
    correct_bias: bool = False
    round_weights: bool = False
    keep_float: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ValueError: unknown `ranges`, or a percentile outside of (50, 100].
        """
        choose_range(np.ones(1), 0.0, 1.0, self.ranges, self.percentile)
        object.__setattr__(self, "keep_float", tuple(self.keep_float))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return dict(asdict(self), keep_float=list(self.keep_float))


STOCK = QuantizationOptions()


@dataclass(frozen=True)
class ConversionOptions:
    """Options of `to_tflite` and `to_tflites`.

    Attributes:
        io_dtype: number type of input and output: "int8" (default), "uint8" or "float32" for
            mode int8; "float32" (default) or "int16" for int16x8. Among several modes it goes to
            those that offer a choice.
        input_range: (low, high) of the preprocessing. None takes it from the training record beside
            a `.keras` file, or from a leading Rescaling or Normalization layer; without these, the
            first BatchNormalization's statistics decide.
        output: "model" as it is, "logits" without a final softmax or sigmoid, "probabilities"
            with one.
        class_names: names of the classes, in the order of the outputs.
        description: what the model does, for the file's metadata.
        author: who made it, for the metadata.
        license: its terms, for the metadata.
        quantization: what the int8 modes do beyond the stock quantization; "auto" tries several
            ways and keeps the one nearest to float on the validation images.
        max_drop: with "auto", leave as many layers in float32 as it takes to lose at most so many
            percentage points of top-1 on the validation images (of agreement, without labels).
        allow_select_ops: allow TensorFlow ops that need the Flex delegate.
        minimum_images: least number of distinct calibration images.
        lower: rewrite the model for LiteRT first (`convert.lowering`), which keeps its function.
        form: deployment form of condensed layers; see `keras_lwcnn.condensation.deploy`.
        verify: refuse files that do not compute what the Keras model does.
    """

    io_dtype: str | None = None
    input_range: tuple[float, float] | None = None
    output: str = "model"
    class_names: tuple[str, ...] | None = field(default=None, repr=False)
    description: str = ""
    author: str = ""
    license: str = ""
    quantization: QuantizationOptions | Literal["auto"] = field(default_factory=QuantizationOptions)
    max_drop: float | None = None
    allow_select_ops: bool = False
    minimum_images: int = MINIMUM_IMAGES
    lower: bool = True
    form: str = "masked"
    verify: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked without a model.

        Raises:
            ValueError: unknown `output` or `quantization`, `max_drop` without "auto".
        """
        if not (self.quantization == "auto" or isinstance(self.quantization, QuantizationOptions)):
            raise ValueError(
                f"quantization={self.quantization!r} is unknown; allowed are 'auto' and "
                "QuantizationOptions"
            )
        if self.max_drop is not None and self.quantization != "auto":
            raise ValueError(
                f"max_drop={self.max_drop!r} needs quantization='auto'; this is "
                f"{self.quantization!r}. Add it, or leave max_drop out"
            )
        if self.max_drop is not None and not self.max_drop >= 0:
            raise ValueError(
                f"max_drop={self.max_drop!r} is no loss; allowed are 0 and more percentage points"
            )
        if self.output not in OUTPUTS:
            allowed = ", ".join(OUTPUTS)
            raise ValueError(f"output={self.output!r} is unknown; allowed are {allowed}")
        if self.class_names is not None:
            object.__setattr__(self, "class_names", tuple(map(str, self.class_names)))
        if self.input_range is not None:
            object.__setattr__(self, "input_range", tuple(map(float, self.input_range)))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)
