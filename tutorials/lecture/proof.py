"""Pages 7 to 13: the walls, the two proofs of Theorem 1, and the theorem in numbers."""
from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lecture import slide
from lecture.staircase import COLOURS, F, H, NAMES, NOISE, estimate_line
from refimpl import danskin, direct, exact, gumbel, plots
from refimpl.plots import walls

T = np.linspace(-6, 6, 1201)            # differences of the noise of two values
BOX = dict(facecolor="1", edgecolor="none", pad=4)


def chance(t: np.ndarray | float) -> np.ndarray:
    """P(gamma_1 - gamma_0 < t): with two values, the chance of value 0 if h_0 - h_1 = t (Theorem 2)."""
    return gumbel.choice_probabilities(np.stack(np.broadcast_arrays(t, 0.0), axis=-1))[..., 0]


def density(t: np.ndarray | float) -> np.ndarray:
    """The density of gamma_1 - gamma_0, which is q_0 q_1."""
    return chance(t) * (1 - chance(t))


def strip(ax: Axes, before: float, after: float, words: tuple[str, str], limits: tuple[float, float],
          top: float = 0.29) -> None:
    """The density, a wall before and after it moves, and the draws between the two, coloured like their new winner."""
    t = np.linspace(*limits, 601)
    ax.plot(t, density(t), color=plots.TRUTH)
    inside = np.linspace(min(before, after), max(before, after), 101)
    ax.fill_between(inside, density(inside), color=COLOURS[0] if after > before else COLOURS[1], alpha=0.65)
    for place, dash, word in ((before, "-", words[0]), (after, "--", words[1])):
        ax.axvline(place, color=plots.TRUTH, linestyle=dash, label=word)
    ax.set(xlim=limits, ylim=(0, top), xlabel="γ(coat) − γ(shirt)")


def wall(figure: Figure) -> None:
    """Shirt or coat: the density of the noise, and the wall with and without eps f."""
    ax, eps, place = figure.add_axes(slide.WHOLE), 0.2, H[0] - H[1]
    after = place + eps * (F[0] - F[1])
    strip(ax, place, after, ("wall of h", f"wall of h + ε f,  ε = {eps:g}"), (-6, 6))
    ax.set_ylabel("density of the noise")
    for x, z in ((-4.6, 0), (2.6, 1)):
        ax.text(x, 0.075, f"{NAMES[z]} wins", fontsize=26, color=walls.readable(COLOURS[z]),
                bbox=dict(facecolor=COLOURS[z], edgecolor="none", pad=5))
    ax.text(1.6, 0.2, f"{chance(after) - chance(place):.1%} of the draws\nchange from coat to shirt", va="center")
    ax.legend(loc="upper left", borderaxespad=0)


def two_moves(figure: Figure) -> None:
    """The wall moves because h(coat) is raised, or because eps f is added; both give (f_1 - f_0) rho."""
    place, step, difference = H[0] - H[1], 0.3, F[1] - F[0]
    tiny = 1e-4
    moves = (("raise h(coat) by δ", place - step, (chance(place) - chance(place - tiny)) / tiny * difference,
              r"\dfrac{\partial}{\partial h_1} E f(z^{\star})"),
             ("mix in ε f", place - step * difference,
              (chance(place) - chance(place - tiny * difference)) / tiny, r"\dfrac{q_\epsilon(1) - q(1)}{\epsilon}"))
    for box, (title, after, slope, left_side) in zip((slide.LEFT, slide.RIGHT), moves):
        ax = figure.add_axes((box[0], 0.36, box[2], 0.35))
        strip(ax, place, after, ("before", "after"), (-2.5, 3.5), top=0.4)
        ax.set_title(title, pad=10)
        ax.set(yticks=(0, 0.1, 0.2))
        slide.formula(figure, box[0] + 0.2, 0.155, f"${left_side} = (f_1 - f_0)\\,\\rho = {slope:.3f}$", 25,
                      ha="center")
    figure.axes[0].legend(loc="upper left", borderaxespad=0)
    slide.formula(figure, 0.5, 0.045, f"ρ = {density(place):.3f}: the density of the noise at the wall", 24,
                  ha="center")


def cloud(figure: Figure) -> None:
    """The two Ys and 800 draws at eps = 1, with a legend."""
    ax, eps = figure.add_axes((0.085, 0.13, 0.36, 0.64)), 1.0
    drawn = walls.draw_cloud(ax, H, F, eps, NOISE[:800], legend=False, size=1.75)
    ax.set(xticks=(-4, -2, 0, 2, 4), yticks=(-4, -2, 0, 2, 4))
    ax.grid(visible=False)
    drawn.key[2].set_markersize(16)
    drawn.key[2].set_label("changes its winner\n(ring: old, inside: new)")
    figure.legend(handles=drawn.key, loc="upper left", bbox_to_anchor=(0.54, 0.74), fontsize=24, handlelength=1.8,
                  labelspacing=0.7)
    share = 1 - direct.stay_probability(H, F, eps).sum()
    for height, words in ((0.34, f"ε = {eps:g}: {drawn.moved} of these {len(NOISE[:800])} draws"),
                          (0.27, "change their winner;"), (0.20, f"over all noise, exactly {share:.1%} do.")):
        slide.formula(figure, 0.56, height, words, 24)


def three_clouds(figure: Figure) -> None:
    """The cloud at three values of eps, and the estimate from the draws that change their winner."""
    noise = NOISE[:600]
    for place, eps in enumerate((1.0, 0.3, 0.1)):
        ax = figure.add_axes((0.03 + 0.325 * place, 0.235, 0.29, 0.49))
        drawn = walls.draw_cloud(ax, H, F, eps, noise, legend=False, size=1.5)
        slide.bare(ax)
        ax.set(xlabel="", ylabel="")
        ax.set_title(f"ε = {eps:g}: {drawn.moved} of {len(noise)} change", pad=8, fontsize=20)
        figure.text(0.175 + 0.325 * place, 0.175, estimate_line(eps, noise), ha="center", fontsize=20)
    figure.text(0.5, 0.105, "∂ E f / ∂ h(shirt)  ≈  (draws that come − draws that leave) / (ε × draws)",
                ha="center", fontsize=22)
    figure.text(0.5, 0.04, f"exact limit, ε → 0:  {slide.number(exact.gradient(H, F)[0])}", ha="center", fontsize=24)


def jacobian() -> np.ndarray:
    """(3, 3): dq_i / dh_j = q_i [i = j] - q_i q_j, the second derivatives of G; a test compares it with differences."""
    q = gumbel.choice_probabilities(H)
    return np.diag(q) - np.outer(q, q)


def two_sides(figure: Figure) -> None:
    """The Y with the density along each arm, and the symmetric table of the derivatives of q."""
    ax, J = figure.add_axes((0.05, 0.10, 0.37, 0.66)), jacobian()
    walls.draw_cloud(ax, H, F, 1e-9, NOISE[:0], legend=False, size=1.7)
    slide.bare(ax)
    ax.set(xlabel="", ylabel="")
    for (i, j), (near, far) in zip(walls.WALLS, walls.y_lines(H)):
        ax.text(*(0.35 * near + 0.65 * far), f"ρ = {-J[i, j]:.3f}", ha="center", va="center", bbox=BOX, zorder=9)
    slide.formula(figure, 0.50, 0.70, r"$\frac{\partial q_i}{\partial h_j}\;=\;-\rho_{ij}\;=\;"
                  r"\frac{\partial q_j}{\partial h_i}$", 38)
    table = figure.add_axes((0.62, 0.10, 0.34, 0.42))
    table.imshow(J, cmap="PuOr", vmin=-0.6, vmax=0.6, aspect="auto")
    for (i, j), value in np.ndenumerate(J):
        table.text(j, i, slide.number(value), ha="center", va="center", fontsize=24)
    slide.bare(table)
    table.set_xticks(range(3), [f"h({name})" for name in NAMES])
    table.set_yticks(range(3), [f"q({name})" for name in NAMES])
    table.tick_params(length=0, labeltop=True, labelbottom=False)


def order(figure: Figure) -> None:
    """The four steps of the proof, and the mixed derivative computed in both orders."""
    ways = (danskin.d2G_dh_deps(H, F, 0.0), danskin.d2G_deps_dh(H, F, 0.0))
    steps = ((r"$\partial_\epsilon G = E f(z(\epsilon))$", "Danskin, in ε"),
             (r"$\partial_h\, \partial_\epsilon G\,|_{\epsilon=0} = \nabla_{\!h}\, E f(z^{\star})$",
              slide.vector(ways[0])),
             (r"$\partial_h G = E\,\mathrm{onehot}(z(\epsilon))$", "Danskin, in h"),
             (r"$\partial_\epsilon\, \partial_h G\,|_{\epsilon=0} = \lim\,\frac{1}{\epsilon}\,"
              r"E\,[\mathrm{onehot}(z(\epsilon)) - \mathrm{onehot}(z^{\star})]$", slide.vector(ways[1])))
    for place, (text, words) in enumerate(steps):
        height = (0.71, 0.61, 0.46, 0.36)[place]
        slide.formula(figure, 0.05, height, text, 32)
        slide.formula(figure, 0.955, height - 0.1 * (place == 3), words, 24, ha="right",
                      color=plots.FURTHER[place // 2])
    slide.formula(figure, 0.5, 0.13, "G is smooth (Schwarz), so both orders agree: Theorem 1.", 28, ha="center")


def numbers(figure: Figure) -> None:
    """Sampled means with their standard errors, the exact mean at each eps, and the gradient."""
    ax, grid, draws = figure.add_axes(slide.WHOLE), np.geomspace(0.02, 4, 12), 40_000
    fine, truth, rng = np.geomspace(0.006, 5.5, 200), exact.gradient(H, F), np.random.default_rng(7)
    sampled = [direct.gradient(H, F, eps, gumbel.sample((draws, 3), rng)) for eps in grid]
    for z in range(3):
        ax.axhline(truth[z], color=COLOURS[z], linestyle=":", linewidth=3)
        ax.plot(fine, direct.expected_gradient(H, F, fine)[:, z], color=COLOURS[z])
        ax.errorbar(grid, [g[:, z].mean() for g in sampled], [2 * g[:, z].std() / np.sqrt(draws) for g in sampled],
                    fmt="o", color=COLOURS[z], markersize=10, elinewidth=3)
        ax.text(0.0065, truth[z] + 0.02, NAMES[z], color=COLOURS[z], va="bottom", fontsize=24)
    for look, words in ((":", "gradient of E f, exact"), ("-", "mean at this ε, exact")):
        ax.plot([], [], look, color="0.3", label=words)
    ax.errorbar([], [], [], fmt="o", color="0.3", markersize=10, label=f"{draws:,} draws, ± 2 s.e.")
    ax.set(xscale="log", xlim=(0.006, 5.5), ylim=(-0.46, 0.72), xlabel="ε, 1/nat", ylabel="gradient, nats")
    ax.set_xticks([0.02, 0.1, 0.5, 1, 4], ["0.02", "0.1", "0.5", "1", "4"])
    ax.minorticks_off()
    ax.legend(loc="upper right", borderaxespad=0)
