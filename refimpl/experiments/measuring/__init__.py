"""Measure the gradients, the bounds and the speed of models, during or after training."""
