"""The `lwcnn` command: one verb a step of the chain, each a file beside this one."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from keras_lwcnn.cli import (
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
from keras_lwcnn.cli.common import import_keras
from keras_lwcnn.version import __version__

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
# What builds or trains networks: Keras is imported before the verb imports what imports it.
TRAINING_VERBS = ("train", "transfer", "train-cost", "optimize", "run")
KERAS_VERBS = ("models", "recipes", *TRAINING_VERBS)
BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: the words after `lwcnn`; None takes those of the process.

    Returns:
        The exit code: 0; what the verb says it found (`lwcnn data check`: 1); or 2 after bad input,
        which leaves one line on standard error (with LWCNN_TRACEBACK=1 in the environment also
        where it arose).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args = _parser().parse_args(argv)
    try:
        if args.verb in KERAS_VERBS:
            import_keras(for_training=args.verb in TRAINING_VERBS)
        with warnings.catch_warnings():
            warnings.showwarning = _say
            return args.run(args) or 0
    except KeyboardInterrupt:
        print(f"lwcnn {args.verb}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("LWCNN_TRACEBACK") == "1":
            traceback.print_exc()
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"lwcnn {args.verb}: {message}", file=sys.stderr)
        return BAD_INPUT


def _say(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line for readers of the command, without the line of code."""
    print(message, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lwcnn",
        description="From Keras model.fit to a phone file that can be trusted.",
    )
    parser.add_argument("--version", action="version", version=f"lwcnn {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        summary = module.__doc__.splitlines()[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        module.add_arguments(verb)
        verb.set_defaults(run=module.main)
    return parser
