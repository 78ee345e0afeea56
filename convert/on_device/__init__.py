"""Classifiers whose last layer a phone trains further, with TFLite's builtin ops alone.

The file has four signatures: `infer`, `train`, `get_weights` and `set_weights`; see
`trainable_tflite`.
"""

from convert.on_device.trainable import trainable_tflite

__all__ = ["trainable_tflite"]
