"""walls.gif: boundaries between the winners move over a cloud of draws as eps falls.

As eps falls, the winner changes in fewer draws, and each change has a larger weight.  So the estimate has less bias and
more noise.  At the smallest eps further draws are added, until the estimate is close to the exact value.
"""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from moving import gif
from refimpl import direct, exact, gumbel, plots
from refimpl.plots import walls

SEED = 1
VALUE = 0                                               # component of the gradient that is shown, that of the shirt
EPS = np.round(np.geomspace(1.0, 0.05, 24), 3)          # 1/nat, rounded as they are printed
DRAWS = (2_000, 4_000, 7_000, 12_000, 20_000)           # more draws only at the last eps: the GIF stays small
FRAMES = [*((float(eps), DRAWS[0]) for eps in EPS), *((float(EPS[-1]), count) for count in DRAWS[1:])]


class Walls:
    """The animation, with one frame per entry of FRAMES.  The cloud is on the left, the estimates on the right."""

    fps = 6
    still = 10
    order = [*[0] * 6, *range(len(EPS)), *np.repeat(range(len(EPS) - 1, len(FRAMES)), 4), *[len(FRAMES) - 1] * 14]

    def __init__(self) -> None:
        self.noise = gumbel.sample((DRAWS[-1], 3), np.random.default_rng(SEED))
        self.figure = Figure(figsize=gif.SIZE, dpi=gif.DPI)
        left, right = (self.figure.add_axes(place) for place in ((0.075, 0.13, 0.40, 0.625), (0.60, 0.13, 0.375, 0.53)))
        for ax in (left, right):
            ax.tick_params(labelsize=13)
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        self.cloud = walls.draw_cloud(left, walls.H, walls.F, EPS[0], self.noise, legend=False, size=1.15)
        self.figure.legend(handles=self.cloud.key, loc="center left", bbox_to_anchor=(0.01, 0.805), ncols=3,
                           frameon=False, fontsize=13, borderaxespad=0, handlelength=1.8, columnspacing=1.5)
        left.set_xlabel(left.get_xlabel(), fontsize=13)
        left.set_ylabel(left.get_ylabel(), fontsize=13, labelpad=0)
        left.set(xticks=(-4, -2, 0, 2, 4), yticks=(-4, -2, 0, 2, 4))
        self.limit = exact.gradient(walls.H, walls.F)[VALUE]
        self.mean = [direct.expected_gradient(walls.H, walls.F, eps)[VALUE] for eps, _ in FRAMES]
        self.sums = [self._sum(eps, count) for eps, count in FRAMES]
        self.estimates = [total / (eps * count) for total, (eps, count) in zip(self.sums, FRAMES)]
        colour = walls.COLOURS[VALUE]
        right.axhline(self.limit, color="0.55", linestyle=":", linewidth=2.5, label="limit ε → 0: ∂E f / ∂h")
        self.curve = right.semilogx([], [], "-", color=plots.TRUTH, linewidth=2.5, label="expected estimate, exact")[0]
        self.points = right.semilogx([], [], "o", color=colour, markersize=5, label="estimate from the draws")[0]
        self.now = right.semilogx([], [], "o", color=colour, markersize=12)[0]
        right.set(xlim=(0.04, 1.25), ylim=(0.0, 0.4))
        right.set_xticks([0.05, 0.1, 0.2, 0.5, 1.0], ["0.05", "0.1", "0.2", "0.5", "1"])
        right.set_xticks([], minor=True)
        right.set_xlabel("ε, 1/nat", fontsize=13)
        right.set_title(f"gradient with respect to h({walls.NAMES[VALUE]}), nats", fontsize=13, loc="left")
        right.legend(frameon=False, fontsize=13, loc="lower right", borderaxespad=0)
        self.words = [self.figure.text(0.02, height, "", fontsize=15, va="center") for height in (0.945, 0.875)]
        self.words[1].set(color=colour, fontweight="bold")
        self.exact = right.text(0.03, 0.97, "", fontsize=13, va="top", transform=right.transAxes)
        self.show(0)

    def _sum(self, eps: float, count: int) -> int:
        """Return how many of the first `count` draws gain VALUE as their winner, minus how many lose it."""
        z_star, z_eps = direct.argmax_pair(walls.H, walls.F, eps, self.noise[:count])
        return int((z_eps == VALUE).sum() - (z_star == VALUE).sum())

    def show(self, frame: int) -> None:
        eps, count = FRAMES[frame]
        self.cloud.update(walls.H, walls.F, eps, self.noise[:count])
        shown = [eps for eps, _ in FRAMES[:frame + 1]]
        self.curve.set_data(shown, self.mean[:frame + 1])
        self.points.set_data(shown, self.estimates[:frame + 1])
        self.now.set_data([eps], [self.estimates[frame]])
        self.words[0].set_text(f"ε = {eps:.3g}: the winner changes in {self.cloud.moved} of {count:,} draws, "
                               f"with weight 1/ε = {1 / eps:.1f}")
        self.words[1].set_text(f"{walls.NAMES[VALUE]}: {self.sums[frame]:+d} draws;   {self.sums[frame]:+d} / "
                               f"({eps:.3g} × {count:,}) = {self.estimates[frame]:.3f}")
        self.exact.set_text(f"exact: {self.mean[frame]:.3f} at this ε,\n{self.limit:.3f} in the limit")
