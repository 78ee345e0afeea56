"""How a file is measured on a device: by Python, by a C program, or by `benchmark_model`."""
