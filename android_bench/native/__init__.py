"""The C sources that run where Python does not, and what builds them."""

from android_bench.native.build import COMPILERS, build_counter, build_runner, find_tool

__all__ = ["COMPILERS", "build_counter", "build_runner", "find_tool"]
