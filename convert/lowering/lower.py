"""All rewrites, in one pass over a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from convert.lowering.activation import carry_lone_activation, drop_repeated_activation
from convert.lowering.concatenation import shorten_concatenation
from convert.lowering.grouping import join_groups
from convert.lowering.normalization import normalization_as_depthwise
from convert.lowering.pooling import average_pool_as_depthwise
from convert.lowering.separable import fold_pointwise_separable
from convert.lowering.view import View, view
from keras_lwcnn.condensation import deploy
from keras_lwcnn.layers import CondensedDense, LearnedGroupConv2D
from keras_lwcnn.model_graph import Rule, layer_calls, rewrite

# In the order in which they claim layers; no layer is claimed twice.
REWRITES: dict[str, Callable[[View], dict[str, Rule]]] = {
    "join_groups": join_groups,
    "fold_pointwise_separable": fold_pointwise_separable,
    "normalization_as_depthwise": normalization_as_depthwise,
    "average_pool_as_depthwise": average_pool_as_depthwise,
    "drop_repeated_activation": drop_repeated_activation,
    "carry_lone_activation": carry_lone_activation,
    "shorten_concatenation": shorten_concatenation,
}


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


def lower(
    model: keras.Model,
    form: str = "masked",
    rewrites: Sequence[str] = tuple(REWRITES),
) -> tuple[keras.Model, LoweringReport]:
    """Rewrite a trained model for LiteRT; its outputs stay the same to rounding.

    Args:
        model: a functional or sequential Keras model, which is left as it is.
        form: deployment form of condensed layers, see `keras_lwcnn.condensation.deploy`.
        rewrites: names among `REWRITES`.

    Returns:
        The rewritten model (`model` itself where nothing is to be rewritten) and what was done.

    Raises:
        ValueError: unknown rewrites or form.
    """
    if unknown := [name for name in rewrites if name not in REWRITES]:
        raise ValueError(f"rewrites={unknown} are unknown; allowed are {', '.join(REWRITES)}")
    condensed = any(
        isinstance(call.layer, (LearnedGroupConv2D, CondensedDense)) for call in layer_calls(model)
    )
    if condensed:
        model = deploy(model, form)
    graph = view(model)
    rules: dict[str, Rule] = {}
    rewritten: dict[str, tuple[str, ...]] = {}
    for name in rewrites:
        claimed = REWRITES[name](graph)
        own = {layer: rule for layer, rule in claimed.items() if layer not in rules}
        if own:
            rules |= own
            rewritten[name] = tuple(own)
    if rules:
        model = rewrite(model, rules)
    return model, LoweringReport(form if condensed else None, rewritten)
