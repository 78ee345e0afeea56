"""Measuring `.tflite` files: on this machine, on boards, on phones, and on emulated ARM cores.

Needs numpy and LiteRT alone, so that it runs where Keras and TensorFlow do not.
"""

from android_bench.rows import append_rows, read_rows, validate_row

__all__ = ["append_rows", "read_rows", "validate_row"]
