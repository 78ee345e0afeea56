"""The C sources that run where Python does not, and what builds them."""

from android_bench.native.build import (
    COMPILERS,
    ToolMissing,
    build_counter,
    build_runner,
    cache_folder,
    find_tool,
    write_whole,
)

__all__ = [
    "COMPILERS",
    "ToolMissing",
    "build_counter",
    "build_runner",
    "cache_folder",
    "find_tool",
    "write_whole",
]
