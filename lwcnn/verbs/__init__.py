"""The verbs of `lwcnn`, a file each; a verb is named here and nowhere else.

A verb's module has:

- a docstring whose first line is its help;
- `EXTRA`: the extra of the package that it needs, None for the base;
- `USES_KERAS`: whether it builds or loads Keras models in this process;
- `add_arguments(parser)` and `main(args)`, which returns the exit code or None. Heavy imports go
  inside them, so that `--help` is instant.
"""

from lwcnn.verbs import (
    bench,
    compare,
    convert,
    data,
    layers,
    models,
    optimize,
    pareto,
    recipes,
    report,
    run,
    train,
    train_cost,
    transfer,
    weights,
)

VERBS = {
    "models": models,
    "weights": weights,
    "data": data,
    "recipes": recipes,
    "train": train,
    "transfer": transfer,
    "train-cost": train_cost,
    "convert": convert,
    "optimize": optimize,
    "compare": compare,
    "layers": layers,
    "bench": bench,
    "pareto": pareto,
    "report": report,
    "run": run,
}
"""Name -> module, in the order of `lwcnn --help`."""
