"""Rewrites of a trained Keras model that keep its function and suit LiteRT with XNNPACK.

Each rewrite is one function in a file of its own: it looks at the model's graph and returns, for
the layers that it replaces, a rule that builds the replacement. `lower` applies them all in one
pass.
"""

from convert.lowering.lower import REWRITES, LoweringReport, lower

__all__ = ["REWRITES", "LoweringReport", "lower"]
