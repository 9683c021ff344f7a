"""Measurements on models, during or after training: noise, bias, time, and bounds by different samplings."""
