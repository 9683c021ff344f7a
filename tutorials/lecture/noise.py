"""Pages 14 to 19: the race of clocks, the joint law, the effect of sharing noise, the best eps, T, and atoms."""
from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lecture import slide
from lecture.staircase import COLOURS, F, H, NAMES
from moving import clocks
from refimpl import direct, exact, gumbel, plots
from refimpl.plots import panels

DRAWS = 100                             # the number of estimates in the mean whose error is drawn


def race(figure: Figure) -> None:
    """One draw as three clocks, and their times after eps f has changed their speed."""
    ax, eps = figure.add_axes((0.27, 0.16, 0.69, 0.37)), 0.9
    noise = clocks.chosen_draw()
    first = clocks.times(H, noise)
    second = np.exp(-eps * F) * first
    for z, row in enumerate((2, 1, 0)):
        ax.plot([first[z], second[z]], [row, row], color=COLOURS[z], alpha=0.35, linewidth=10, solid_capstyle="butt")
        ax.plot(first[z], row, "o", markersize=26, markerfacecolor="1", markeredgecolor=COLOURS[z], markeredgewidth=4)
        ax.plot(second[z], row, "o", markersize=26, color=COLOURS[z])
    for times, colour in ((first, "0"), (second, "1")):
        ax.plot(times.min(), 2 - times.argmin(), "*", markersize=18, color=colour, zorder=5)
    ax.set(ylim=(-0.6, 2.6), xlim=(0, None), xlabel="time")
    ax.set_yticks((2, 1, 0), [f"{name}, f = {slide.number(f, 1)}" for name, f in zip(NAMES, F)])
    z_star, z_eps = direct.argmax_pair(H, F, eps, noise)
    q = gumbel.choice_probabilities(H)
    shares = ", ".join(f"{name} {share:.3f}" for name, share in zip(NAMES, q))
    slide.formula(figure, 0.04, 0.74, "Clock z has the rate exp h(z). It rings first with probability softmax(h):", 22)
    slide.formula(figure, 0.04, 0.67, shares + " (Theorem 2)", 22)
    slide.formula(figure, 0.04, 0.59, f"○ first race: z* = {NAMES[z_star]}     "
                  f"● times × exp(−ε f), ε = {eps:g}: z(ε) = {NAMES[z_eps]}", 22)


def joint_law(figure: Figure) -> None:
    """P(z* = i, z(eps) = j) with the sums of its rows and columns, as in the explorer."""
    ax, eps = figure.add_axes((0.13, 0.17, 0.46, 0.55)), 0.5
    panels.law(ax, H, F, eps, NAMES)
    ax.set_title("")
    ax.grid(visible=False)
    ax.set(xlabel="z(ε), by h + ε f", ylabel="z*, by h")
    ax.get_yticklabels()[-1].set_fontsize(30)
    law = direct.joint_law(H, F, eps)
    lines = (f"ε = {eps:g}", f"the same winner: {np.trace(law):.1%}", "", "never to a lower f:",
             *(f"{NAMES[i]} → {NAMES[j]}:  {law[i, j]:g}" for i, j in ((0, 1), (0, 2), (2, 1))))
    for place, words in enumerate(lines):
        slide.formula(figure, 0.64, 0.68 - 0.075 * place, words, 24)


def sharing(figure: Figure) -> None:
    """The exact total variance against eps, with shared and with fresh noise."""
    ax, eps = figure.add_axes(slide.WHOLE), np.geomspace(0.01, 1, 60)
    q, q_eps = gumbel.choice_probabilities(H), gumbel.choice_probabilities(H + eps[:, None] * F)
    fresh = ((q * (1 - q) + q_eps * (1 - q_eps)) / eps[:, None] ** 2).sum(axis=1)
    shared = direct.variance(H, F, eps).sum(axis=-1)
    for values, colour, words, place in ((fresh, plots.FURTHER[0], "fresh noise for the second arg max", (0.017, 8e3)),
                                         (shared, plots.FURTHER[1], "the same noise for both", (0.0115, 1.6))):
        ax.loglog(eps, values, color=colour, linewidth=5)
        slope = np.log(values[1] / values[0]) / np.log(eps[1] / eps[0])
        ax.text(*place, f"{words}: slope {slide.number(slope, 2)}", color=colour, fontsize=24)
    ratio = (fresh / shared)[np.abs(eps - 0.1).argmin()]
    ax.text(0.98, 0.74, f"at ε = 0.1: {ratio:.0f} times\nthe variance", transform=ax.transAxes, ha="right",
            va="top", fontsize=24)
    ax.set(xlabel="ε, 1/nat", ylabel="variance of one estimate", xlim=(0.01, 1), ylim=(0.2, 3e4))
    log_ticks(ax, (0.01, 0.1, 1))


def log_ticks(ax: Axes, at: tuple[float, ...]) -> None:
    ax.set_xticks(at, [f"{value:g}" for value in at])
    ax.minorticks_off()


def errors(figure: Figure) -> None:
    """Bias, standard deviation, and root mean squared error of a mean of DRAWS estimates, and the best eps."""
    ax, eps = figure.add_axes(slide.WHOLE), np.geomspace(0.01, 10, 80)
    bias = np.linalg.norm(direct.bias(H, F, eps), axis=-1)
    deviation = np.sqrt(direct.variance(H, F, eps).sum(axis=-1) / DRAWS)
    error = np.sqrt(direct.mse(H, F, eps, DRAWS))
    best = float(direct.best_eps(H, F, DRAWS))
    least = float(np.sqrt(direct.mse(H, F, best, DRAWS)))
    ax.loglog(eps, error, color=plots.TRUTH, linewidth=6, label="root mean squared error")
    ax.loglog(eps, bias, "--", color=plots.FURTHER[0], label="bias")
    ax.loglog(eps, deviation, ":", color=plots.FURTHER[1], linewidth=5, label="standard deviation")
    ax.plot(best, least, "o", color=plots.TRUTH, markersize=16)
    ax.annotate(f"best ε = {best:.2f},  error {least:.2f} nats", (best, least), (0.28, 0.06), fontsize=24,
                textcoords="axes fraction", arrowprops=dict(arrowstyle="-", color="0.4", linewidth=2, shrinkB=10))
    ax.set(xlabel=f"ε, 1/nat  (mean of {DRAWS} estimates)", ylabel="nats", xlim=(0.01, 10), ylim=(2e-3, 20))
    ax.legend(loc="upper right", borderaxespad=0)
    log_ticks(ax, (0.01, 0.1, 1, 10))


def tilted(figure: Figure) -> None:
    """T against eps, between E f and max f."""
    ax, eps = figure.add_axes((0.10, 0.14, 0.86, 0.50)), np.geomspace(0.01, 100, 200)
    ax.semilogx(eps, direct.tilted_objective(H, F, eps), color=plots.colour("direct"), linewidth=6)
    for height, words, shift in ((exact.expectation(H, F), "E f: what we want to raise", 0.06),
                                 (F.max(), "max f", -0.14)):
        ax.axhline(height, color="0.3", linestyle=":")
        ax.text(0.011 if shift < 0 else 1.3, height + shift, f"{words} = {slide.number(float(height), 2)}")
    one = float(direct.tilted_objective(H, F, 1.0))
    ax.plot(1, one, "o", markersize=16, color=plots.TRUTH)
    ax.text(1.25, one - 0.10, r"$\epsilon = 1$:  $\log E\,e^{f}$ = " + slide.number(one, 2), fontsize=26)
    ax.set(xlabel="ε, 1/nat", ylabel="nats", xlim=(0.01, 100))
    log_ticks(ax, (0.01, 0.1, 1, 10, 100))
    slide.formula(figure, 0.10, 0.715, r"$E\,g\;=\;\dfrac{q_\epsilon - q}{\epsilon}\;=\;\nabla_{\!h}\,T,\qquad "
                  r"T\;=\;\dfrac{1}{\epsilon}\,\log E_q\,e^{\epsilon f}$", 32)


def atoms(figure: Figure) -> None:
    """The mean of the estimate with noise of +1 or -1, over all four draws, and the same with Gumbel noise."""
    ax, eps = figure.add_axes((0.10, 0.14, 0.86, 0.52)), np.geomspace(0.001, 0.9, 60)
    coins = np.array([[one, other] for one in (-1.0, 1.0) for other in (-1.0, 1.0)])        # each has probability 1/4
    h, f = np.zeros(2), np.array([0.0, 2.0])
    quotient = [direct.gradient(h, f, value, coins)[:, 1].mean() for value in eps]
    ax.loglog(eps, quotient, color=plots.FURTHER[0], linewidth=5)
    ax.loglog(eps, direct.expected_gradient(h, f, eps)[:, 1], color=plots.FURTHER[1], linewidth=5)
    ax.text(0.004, 1.7 * quotient[0] / 4, "coin flips: no limit", color=plots.FURTHER[0], fontsize=26)
    ax.text(0.0012, 0.62, f"Gumbel noise: tends to {exact.gradient(h, f)[1]:g}, the gradient", fontsize=26,
            color=plots.FURTHER[1], va="bottom")
    ax.set(xlabel="ε, 1/nat", ylabel="mean of the estimate", xlim=(0.001, 1), ylim=(0.2, 900))
    log_ticks(ax, (0.001, 0.01, 0.1, 1))
    slide.formula(figure, 0.10, 0.72, "h = (0, 0),  f = (0, 2),  noise +1 or −1: half of all draws are ties.", 24)
