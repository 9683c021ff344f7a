"""The figures of chapters 5 to 10: each function draws one of them from what the chapter has computed."""
from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from refimpl import plots


def losses(curves: Mapping[str, np.ndarray], best: float, half: int = 10) -> None:
    """Chapter 5: the loss of each batch, averaged over up to `half` neighbours on either side, and the least loss."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.axhline(best, color=plots.TRUTH, linewidth=2.5, label="best possible")
    for (words, values), shade in zip(curves.items(), plots.FURTHER[1:]):
        reach = [min(half, place, len(values) - 1 - place) for place in range(len(values))]
        mean = [values[place - r:place + r + 1].mean() for place, r in enumerate(reach)]
        ax.plot(np.arange(1, len(values) + 1), mean, color=shade, linewidth=1.8, label=words)
    ax.set(xlabel="step of 100 images", ylabel="loss, nats per image", yscale="log", ylim=(160, 600))
    ax.set_yticks([170, 200, 300, 400, 500], ["170", "200", "300", "400", "500"])
    ax.minorticks_off()
    ax.legend(fontsize=10)


def digits(*rows: np.ndarray) -> None:
    """Chapter 5: rows of ten pictures (10, 784), in shades from 0 to 1."""
    _, axes = plt.subplots(len(rows), 10, figsize=(9, 1.05 * len(rows)), squeeze=False)
    for line, pictures in zip(axes, rows):
        for ax, picture in zip(line, pictures):
            ax.imshow(picture.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()
