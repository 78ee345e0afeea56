"""Training for int8, pruning and clustering with tensorflow-model-optimization."""
