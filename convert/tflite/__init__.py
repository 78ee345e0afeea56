"""What came out: `.tflite` files opened again, read, run, verified and described."""
