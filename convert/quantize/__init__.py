"""From a float `.tflite` file to integers: ranges, rounding, and the search for the best way."""
