"""The `lwcnn` command: reads the words, runs one verb, and turns errors into one line."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from lwcnn.extras import check_extra
from lwcnn.verbs import VERBS

BAD_INPUT = 2
WITHOUT_KERAS = "KERAS_LWCNN_WITHOUT_KERAS"  # see keras_lwcnn/__init__.py


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
        verb = VERBS[args.verb]
        if verb.EXTRA:
            check_extra(verb.EXTRA, "this verb")
        with warnings.catch_warnings(), _keras(verb.USES_KERAS):
            warnings.showwarning = _say
            return verb.main(args) or 0
    except KeyboardInterrupt:
        print(f"lwcnn {args.verb}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("LWCNN_TRACEBACK") == "1":
            traceback.print_exc()
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"lwcnn {args.verb}: {message}", file=sys.stderr)
        return BAD_INPUT


@contextmanager
def _keras(used: bool) -> Iterator[None]:
    """Import Keras for a verb, or leave it out of `import keras_lwcnn` while the verb runs."""
    if used:
        from lwcnn.common import import_keras

        import_keras()
        yield
        return
    former = os.environ.get(WITHOUT_KERAS)
    os.environ[WITHOUT_KERAS] = "1"
    try:
        yield
    finally:
        if former is None:
            del os.environ[WITHOUT_KERAS]
        else:
            os.environ[WITHOUT_KERAS] = former


def _say(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a line for readers of the command, without the line of code."""
    print(message, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """A parser that answers bad words in one line, as verbs answer bad values."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and one line."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}. See {self.prog} --help\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        parser.exit(message=f"lwcnn {version('keras-lwcnn')}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lwcnn",
        description="From Keras model.fit to a phone file that can be trusted.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        summary = module.__doc__.splitlines()[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        module.add_arguments(verb)
    return parser
