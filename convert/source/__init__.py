"""What goes into a conversion: the Keras model, its input range, the calibration images."""
