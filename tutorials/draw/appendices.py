"""The figures of appendices A, B and C."""
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from draw import COLOURS, NAMES
from refimpl import plots

RUNS = {"eps-1-kl": ("eps = 1, KL on", plots.FURTHER[1]), "eps-0.1-kl": ("eps = 0.1, KL on", plots.colour("direct")),
        "eps-1-no-kl": ("eps = 1, KL off", plots.FURTHER[2])}


def cross_entropy(exact, sampled) -> None:
    """Appendix A: the cross-entropy by steps, exact (steps,) and with one arg max per garment (seeds, steps)."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.plot(sampled.T, color=plots.colour("direct"), alpha=0.4)
    ax.plot([], [], color=plots.colour("direct"), label="one arg max per garment, ten seeds")
    ax.plot(exact, color=plots.TRUTH, label="closed form, without noise")
    ax.set(xlabel="step", ylabel="cross-entropy, nats")
    ax.legend(fontsize=9)


def control_variate(eps, ratio, crossing, variances) -> None:
    """Appendix B: the coefficient of the control variate (eps, 3), and the variance with it / without it."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for i, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        left.semilogx(eps, ratio[:, i], color=colour, linewidth=2,
                      label=f"{name}, crosses 1/2 at eps = {crossing[i]:.2f}")
        right.loglog(eps, variances[:, i], color=colour, linewidth=2)
    left.axhline(0.5, color=plots.TRUTH, linewidth=1)
    left.set(xlabel="eps, 1/nat", ylabel="covariance / variance of $z^{\\star}$")
    left.legend(fontsize=9)
    right.axhline(1, color=plots.TRUTH, linewidth=1)
    right.set(xlabel="eps, 1/nat", ylabel="variance with / without it", ylim=(0.01, 100))


def bounds_and_shares(elbos, forces, shares, tops) -> None:
    """Appendix C: bounds {name: (epochs,)}; the two pulls on the logit of p; q of the best value {name: (images,)}."""
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.9))
    for name, values in elbos.items():
        left.plot(np.arange(1, len(values) + 1), values, color=RUNS[name][1], marker="o", label=RUNS[name][0])
    left.set(xlabel="epoch", ylabel="test -ELBO, nats per image")
    logit = np.linspace(-3, 9, 200)
    p = 1 / (1 + np.exp(-logit))
    middle.plot(logit, forces(p), color=plots.TRUTH, linewidth=2, label="pull of the KL term")
    for name, (eps, top) in tops.items():
        colour = RUNS[name][1]
        middle.plot(logit, 1 / (eps * p), color=colour, linewidth=2, label=f"pull of T, eps = {eps:g}")
        middle.plot(np.log(top / (1 - top)), 1 / (eps * top), "o", color=colour, markersize=9)
        right.hist(shares[name], bins=np.linspace(0, 1, 21), weights=np.full(len(shares[name]), 1 / len(shares[name])),
                   color=colour, alpha=0.6, label=RUNS[name][0])
        right.axvline(top, color=colour, linestyle="--", linewidth=2)
    ticks = np.array([0.1, 0.5, 0.9, 0.99, 0.999])
    middle.set(xlabel="p, probability of the best value", ylabel="the two pulls on p", ylim=(0, 18),
               xticks=np.log(ticks / (1 - ticks)), xticklabels=[f"{tick:g}" for tick in ticks])
    right.set(xlabel="q of the best value", ylabel="share of the images",
              ylim=(0, 1.15))
    for ax, place in ((left, "best"), (middle, "upper right"), (right, "upper left")):
        ax.legend(fontsize=9, loc=place)


def settling(exact, runs, tops) -> None:
    """Appendix C: q of the best value by steps, with the exact gradient and {eps: (seeds, steps)}."""
    _, ax = plt.subplots(figsize=(6.5, 3.4))
    ax.plot(exact, color=plots.TRUTH, linewidth=2, label="exact gradient of the ELBO")
    for (eps, values), colour in zip(runs.items(), plots.FURTHER[1:]):
        ax.plot(values.T, color=colour, alpha=0.3)
        ax.axhline(tops[eps], color=colour, linestyle="--", label=f"prediction, eps = {eps:g}: {tops[eps]:.3f}")
    ax.set(xlabel="step", ylabel="q of the best value")
    ax.legend(fontsize=9, loc="lower right")
