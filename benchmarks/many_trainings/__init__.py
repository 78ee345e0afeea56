"""Many trainings on one GPU: one compiled program for each network and size of batch.

Rates, weight decay, lengths and augmentation are inputs of the program, so that a sweep over them
compiles once, and images stay on the device.
"""
