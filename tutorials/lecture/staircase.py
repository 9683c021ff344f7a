"""Pages 1 to 6: the choice of an auto-encoder, the staircase, the formula of Theorem 1, and Danskin's theorem."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lecture import slide
from refimpl import danskin, direct, exact, gumbel, plots
from refimpl.plots import walls

H, F, NAMES, COLOURS = walls.H, walls.F, walls.NAMES, walls.COLOURS
DIRECTION = np.array([1.0, 0.0, -1.0])          # a weight w moves score from the dress to the shirt
NOISE = gumbel.sample((100_000, 3), np.random.default_rng(1))
THEOREM = (r"$\nabla_{\!w}\; E_\gamma\, [\,f(z^{\star})\,]\;\;=\;\;\lim_{\epsilon \to 0}\;\dfrac{1}{\epsilon}\;"
           r"E_\gamma\,[\,\nabla_{\!w} h_w(z(\epsilon)) - \nabla_{\!w} h_w(z^{\star})\,]$")


def opening(figure: Figure) -> None:
    """The first page: the subject, a cloud of draws, and the authors of Theorem 1."""
    ax = figure.add_axes((0.60, 0.12, 0.36, 0.64))
    walls.draw_cloud(ax, H, F, 1.0, NOISE[:600], legend=False, size=1.5)
    slide.bare(ax)
    ax.set(xlabel="", ylabel="")
    for height, words, size in ((0.66, "Direct optimisation through arg max", 26),
                                (0.56, "seen, proved, and computed", 24),
                                (0.30, "after G. Lorberbom, A. Gane, T. Jaakkola\nand T. Hazan, NeurIPS 2019", 22),
                                (0.18, "arXiv 1806.02867", 22)):
        slide.formula(figure, 0.05, height, words, size)


def choice(figure: Figure) -> None:
    """Bars for the scores, for the scores plus one draw of the noise, and for f, where the winner is marked."""
    won = gumbel.argmax(H, NOISE[:1000])
    place = np.flatnonzero((won != H.argmax()) & (np.abs(H + NOISE[:1000]).min(axis=1) > 0.3))[0]
    z_star, sums = won[place], H + NOISE[place]         # the winner is not the arg max of h, and no bar is too low
    panels = (("the encoder: h", H), ("one draw of noise: h + γ", sums), ("the decoder: f, nats", F))
    for place, (title, heights) in enumerate(panels):
        ax = figure.add_axes((0.05 + 0.325 * place, 0.17, 0.26, 0.50))
        for z, height in enumerate(heights):
            ax.bar(z, height, color=COLOURS[z], alpha=1.0 if z == z_star or place < 2 else 0.25)
            ax.text(z, height + np.copysign(0.05, height) * np.ptp([*heights, 0]), slide.number(height, 1), ha="center",
                    va="bottom" if height > 0 else "top")
        ax.axhline(0, color="0.3", linewidth=1.5)
        ax.margins(y=0.18)
        ax.set_title(title, pad=14)
        slide.bare(ax)
        slide.named(ax, range(3))
    figure.text(0.5, 0.045, f"z* = arg max (h + γ) = {NAMES[z_star]},   so f(z*) = {slide.number(F[z_star], 1)} nats",
                ha="center", fontsize=26)


def scores(w: np.ndarray | float) -> np.ndarray:
    return H + np.asarray(w)[..., None] * DIRECTION


def staircase(figure: Figure) -> None:
    """f(z*) against the weight, for one draw, as the mean of ten draws, and as the exact mean."""
    ax, w = figure.add_axes(slide.WHOLE), np.linspace(-3, 3, 1201)
    of_draws = F[gumbel.argmax(scores(w)[:, None], NOISE[:10])]
    ax.plot(w, of_draws[:, 0], color=plots.FURTHER[1], label="one draw")
    ax.plot(w, of_draws.mean(axis=1), color=plots.FURTHER[0], label="mean of ten draws")
    ax.plot(w, exact.expectation(scores(w), F), color=plots.TRUTH, linewidth=5, label="mean over all noise, exact")
    ax.set(xlabel="weight w", ylabel="f(z*), nats", xlim=(-3, 3), ylim=(-2.2, 1.2))
    ax.legend(loc="lower right", borderaxespad=0.1, handlelength=1.2)


def theorem(figure: Figure) -> None:
    """The equation of Theorem 1, with an explanation of each side."""
    slide.formula(figure, 0.5, 0.63, THEOREM, 38, ha="center")
    slide.formula(figure, 0.07, 0.46, "what we want:\nthe slope of\nthe smooth curve", 24, color=plots.FURTHER[1])
    slide.formula(figure, 0.40, 0.46, "what runs of the program give:\ntwo winners with the same noise,\n"
                  "and the slopes of their scores", 24, color=plots.FURTHER[0])
    for height, text in ((0.26, r"$z^{\star} = \mathrm{arg\,max}_z\;\{h_w(z) + \gamma(z)\}$"),
                         (0.16, r"$z(\epsilon) = \mathrm{arg\,max}_z\;\{\epsilon f(z) + h_w(z) + \gamma(z)\}$")):
        slide.formula(figure, 0.40, height, text, 32)


def three_winners(eps: np.ndarray) -> np.ndarray:
    """(len(eps), 3): the lines of one draw of a thousand, chosen so that each value wins on a long interval."""
    lines = eps[None, :, None] * F + H + NOISE[:1000, None, :]
    return lines[(lines.argmax(axis=2)[..., None] == np.arange(3)).sum(axis=1).min(axis=1).argmax()]


def danskin_lines(figure: Figure) -> None:
    """One draw: three lines as functions of eps, their maximum, and the slope of the maximum."""
    eps = np.linspace(-2, 2, 401)
    lines = three_winners(eps)
    winner = lines.argmax(axis=1)
    left, right = figure.add_axes(slide.LEFT), figure.add_axes(slide.RIGHT)
    left.plot(eps, lines.max(axis=1), color="0.8", linewidth=16, solid_capstyle="round")
    for z in np.argsort(F):
        left.plot(eps, lines[:, z], color=COLOURS[z], label=f"{NAMES[z]}: f = {slide.number(F[z], 1)}")
        right.plot(eps[winner == z], F[winner[winner == z]], color=COLOURS[z], linewidth=9, solid_capstyle="butt")
    left.set_title("one draw: ε f + h + γ", pad=12)
    right.set_title("slope of the maximum, nats", pad=12)
    left.legend(loc="lower left", borderaxespad=0, handlelength=1.2)
    for ax in (left, right):
        ax.set(xlabel="ε, 1/nat", xticks=(-2, -1, 0, 1, 2))
    left.set_ylim(lines.min() - 0.4, lines.max() + 0.4)


def mean_maximum(figure: Figure) -> None:
    """The mean maximum of one draw, of ten draws, and of all noise, which is G."""
    ax, eps = figure.add_axes((0.10, 0.14, 0.86, 0.52)), np.linspace(-2, 2, 401)
    for draws, colour in ((1, "0.65"), (10, plots.FURTHER[1])):
        highest = danskin.perturbed_max(H, F, eps[:, None], NOISE[:draws]).value.mean(axis=1)
        ax.plot(eps, highest, color=colour, label=f"{draws} draw{'s' * (draws > 1)}")
    ax.plot(eps, danskin.G(H, F, eps), color=plots.TRUTH, linewidth=5, label="all noise, exact")
    ax.set(xlabel="ε, 1/nat", ylabel="mean maximum", xlim=(-2, 2))
    ax.legend(loc="upper center")
    slide.formula(figure, 0.10, 0.725, r"$G(h, \epsilon)\;=\;E_\gamma\,\max_z\,\{\epsilon f(z) + h(z) + \gamma(z)\}$",
                  30)


def estimate_line(eps: float, noise: np.ndarray, value: int = 0) -> str:
    """The computation of one component of the estimate from the draws that change their winner, as text."""
    z_star, z_eps = direct.argmax_pair(H, F, eps, noise)
    change = int((z_eps == value).sum() - (z_star == value).sum())
    return f"{change:+d} / ({eps:g} × {len(noise):,}) = {slide.number(change / eps / len(noise))}".replace("-", "−")
