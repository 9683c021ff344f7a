"""Draw the figures of chapters 5 to 10 and of appendix E, one figure per function, from the results of the chapter."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from refimpl import plots


def losses(curves: Mapping[str, np.ndarray], best: float, half: int = 10) -> None:
    """Draw the loss against steps, averaged over up to `half` neighbours on either side (chapter 5)."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.axhline(best, color=plots.TRUTH, linewidth=2.5, label="best possible")
    for (words, values), shade in zip(curves.items(), plots.FURTHER[1:]):
        reach = [min(half, place) for place in range(len(values))]
        mean = [values[place - r:place + r + 1].mean() for place, r in enumerate(reach)]
        ax.plot(np.arange(1, len(values) + 1), mean, color=shade, linewidth=1.8, label=words)
    ax.set(xlabel="steps, 100 images each", ylabel="loss, nats per image", yscale="log", ylim=(160, 600))
    ax.set_yticks([170, 200, 300, 400, 500], ["170", "200", "300", "400", "500"])
    ax.minorticks_off()
    ax.legend(fontsize=10)


def digits(*rows: np.ndarray) -> None:
    """Draw rows of ten pictures, (10, 784), with pixels between 0 and 1 (chapter 5)."""
    _, axes = plt.subplots(len(rows), 10, figsize=(9, 1.05 * len(rows)), squeeze=False)
    for line, pictures in zip(axes, rows):
        for ax, picture in zip(line, pictures):
            ax.imshow(picture.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()


def by_epochs(curves: Mapping[str, Sequence[float]], xlabel: str, heights: Mapping[float, str] = {}) -> None:
    """Draw the test -ELBO of each run, and labelled dotted lines at these heights (chapter 6)."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    longest = max(map(len, curves.values()))
    for nats, words in heights.items():
        ax.axhline(nats, color="0.45", linestyle=":", linewidth=1.3)
        ax.annotate(words, (1.01, nats), xycoords=("axes fraction", "data"), va="center", fontsize=10, color="0.3")
    for words, values in curves.items():
        ax.plot(range(1, len(values) + 1), values, marker="o", linewidth=1.8, label=words, **plots.line_style(words))
    ax.set(xlabel=xlabel, ylabel="test -ELBO, exact, nats", xticks=range(1, longest + 1))
    ax.legend(fontsize=10, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def push(lead: np.ndarray, pushes: Mapping[float, np.ndarray]) -> None:
    """Draw the push, which replaces the lead, for each eps, and mark the two parts of the bias (chapter 6)."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    ax.axvspan(lead[0], 0, color="0.95", zorder=0)
    ax.plot(lead, lead, color=plots.TRUTH, linewidth=2, label="exact: the lead itself")
    for (eps, values), shade, dash in zip(pushes.items(), plots.FURTHER[:2], ("-", "--")):
        ax.plot(lead, values, color=shade, linestyle=dash, linewidth=2, label=f"push, eps = {eps:g}")
        ax.text(lead[0] + 1, -1 / eps + 1.5, f"cap at {-1 / eps:g}", color=shade, fontsize=10)
    ax.text(-12, -32, "worse picture:\nthe cap", ha="center", fontsize=10)
    ax.text(26, -22, "better picture:\nthe amplification", ha="center", fontsize=10)
    ax.set(xlabel="lead of a losing value, nats", ylabel="push, nats", xlim=(lead[0], lead[-1]), ylim=(-42, 42))
    ax.legend(fontsize=10, loc="upper left")


def second_arg_max(eps: np.ndarray, panels: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Draw the total variance with and without the second arg max, with one panel per model (chapter 6)."""
    _, axes = plt.subplots(1, len(panels), sharey=True, figsize=(9, 3.4))
    for ax, (title, (with_it, without)) in zip(axes, panels.items()):
        ax.loglog(eps, without, color="0.45", linestyle="--", linewidth=2, label="$z(\\epsilon)$ alone, minus $q$")
        ax.loglog(eps, with_it, color=plots.colour("direct"), linewidth=2, label="difference of two arg maxes")
        ax.set(title=title, xlabel="eps, 1/nat")
    axes[0].set(ylabel="total variance, nats squared")
    axes[1].legend(fontsize=10)


def disarm(logits: Sequence[float]) -> None:
    """Draw the three parts of the unit interval, with the two samples of ARM in each part (chapter 7)."""
    sigmoid = lambda logit: 1 / (1 + np.exp(-logit))
    _, axes = plt.subplots(len(logits), 1, sharex=True, figsize=(7, 2.6))
    for ax, logit in zip(axes, logits):
        edges = 0, sigmoid(-abs(logit)), sigmoid(abs(logit)), 1
        for left, right, shade in zip(edges, edges[1:], (plots.FURTHER[5], "0.88", plots.FURTHER[4])):
            middle = (left + right) / 2
            first, second = int(middle > sigmoid(-logit)), int(middle < sigmoid(logit))
            ax.barh(0, right - left, left=left, color=shade, edgecolor="white", height=1)
            ax.text(middle, 0.6, f"$b_1$, $b_2$ = {first}, {second}", ha="center", fontsize=11)
            ax.plot(middle, 0.1, "o", color=plots.TRUTH)
            ax.text(middle, -0.38, f"{middle - 0.5:+.2f}", ha="center", fontsize=11)
        ax.set(yticks=[], ylim=(-0.5, 1.05), xlim=(0, 1))
        ax.set_ylabel(f"logit {logit:g}", rotation=0, ha="right")
        ax.grid(False)
    axes[-1].set(xlabel="U; dot: the mean of U in each part; number: this mean minus 1/2")


def estimators(colours: Mapping[str, str], bias: Mapping[str, float], noise: Mapping[str, float],
               at_equal_cost: Mapping[str, float]) -> None:
    """Draw the error of the mean, and variance times cost, for each estimator (chapter 7)."""
    _, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9, 4.4))
    for name, estimator in colours.items():
        shade = plots.colour(estimator)
        left.plot(noise[name], name, "|", color=plots.TRUTH, markersize=22, markeredgewidth=2.5)
        left.plot(bias[name], name, "o", color=shade, markersize=11)
        right.plot(at_equal_cost[name], name, "o", color=shade, markersize=11)
        right.text(at_equal_cost[name] * 1.25, name, f"{at_equal_cost[name]:.0f}", va="center", fontsize=15)
    left.set(xscale="log")
    left.set_title("distance (dot), standard error (|), nats", fontsize=14)
    right.set(xscale="log", xlim=(2, 2.5 * max(at_equal_cost.values())))
    right.set_title("variance × evaluations, nats²", fontsize=14)
    left.tick_params(axis="y", labelsize=15)
    left.invert_yaxis()


def binary_runs(runs: Mapping[str, Sequence[Mapping]]) -> None:
    """Draw the bound against epochs and against evaluations of f (chapter 7)."""
    _, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9, 4.6), gridspec_kw={"width_ratios": (2, 3)})
    marks = dict(zip(runs, "osD^vPX*"))
    for name, rows in runs.items():
        bound = [-row["test_elbo"] for row in rows]
        line = dict(color=plots.colour(name), marker=marks[name], linewidth=2.2, markersize=6, label=name)
        left.plot([row["epoch"] for row in rows], bound, **line)
        right.plot([row["evaluations"] / 1e6 for row in rows], bound, **line)
    left.set(xlabel="epoch", ylabel="test -ELBO, exact, nats", ylim=(140, 175), xticks=(1, 4, 8))
    right.set(xlabel="evaluations of f, millions", xscale="log")
    right.legend(fontsize=11, loc="center left", bbox_to_anchor=(1, 0.5))


def cut(edges: Sequence[tuple], side: Mapping) -> None:
    """Draw the graph of four variables and the cut (chapter 8).  A variable on the source's side is 1."""
    place = {0: (0.9, 1.2), 1: (2.0, 2.3), 2: (2.0, 0.6), 3: (3.1, 1.4), "source": (0.0, 2.6), "sink": (4.2, 1.4)}
    _, ax = plt.subplots(figsize=(7, 3.9))
    for one, other, capacity in edges:
        (x0, y0), (x1, y1) = place[one], place[other]
        apart = side[one] != side[other]
        ax.plot([x0, x1], [y0, y1], color=plots.TRUTH if apart else "0.6", linestyle="--" if apart else "-",
                linewidth=1.5 + 3 * capacity, zorder=1)
        along = 0.45 if one == "source" else 0.6                # a place at which the label is not on another edge
        ax.text(x0 + along * (x1 - x0), y0 + along * (y1 - y0), f"{capacity:.2f}", fontsize=12, ha="center",
                bbox=dict(facecolor="white", edgecolor="none", pad=1))
    for node, (x, y) in place.items():
        name = node if isinstance(node, str) else f"$z_{node + 1}$ = {side[node]:d}"
        ax.scatter([x], [y], s=1_900, color=plots.FURTHER[1] if side[node] else "0.85", edgecolor="0.3", zorder=2)
        ax.text(x, y, name, ha="center", va="center", fontsize=11, zorder=3, color="white" if side[node] else "black")
    ax.margins(0.15)
    ax.set_axis_off()


def structured(runs: Mapping[str, Sequence[float]], sizes: Mapping[str, Sequence[int]],
               taken: Mapping[str, Sequence[float]]) -> None:
    """Draw -log p(x) of three encoders against epochs, and the time of a hundred arg maxes per solver (chapter 8)."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    shades = "0.45", plots.FURTHER[4], plots.FURTHER[5]
    for (words, nats), shade, mark in zip(runs.items(), shades, "os^"):
        left.plot(range(1, len(nats) + 1), nats, color=shade, marker=mark, linewidth=2, label=words)
    left.set(xlabel="epoch", ylabel="test -log p(x), exact, nats", xticks=range(1, 9))
    left.legend(fontsize=11)
    for (name, ns), mark in zip(sizes.items(), "os^"):
        right.semilogy(ns, taken[name], color=plots.SOLVERS[name], marker=mark, linewidth=2, label=name)
    right.set(xlabel="n, number of variables", ylabel="ms for 100 images", xticks=(4, 8, 12, 16, 20))
    right.legend(fontsize=11, loc=(0.5, 0.62))


def pulls(shares: np.ndarray, direct_loss: Mapping[float, np.ndarray]) -> None:
    """Draw the mean pull on the label's score against q(y), unscaled and multiplied by eps (chapter 9)."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for ax, scaled in zip(axes, (False, True)):
        words = "cross-entropy" + "; released x eps" * scaled
        ax.plot(shares, 1 - shares, color=plots.TRUTH, linewidth=3, label=words)
        for (eps, values), shade, dash in zip(direct_loss.items(), plots.FURTHER[1:], (":", "--", "-")):
            ax.plot(shares, values * (eps if scaled else 1), color=shade, linestyle=dash, linewidth=2.2,
                    label=f"direct loss, eps = {eps:g}")
        ax.set(xlabel="q(y), probability of the label", title="eps x pull" if scaled else "pull")
        ax.legend(fontsize=10)
    axes[0].set(ylabel="mean pull on the score of the label")


def clouds(x: np.ndarray, pictures: Mapping[str, tuple], known: np.ndarray) -> None:
    """Draw the points in the colours of their predicted classes, the means and the labelled points (chapter 9)."""
    _, axes = plt.subplots(1, len(pictures), sharex=True, sharey=True, figsize=(9, 3.8))
    shades = plots.FURTHER[1:4]
    for ax, (title, (m, predicted, name_of)) in zip(axes, pictures.items()):
        for z in range(3):
            ax.scatter(*x[predicted == z].T, s=7, color=shades[name_of[z]])
        ax.scatter(*m.T, s=170, marker="X", color="black", label="decoder's means")
        if ax is axes[-1]:
            ax.scatter(*known.T, s=120, color=shades, edgecolor="black", linewidth=2, label="labelled points")
            ax.legend(fontsize=10)
        ax.set(title=title, xlabel="x1", ylabel="x2")


def labels(runs: Mapping[int, Sequence[Mapping]]) -> None:
    """Draw accuracy and bound against epochs, for each number of labels (chapter 9)."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    for (count, rows), shade, mark in zip(runs.items(), ("0.45", *plots.FURTHER[1:]), "os^"):
        style = dict(color=shade, marker=mark, linewidth=2)
        left.plot([row["epoch"] for row in rows], [100 * row["accuracy"] for row in rows], label=f"{count} labels",
                  **style)
        right.plot([row["epoch"] for row in rows[1:]], [-row["test_elbo"] for row in rows[1:]], **style)
    left.set(xlabel="epoch (0: after the labelled images, if any)", ylabel="test accuracy, %")
    right.set(xlabel="epoch", ylabel="test -ELBO, nats per image")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(fontsize=11)


def ramps(w: np.ndarray, curves: Sequence[np.ndarray], families: Sequence[Mapping[float, np.ndarray]]) -> None:
    """Draw the staircase and its ramps on the left, and E f and the tilted objectives on the right (chapter 10)."""
    _, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 3.8))
    words = ("$f(z(h))$", "ramp", "without noise"), ("$E\\, f(z^{\\star})$", "$T$", "averaged over Gumbel noise")
    for ax, curve, family, (truth, name, title) in zip(axes, curves, families, words):
        for (eps, values), shade, dash in zip(family.items(), plots.FURTHER[1:], ("-.", "--", ":")):
            ax.plot(w, values, color=shade, linestyle=dash, linewidth=2.4, label=f"{name}, eps = {eps}")
        ax.plot(w, curve, color=plots.TRUTH, linewidth=1.6, label=truth)
        ax.set(xlabel="w", title=title)
        ax.legend(fontsize=11)
    axes[0].set(ylabel="nats")


def bias_and_noise(lines: Mapping[str, Mapping[float, tuple[float, float]]], diamonds: Mapping[str, float],
                   marked: Sequence[float]) -> None:
    """Draw standard deviation against bias, as a line over eps for each method (chapter 10).

    Diamonds mark methods without bias.
    """
    _, ax = plt.subplots(figsize=(8, 5))
    for (name, points), shade, dash in zip(lines.items(), (plots.colour("direct"), plots.colour("imle"),
                                                           plots.FURTHER[2]), ("-", "--", ":")):
        ax.plot(*zip(*(points[eps] for eps in sorted(points))), color=shade, linestyle=dash, linewidth=2.8, label=name)
        ax.plot(*zip(*(points[eps] for eps in marked)), "o", color=shade, markersize=8)
        for eps in marked if dash != ":" else ():
            ahead = dash == "--"
            ax.annotate(f"{eps:g}", points[eps], xytext=(9, 3) if ahead else (-8, -16), fontsize=14, color=shade,
                        textcoords="offset points", ha="left" if ahead else "right")
    for (words, height), shade in zip(diamonds.items(), (plots.colour("perturbed"), plots.TRUTH)):
        ax.plot(0, height, "D", color=shade, clip_on=False, markersize=9, label=words)
    ax.set(yscale="log", xlim=(0, 0.5), ylim=(0.18, 10))
    ax.set_xlabel("bias with respect to the method's target, nats", fontsize=13)
    ax.set_ylabel("standard deviation, nats", fontsize=13)
    ax.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    ax.tick_params(labelsize=13)
    ax.minorticks_off()
    ax.legend(fontsize=12)


def grids(pictures: Mapping[str, np.ndarray]) -> None:
    """Draw the gradient in each of the sixteen cells, with the same colours in all pictures (appendix E)."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(9, 2.8))
    largest = max(np.abs(mean).max() for mean in pictures.values())
    for ax, (title, mean) in zip(axes, pictures.items()):
        shown = ax.imshow(mean.reshape(4, 4), cmap="RdBu_r", vmin=-largest, vmax=largest)
        ax.set_title(title, fontsize=11)
        ax.set_axis_off()
    figure.colorbar(shown, ax=axes, shrink=0.8, label="nats")


def terrains(kind: np.ndarray, shown: Mapping[str, np.ndarray], paint: np.ndarray, cost: np.ndarray) -> None:
    """Draw the terrain with each of these paths (appendix E)."""
    figure, axes = plt.subplots(1, len(shown), figsize=(9, 3.1), layout="constrained")
    for ax, (title, z) in zip(axes, shown.items()):
        ax.imshow(kind, cmap=ListedColormap(paint), vmin=-0.5, vmax=4.5)
        cells = np.argwhere(z)
        ax.plot(*cells[np.argsort(cells.sum(axis=1))].T[::-1], color="black", linewidth=3)
        ax.set_title(title, fontsize=11)
        ax.set_axis_off()
    figure.legend(handles=[Patch(color=shade, label=f"{word}, {each:g}") for word, shade, each in
                           zip(("meadow", "sand", "wood", "rock", "water"), paint, cost)],
                  loc="outside lower center", ncols=5, fontsize=11)


def landscape(methods: Mapping[str, tuple[np.ndarray, np.ndarray]], epochs: Sequence[int], cost: np.ndarray) -> None:
    """Draw the excess cost against epochs, (seeds, times), and the learnt costs, (seeds, 5) (appendix E)."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    right.plot(cost, cost, color=plots.TRUTH, linewidth=1.2, label="true")
    for (method, (curves, learnt)), shade, dash in zip(methods.items(), (plots.FURTHER[1], plots.colour("direct")),
                                                       ("-", "--")):
        once = [method, *["_"] * (len(curves) - 1)]
        left.plot(epochs, 100 * curves.T, color=shade, linestyle=dash, linewidth=1.8, label=once)
        right.plot(cost, learnt.T, color=shade, linestyle=dash, marker="o", label=once)
    left.set(xlabel="epochs of 200 terrains", ylabel="cost above the least, %", yscale="log")
    left.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    right.set(xlabel="true cost of a step", ylabel="learnt cost, rescaled")
    left.legend(fontsize=11)
    right.legend(fontsize=11)
