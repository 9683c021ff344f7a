"""Measure models during or after training: noise, bias, time, and the bound for different kinds of samples."""
