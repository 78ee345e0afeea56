"""What lowering did, and what still leaves the delegate, by layer name."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from android_bench import worker
from convert.interpreter import open_interpreter


@dataclass(frozen=True)
class LoweringReport:
    """What was rewritten.

    Attributes:
        form: deployment form of condensed layers, None where the model has none.
        rewrites: by the name of a rewrite, the names of the layers that it replaced.
    """

    form: str | None
    rewrites: dict[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return {
            "form": self.form,
            "rewrites": {name: list(names) for name, names in self.rewrites.items()},
        }

    def __str__(self) -> str:
        lines = [f"condensed layers as {self.form!r}"] if self.form else []
        lines += [
            f"{name}: {len(names)} ({', '.join(names)})" for name, names in self.rewrites.items()
        ]
        return "\n".join(lines) or "nothing to rewrite"


@dataclass(frozen=True)
class OutsideOp:
    """An operation of a written file that the delegate leaves to LiteRT's own kernels.

    Attributes:
        op: LiteRT's name of the operation.
        layer: the Keras layer that it comes from, None where no name tells it.
        tensor: name of its output tensor.
    """

    op: str
    layer: str | None
    tensor: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict."""
        return asdict(self)


def outside_delegate(content: bytes, layer_names: Iterable[str]) -> tuple[OutsideOp, ...]:
    """List the operations of a `.tflite` file that XNNPACK does not run.

    Args:
        content: the file's bytes.
        layer_names: names of the layers of the (lowered) Keras model.

    Returns:
        The operations in the order of the graph.
    """
    names = sorted(layer_names, key=len, reverse=True)
    return tuple(
        OutsideOp(op, _layer_of(tensor, names), tensor)
        for op, tensor in worker.outside_delegate(open_interpreter(content))
    )


def _layer_of(tensor: str, names: list[str]) -> str | None:
    # Tensors are named by scopes, "model/layer_1/Op;model/other_1/Op": the last layer is the one
    # whose output it is, the suffix tells a layer's second call.
    for part in reversed(tensor.split(";")):
        for scope in part.split("/"):
            for name in names:
                if re.fullmatch(rf"{re.escape(name)}(_\d+)?", scope):
                    return name
    return None
