"""Files that we make: where they are kept, and how a reader never meets half of one."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return `$XDG_CACHE_HOME/lwcnn` or `~/.cache/lwcnn`, for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lwcnn"


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside `path`, then rename it; return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
