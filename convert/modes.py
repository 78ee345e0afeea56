"""The named forms a network can be written in."""

from dataclasses import asdict, dataclass
from typing import Any

EDGE = "ai-edge-quantizer"
OUTPUTS = ("model", "logits", "probabilities")
"""Forms of output: as the model has it, without a final softmax or sigmoid, with one."""


@dataclass(frozen=True)
class Mode:
    """How a .tflite file stores weights and computes activations.

    Attributes:
        name: the name users give.
        summary: one line for tables and help texts.
        weights: number type of the stored weights.
        activations: number type of the values between layers.
        io_dtypes: allowed types of the file's input and output, the default first.
        calibrated: whether a representative dataset is needed.
        engine: what writes it, "tensorflow" or "ai-edge-quantizer"; `benchmarks/engines.py`
            measured the choice.
    """

    name: str
    summary: str
    weights: str
    activations: str
    io_dtypes: tuple[str, ...] = ("float32",)
    calibrated: bool = False
    engine: str = "tensorflow"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("float32", "as trained", "float32", "float32"),
        Mode("float16", "weights in half precision", "float16", "float32", engine=EDGE),
        Mode(
            "dynamic",
            "int8 weights, activations quantized while running",
            "int8",
            "float32",
            engine=EDGE,
        ),
        Mode(
            "weight_int8",
            "int8 weights, widened to float when the file opens",
            "int8",
            "float32",
            engine=EDGE,
        ),
        Mode(
            "int8",
            "all integers, for int8 CPU kernels and integer-only accelerators",
            "int8",
            "int8",
            io_dtypes=("int8", "uint8", "float32"),
            calibrated=True,
        ),
        Mode(
            "int8_float",
            "int8 inside, float input and output",
            "int8",
            "int8",
            calibrated=True,
        ),
        Mode(
            "int8_uint8",
            "int8 inside, uint8 input and output: raw camera pixels fit",
            "int8",
            "int8",
            io_dtypes=("uint8",),
            calibrated=True,
        ),
        Mode(
            "int16x8",
            "int8 weights, 16-bit activations",
            "int8",
            "int16",
            io_dtypes=("float32", "int16"),
            calibrated=True,
        ),
    )
}

DEFAULT_MODES = ("float32", "float16", "dynamic", "int8", "int16x8")
"""The modes made when none are named."""


def mode_named(name: str) -> Mode:
    """Return the mode called `name`.

    Raises:
        ValueError: no mode has this name; the message lists those that exist.
    """
    if name not in MODES:
        raise ValueError(f"mode={name!r} is unknown; allowed are {', '.join(MODES)}")
    return MODES[name]


def io_dtype_for(mode: Mode, io_dtype: str | None, *, alone: bool = True) -> str:
    """Return the input and output type to write: `io_dtype`, or the mode's default for None.

    Args:
        mode: the mode to write.
        io_dtype: the type that was asked for, None for the default.
        alone: whether it was asked for this mode alone. Among several modes it is for those that
            offer a choice, and the others keep their default.

    Raises:
        ValueError: the mode does not offer this type.
    """
    if io_dtype in mode.io_dtypes and (alone or len(mode.io_dtypes) > 1):
        return io_dtype
    if io_dtype is None or not alone:
        return mode.io_dtypes[0]
    raise ValueError(
        f"io_dtype={io_dtype!r} does not apply to mode {mode.name!r}; "
        f"allowed are {', '.join(mode.io_dtypes)}"
    )
