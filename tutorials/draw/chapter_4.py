"""The figures of chapter 4."""
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from refimpl import plots

BLUE, ORANGE, GREEN = plots.FURTHER[1], plots.FURTHER[0], plots.FURTHER[2]


def tilted(eps, T, mean, most, at_1) -> None:
    """The tilted objective against eps."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.semilogx(eps, T, color=plots.colour("direct"), linewidth=2.5, label="tilted objective T")
    ax.axhline(mean, color=plots.TRUTH, label="$E_q f$")
    ax.axhline(most, color="0.6", linestyle="--", label="max f")
    ax.plot(1, at_1, "o", color=GREEN, markersize=8, label="$\\log E_q e^f$, at eps = 1")
    ax.set(xlabel="eps, 1/nat", ylabel="nats")
    ax.legend(fontsize=9)


def biases(eps, one, two, gradient, longer_eps, longer) -> None:
    """Left: lengths of the one- and two-sided bias. Right: bias / gradient for another problem."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    left.loglog(eps, one, color=plots.colour("direct"), linewidth=2, label="one-sided")
    left.loglog(eps, two, color=plots.colour("two-sided"), linewidth=2, label="two-sided")
    left.axhline(gradient, color=plots.TRUTH, label="length of the gradient")
    left.set(xlabel="eps, 1/nat", ylabel="length of the bias, nats", ylim=(1e-7, 10))
    left.legend(fontsize=9)
    right.plot(longer_eps, longer, color=plots.colour("direct"), linewidth=2)
    right.axhline(1, color=plots.TRUTH)
    right.set(xlabel="eps, 1/nat", ylabel="bias / gradient", title="a problem with five values")


def errors(eps, rms, best, gradient) -> None:
    """Root mean squared errors {draws: (eps,)}, with the smallest of each, {draws: (eps, error)}."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    for draws, colour in zip(rms, ("0.6", BLUE, ORANGE)):
        ax.loglog(eps, rms[draws], color=colour, linewidth=2,
                  label=f"{draws:,} draw{'s' * (draws > 1)}, best eps {best[draws][0]:.2g}")
        ax.plot(*best[draws], "o", color=colour, markersize=8)
    ax.axhline(gradient, color=plots.TRUTH, label="error of the estimate 0")
    ax.set(xlabel="eps, 1/nat", ylabel="root mean squared error, nats")
    ax.legend(fontsize=9)


def clouds(means, gradient, mean_of, off) -> None:
    """Means of estimates, {eps: (n, 3)}, in the plane of vectors that add up to 0; the gradient and the exact mean."""
    axis_1, axis_2 = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, -2]) / np.sqrt(6)
    onto = lambda vectors: (vectors @ axis_1, vectors @ axis_2)
    _, axes = plt.subplots(1, len(means), figsize=(11, 4), sharex=True, sharey=True)
    for ax, eps in zip(axes, means):
        dots, counts = np.unique(means[eps].round(9), axis=0, return_counts=True)
        ax.scatter(*onto(dots), s=8 + 3 * counts, color=plots.colour("direct"), alpha=0.5, linewidths=0)
        ax.annotate("", onto(gradient), (0, 0), arrowprops={"arrowstyle": "-|>", "linewidth": 2.5})
        ax.plot(*onto(mean_of(eps)), "o", color=BLUE, markersize=16, markerfacecolor="none", markeredgewidth=2.5)
        ax.set(aspect="equal", xlabel="nats", xlim=(-0.8, 1.9), ylim=(-1.4, 1.3))
        ax.set_title(f"eps = {eps:g}: error {off[eps]:.2f}", fontsize=14)
    axes[0].set_ylabel("nats")


def sides(draws, curves, ratios) -> None:
    """Left: smallest errors {words: (draws,)}. Right: two-sided / one-sided error on random problems {M: ratios}."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    looks = {"one-sided": (plots.colour("direct"), "-"), "two-sided": (plots.colour("two-sided"), "-"),
             "REINFORCE, baseline": ("0.45", "--")}
    for words, values in curves.items():
        left.loglog(draws, values, looks[words][1], marker="o", color=looks[words][0], linewidth=2.5, label=words)
    left.set(xlabel="number of draws M", ylabel="root mean squared error, nats")
    left.legend(fontsize=10)
    for place, (M, values) in enumerate(ratios.items()):
        right.plot(np.sort(values), np.linspace(0, 1, len(values)), "o-", color=(ORANGE, BLUE)[place], markersize=4,
                   label=f"M = {M:,}")
    right.axvline(1, color=plots.TRUTH)
    right.set(xlabel="error of two-sided / error of one-sided", ylabel="share of the random problems", xlim=(0, 1.3))
    right.legend(fontsize=10, loc="upper left")


def training(counts, error, floor, paths, settles, best) -> None:
    """Left: the error of the shared slope against the number of images. Right: w during training, for each eps."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for eps, colour in zip(error, (BLUE, ORANGE, GREEN)):
        left.loglog(counts, error[eps], "o-", color=colour, linewidth=2, markersize=5, label=f"eps = {eps:g}")
        left.axhline(floor[eps], color=colour, linestyle="--")
        right.plot(paths[eps], color=colour, alpha=0.8, label=f"eps = {eps:g}")
        right.axhline(settles[eps], color=colour, linestyle="--")
    right.axhline(best, color=plots.TRUTH, linewidth=2, label="maximum of $E f - w^2/20$")
    left.set(xlabel="number of images, one draw each", ylabel="error of the slope, nats")
    right.set(xlabel="step, one draw per step", ylabel="weight w, mean of 200 runs")
    left.legend(fontsize=10)
    right.legend(fontsize=10, loc="lower right")
