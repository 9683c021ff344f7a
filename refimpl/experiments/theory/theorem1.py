"""Make two pictures.  theorem1.png shows errors at finite eps; component.png shows one component of the gradient."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from refimpl import direct, exact, gumbel, plots
from refimpl.experiments.theory.evidence import SMALLEST

AVERAGED = 100              # number of samples in each mean whose mean squared error is shown


def errors(h: np.ndarray, f: np.ndarray, samples: int, rng: np.random.Generator, seed: int) -> Figure:
    """Plot bias, standard deviation and root mean squared error against eps, both exact and sampled."""
    figure, axes = plots.new_figure(3, width=4.4, height=4.0)
    unit = 1 / (f.max() - f.min())
    fine, coarse = np.geomspace(0.02, 30, 120) * unit, np.geomspace(0.03, 20, 9) * unit
    truth = exact.gradient(h, f)
    noise = gumbel.sample((min(samples, 1_000_000), len(h)), rng)
    floor = np.sqrt(direct.variance(h, f, fine).sum(axis=-1)) / np.sqrt(len(noise))
    for two_sided, colour, name, marker in ((False, plots.colour("direct"), "one-sided", "o"),
                                            (True, plots.colour("two-sided"), "two-sided", "s")):
        bias = np.linalg.norm(direct.bias(h, f, fine, two_sided), axis=-1)
        deviation = np.sqrt(direct.variance(h, f, fine, two_sided).sum(axis=-1))
        rmse = np.sqrt(direct.mse(h, f, fine, AVERAGED, two_sided))
        for ax, line in zip(axes, (bias, deviation, rmse)):
            ax.loglog(fine, line, color=colour, label=f"{name}, exact")
        best = float(direct.best_eps(h, f, AVERAGED, two_sided))
        if np.isfinite(best):
            least = float(np.sqrt(direct.mse(h, f, best, AVERAGED, two_sided)))
            axes[2].loglog([best], [least], "*", color=colour, markersize=15, zorder=5,
                           label=f"best eps = {best:.2g} /nat")
        sampled = np.array([_sampled_errors(h, f, eps, noise, truth, two_sided) for eps in coarse])
        for column, ax in enumerate(axes):
            ax.loglog(coarse, sampled[:, column], marker, color=colour, markerfacecolor="none", markersize=7,
                      label=f"{name}, sampled")
    axes[0].loglog(fine, floor, color="0.7", linestyle="--", label="noise of the points")
    names = ("|bias|, nats", "standard deviation, nats", "root mean squared error, nats")
    titles = ("bias against grad E f", "one sample", f"mean of {AVERAGED} samples")
    for ax, name, title in zip(axes, names, titles):
        ax.set(xlabel="eps, 1/nat", ylabel=name, title=title)
        # The lines set the scale, because a sampled bias may be tiny.
        lines = np.concatenate([line.get_ydata() for line in ax.lines if line.get_label().endswith("exact")])
        if not (lines > SMALLEST).any():                # all are 0 in float64
            ax.set_yscale("linear")
        else:
            least = max(lines[lines > SMALLEST].min(), 1e-6 * lines.max())
            ax.set_ylim(min(least, floor.min() if ax is axes[0] else least) / 3, 3 * lines.max())
    axes[0].legend(frameon=False, fontsize=10)
    axes[2].legend(handles=[line for line in axes[2].lines if line.get_marker() == "*"], frameon=False, fontsize=10,
                   loc="lower left")
    title = (f"The direct gradient of Theorem 1 at finite eps: k = {len(h)}, {len(noise):,} draws per point, "
             f"seed {seed}")
    figure.suptitle(title, fontsize=12)
    return figure


def component(h: np.ndarray, f: np.ndarray, samples: int, rng: np.random.Generator) -> Figure:
    """Plot one component of the direct gradient against eps, and the same component of grad E f."""
    figure, (ax,) = plots.new_figure(1, width=9.0, height=5.5)
    truth = exact.gradient(h, f)
    i = int(np.abs(truth).argmax())
    unit = 1 / (f.max() - f.min())
    fine, coarse = np.geomspace(0.02, 30, 200) * unit, np.geomspace(0.03, 20, 12) * unit
    noise = gumbel.sample((min(samples, 1_000_000), len(h)), rng)
    ax.axhline(truth[i], color=plots.TRUTH, linewidth=2.5, label="∇E f, by enumeration")
    ax.semilogx(fine, direct.expected_gradient(h, f, fine)[:, i], color=plots.colour("direct"), linewidth=2.5,
                label="difference of two arg maxes: exact mean")
    drawn = [direct.gradient(h, f, eps, noise)[:, i] for eps in coarse]
    ax.errorbar(coarse, [g.mean() for g in drawn], [2 * g.std() / np.sqrt(len(g)) for g in drawn], fmt="o", capsize=5,
                color=plots.colour("two-sided"), markersize=8, linewidth=2,
                label=f"its mean over {len(noise):,} draws, ± 2 standard errors")
    ax.set_xlabel("ε, 1/nat", fontsize=17)
    ax.set_ylabel(f"gradient in h, component {i}, nats", fontsize=17)
    ax.tick_params(labelsize=15)
    ax.legend(frameon=False, fontsize=15)
    figure.suptitle("Theorem 1: as ε falls, the difference of two arg maxes\nbecomes the gradient of E f", fontsize=19)
    return figure


def _sampled_errors(h, f, eps, noise, truth, two_sided) -> tuple[float, float, float]:
    g = (direct.two_sided_gradient if two_sided else direct.gradient)(h, f, eps, noise)
    means = g[: len(g) // AVERAGED * AVERAGED].reshape(-1, AVERAGED, len(h)).mean(axis=1)
    return (float(np.linalg.norm(g.mean(axis=0) - truth)), float(np.sqrt(g.var(axis=0).sum())),
            float(np.sqrt(((means - truth) ** 2).sum(axis=-1).mean())))
