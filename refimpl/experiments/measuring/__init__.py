"""Measure models during or after training: noise, bias, time, and the bound by different kinds of samples."""
