"""walls.gif: the walls move over the cloud as eps falls; fewer draws change their winner, and each weighs more."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from refimpl import direct, exact, gumbel, plots
from moving import gif
from refimpl.plots import walls

DRAWS, SEED = 2_000, 0
VALUE = 0                                               # the component that is followed: the shirt's
EPS = np.round(np.geomspace(1.0, 0.02, 31), 3)          # 1/nat; what is printed is what is used


class Walls:
    """The frames, one for each of EPS.  Left the cloud; right one component of the gradient, as it builds up."""

    fps = 6
    still = 11
    order = [*[0] * 6, *range(len(EPS)), *[len(EPS) - 1] * 15]

    def __init__(self) -> None:
        self.noise = gumbel.sample((DRAWS, 3), np.random.default_rng(SEED))
        self.figure = Figure(figsize=gif.SIZE, dpi=gif.DPI)
        left, right = (self.figure.add_axes(place) for place in ((0.075, 0.13, 0.40, 0.67), (0.60, 0.13, 0.375, 0.54)))
        for ax in (left, right):
            ax.tick_params(labelsize=13)
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        self.cloud = walls.draw_cloud(left, walls.H, walls.F, EPS[0], self.noise, legend=False, size=1.15)
        left.set_xlabel(left.get_xlabel(), fontsize=14)
        left.set_ylabel(left.get_ylabel(), fontsize=14, labelpad=0)
        left.set(xticks=(-4, -2, 0, 2, 4), yticks=(-4, -2, 0, 2, 4))
        self.limit = exact.gradient(walls.H, walls.F)[VALUE]
        self.mean = direct.expected_gradient(walls.H, walls.F, EPS)[:, VALUE]
        self.estimates = np.array([self._sum(eps) / (eps * DRAWS) for eps in EPS])
        colour = walls.COLOURS[VALUE]
        right.axhline(self.limit, color="0.55", linestyle=":", linewidth=2.5, label="ε → 0: ∂E f / ∂h, exact")
        self.curve = right.semilogx([], [], "-", color=plots.TRUTH, linewidth=2.5, label="mean at this ε, exact")[0]
        self.points = right.semilogx([], [], "o", color=colour, markersize=5, label="from these draws")[0]
        self.now = right.semilogx([], [], "o", color=colour, markersize=12)[0]
        right.set(xlim=(0.016, 1.25), ylim=(0.0, 0.45))
        right.set_xticks([0.02, 0.1, 0.5], ["0.02", "0.1", "0.5"])
        right.set_xticks([], minor=True)
        right.set_xlabel("ε, 1/nat", fontsize=14)
        right.set_title(f"gradient in h({walls.NAMES[VALUE]}), nats", fontsize=14, loc="left")
        right.legend(frameon=False, fontsize=13, loc="lower right", borderaxespad=0)
        self.words = [self.figure.text(0.02, height, "", fontsize=15, va="center") for height in (0.945, 0.865)]
        self.words[1].set(color=colour, fontweight="bold")
        self.exact = self.figure.text(0.53, 0.785, "", fontsize=13, va="center")
        self.show(0)

    def _sum(self, eps: float) -> int:
        """Over all draws: how many come to the value, less how many leave it."""
        z_star, z_eps = direct.argmax_pair(walls.H, walls.F, eps, self.noise)
        return int((z_eps == VALUE).sum() - (z_star == VALUE).sum())

    def show(self, frame: int) -> None:
        eps = EPS[frame]
        self.cloud.update(walls.H, walls.F, eps, self.noise)
        self.curve.set_data(EPS[:frame + 1], self.mean[:frame + 1])
        self.points.set_data(EPS[:frame + 1], self.estimates[:frame + 1])
        self.now.set_data([eps], [self.estimates[frame]])
        self.words[0].set_text(f"ε = {eps:.3g}: {self.cloud.moved} of {DRAWS:,} draws change their winner, "
                               f"each weighs 1/ε = {1 / eps:.1f}")
        self.words[1].set_text(f"{walls.NAMES[VALUE]}: {self._sum(eps):+d} draws;   {self._sum(eps):+d} / "
                               f"({eps:.3g} × {DRAWS:,}) = {self.estimates[frame]:.3f}")
        self.exact.set_text(f"exact: {self.mean[frame]:.3f} at this ε, {self.limit:.3f} in the limit")
