"""A very small animation for tests."""
from __future__ import annotations

from matplotlib.figure import Figure


class Bar:
    """In frame i, i eighths of the picture are black."""

    fps, order, still = 5, [0, 3, 3, 3, 8], 3

    def __init__(self):
        self.figure = Figure(figsize=(1.6, 0.8))
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, 8), ylim=(0, 1))
        self.ax.set_axis_off()
        (self.bar,) = self.ax.bar([0], [1], align="edge", color="0")

    def show(self, frame):
        self.bar.set_width(frame)
