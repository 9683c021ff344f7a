"""Pictures of the mixture model: bound and accuracy against epochs, and what it draws, a column a class, a row a Gaussian."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from refimpl import plots
from refimpl.models.mixture import MixtureVAE

GAUSSIANS = 8


def curves(rows: list[dict[str, float]], label: str, dataset: str) -> Figure:
    """Test accuracy and bound of one run; epoch 0 is the pretraining, whose bound is off the scale."""
    figure, (accuracy, bound) = plots.new_figure(2)
    marker = "o" if len(rows) < 40 else None
    epochs = [row["epoch"] for row in rows]
    for name, words, colour in (("valid_accuracy", "validation", plots.FURTHER[1]), ("accuracy", "test", plots.FURTHER[0])):
        accuracy.plot(epochs, [100 * row[name] for row in rows], color=colour, marker=marker, label=words)
    accuracy.set(xlabel="epoch", ylabel="accuracy, %", title=dataset)
    accuracy.legend(frameon=False, fontsize=10)
    later = rows[1:] or rows
    for name, words, sign, colour in (("test_elbo", "test, -ELBO", -1, plots.FURTHER[0]),
                                      ("reconstruction", "its reconstruction", -1, plots.FURTHER[4]),
                                      ("gaussian_kl", "its Gaussian KL", 1, plots.FURTHER[2]),
                                      ("class_kl", "its class KL", 1, plots.FURTHER[3])):
        bound.plot([row["epoch"] for row in later], [sign * row[name] for row in later], color=colour, marker=marker, label=words)
    bound.set(xlabel="epoch", ylabel="nats an image", title="bound, class enumerated", ylim=(0, None))
    bound.legend(frameon=False, fontsize=10)
    for ax in (accuracy, bound):
        ax.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(label, fontsize=12)
    return figure


def sample(model: MixtureVAE, seed: int) -> np.ndarray:
    """Mean images (GAUSSIANS, classes, pixels): each row one draw of g from its prior, in all classes."""
    g = np.random.default_rng(seed).standard_normal((GAUSSIANS, model.d)).astype(model.dtype)
    a = model.decode(g).astype(np.float64)
    return 1 / (1 + np.exp(-np.clip(a, -700, 700)))


def grids(samples: Sequence[tuple[str, np.ndarray]], dataset: str) -> Figure:
    """One grid beside the other: (title, images (rows, classes, pixels)) each."""
    side, gap = plots.PIXELS[0], 2
    figure = Figure(figsize=(4.6 * len(samples), 4.3), dpi=110, layout="constrained")
    for place, (title, images) in enumerate(samples):
        rows, columns = images.shape[:2]
        canvas = np.full((rows * (side + gap), columns * (side + gap)), np.nan)
        for row in range(rows):
            for column in range(columns):
                down, right = row * (side + gap), column * (side + gap)
                canvas[down:down + side, right:right + side] = images[row, column].reshape(plots.PIXELS)
        ax = figure.add_subplot(1, len(samples), place + 1)
        ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks((side + gap) * np.arange(columns) + side / 2, [str(c) for c in range(columns)])
        ax.set_yticks([])
        ax.tick_params(length=0, labelsize=10)
        ax.set(xlabel="class", ylabel="a row a Gaussian" if place == 0 else "", title=title)
        for spine in ax.spines.values():
            spine.set_visible(False)
    figure.suptitle(dataset, fontsize=12)
    return figure
