"""Writing files whole or not at all."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to, and rename it to `path` once the block succeeds.

    The temporary name has the ending of the final one, by which Keras chooses a format. When the
    block raises, the temporary file is removed and an older file under `path` stays as it was.

    Args:
        path: the final path; its folder is made when missing.

    Yields:
        The path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path`, whole or not at all, and return the path."""
    with written_beside(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_json(path: str | Path, value: Any, default: Callable[[Any], Any] | None = None) -> Path:
    """Write `value` to `path` as indented JSON, whole or not at all, and return the path."""
    text = json.dumps(value, indent=1, allow_nan=False, default=default)
    return write_bytes(path, (text + "\n").encode())
