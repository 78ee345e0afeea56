"""Float against integer: accuracy of whole files, and the error of each layer."""
