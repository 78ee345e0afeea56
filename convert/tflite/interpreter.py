"""Opening files with the delegate without what LiteRT says about it."""

import os
from typing import Any

from android_bench import worker
from convert.quiet import quiet


def open_interpreter(model: str | os.PathLike | bytes, *, use_xnnpack: bool = True) -> Any:
    """Open a `.tflite` file as `android_bench.worker.open_interpreter` does.

    The first interpreter of a process that takes the delegate announces it on standard error.

    Args:
        model: path of the file, or its content.
        use_xnnpack: whether the delegate may take part of the graph.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: LiteRT cannot open the content; what it said goes to standard error.
    """
    with quiet():
        return worker.open_interpreter(model, use_xnnpack=use_xnnpack)
