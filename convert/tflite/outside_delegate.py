"""What a written file leaves outside of the delegate, by layer name."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from android_bench import worker
from convert.tflite.interpreter import open_interpreter
from convert.tflite.tensor_names import layer_of


@dataclass(frozen=True)
class OutsideOp:
    """An operation of a written file that the delegate leaves to LiteRT's own kernels.

    Attributes:
        op: LiteRT's name of the operation.
        layer: the Keras layer that it comes from, as far as its name tells.
        tensor: name of its output tensor.
    """

    op: str
    layer: str
    tensor: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict."""
        return asdict(self)


def outside_delegate(content: bytes, layer_names: Sequence[str]) -> tuple[OutsideOp, ...]:
    """List the operations of a `.tflite` file that XNNPACK does not run.

    Args:
        content: the file's bytes.
        layer_names: names of the layers of the (lowered) Keras model.

    Returns:
        The operations in the order of the graph.
    """
    return tuple(
        OutsideOp(op, layer_of(tensor, layer_names), tensor)
        for op, tensor in worker.outside_delegate(open_interpreter(content))
    )
