"""Output of native code, held back and shown only when something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

SHOWN_BYTES = 20_000


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the block writes to the process's standard output and error.

    Works at the level of file descriptors, because the converter writes from C++. When the block
    raises, the end of what was held back goes to standard error, so that nothing that explains
    the failure is lost.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with tempfile.TemporaryFile() as held:
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(held.fileno(), 1)
            os.dup2(held.fileno(), 2)
            writer = os.fdopen(os.dup(held.fileno()), "w", buffering=1, errors="replace")
            with writer, _replaced("stdout", writer), _replaced("stderr", writer):
                yield
        except BaseException:  # whatever it was, Ctrl-C too, what was held back may tell why
            _restore(saved)
            size = held.seek(0, os.SEEK_END)
            held.seek(max(0, size - SHOWN_BYTES))
            print(held.read().decode(errors="replace"), file=sys.stderr, end="")
            raise
        else:
            _restore(saved)


class _Stream:
    """A stream that can be exchanged, because loggers keep the one that they started with."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def _replaced(name: str, stream: Any) -> Iterator[None]:
    """Replace sys.stdout or sys.stderr while the block runs.

    Whoever keeps the replacement, as loggers do, writes to the former stream afterwards.
    """
    former = getattr(sys, name)
    standing_in = _Stream(stream)
    setattr(sys, name, standing_in)
    try:
        yield
    finally:
        standing_in.stream = former
        setattr(sys, name, former)


def _restore(saved: list[int]) -> None:
    for descriptor, copy in zip((1, 2), saved, strict=True):
        os.dup2(copy, descriptor)
        os.close(copy)
