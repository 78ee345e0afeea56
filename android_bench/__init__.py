"""Measuring `.tflite` files: on this machine, on boards, on phones, and on emulated ARM cores.

Needs numpy and LiteRT alone, so that it runs where Keras and TensorFlow do not.
"""

from android_bench.benchmarking import benchmark, benchmark_interleaved
from android_bench.devices import DEVICES, Device, open_device
from android_bench.errors import DeviceError
from android_bench.options import BenchmarkOptions
from android_bench.result import BenchmarkResult

__all__ = [
    "DEVICES",
    "BenchmarkOptions",
    "BenchmarkResult",
    "Device",
    "DeviceError",
    "benchmark",
    "benchmark_interleaved",
    "open_device",
]
