"""Measurements on models that are trained or being trained: noise, bias, time, yardsticks."""
