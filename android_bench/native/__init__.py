"""The C sources that run where Python does not, and what builds them."""

from android_bench.native.build import (
    ToolMissing,
    build_counter,
    build_runner,
    cache_folder,
    write_whole,
)

__all__ = ["ToolMissing", "build_counter", "build_runner", "cache_folder", "write_whole"]
