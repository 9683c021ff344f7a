"""Measure two forces on the less likely values of z in the first steps of `experiment plateau-exits`.

    python -m refimpl measure plateau-forces

The winner w of an image is its likeliest value, and all other values are its losing values.  Two forces act on the
score of a losing value i.  Both forces are divided by the probability q_i of this value, and are given in nats:

    push      g_i / q_i, where g estimates the gradient of E f.  For `exact`, the push is f_i - E f.  For `capped`,
              the push is u_i - E u.  Here u_i = d_i if d_i = f_i - f_w >= 0; otherwise u_i = (exp(eps d_i) - 1) / eps,
              which is never below -1/eps
    pull      log q_w - log q_i, the force of the KL term, up to a term that is the same for all values

The estimators that are compared here have no noise.  Every few steps, some quantities are computed exactly on the
first 1,000 test images:

    elbo          the bound, nats per image
    values_used   exp of the entropy of the mean of q: 1 if all images use one value, 10 if all values are used equally
    lead_f        mean of f_w - f_i, nats: how much better the winner explains its image than the losing values do
    lead_h        mean of log q_w - log q_i, nats
    push          mean of g_i / q_i, nats
    pull          mean of -(KL gradient) / q_i, nats; 0 if the run is trained without the KL gradient
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import log_softmax

from refimpl import exact, plots
from refimpl.experiments import pictures
from refimpl.experiments.measuring.plateau_steps import EVERY, Point, measure
from refimpl.experiments.pictures import by_label, curve
from refimpl.experiments.records import Record
from refimpl.experiments.training import runs_by_slide
from refimpl.runs import streams
from refimpl.runs.vae import VAERun

LABELS = ("exact", "amplified, eps 0.1", "capped, eps 0.1", "tilted, eps 0.1", "capped, eps 0.1, no KL")
TITLES = {"exact": "exact", "capped, eps 0.1": "capped at 1/ε = 10"}
SMALLEST = 1e-290                       # values with a smaller q_i are left out, because g_i / q_i would be 0 / 0


def look(run: VAERun, x: np.ndarray, step: int) -> Point:
    """Measure the run without using the random generator of the run."""
    h, f = run.model.score_all(x)
    log_q = log_softmax(h[:, 0], axis=-1)
    q = np.exp(log_q)
    g, _ = run.estimator.estimate(h, run.model.objective(x), streams.measuring(run.settings.seed, step),
                                  **run.keywords(step), **run.estimator.keywords(run.model.family))
    image, winner = np.arange(len(x)), q.argmax(axis=1)
    loses = q > SMALLEST
    loses[image, winner] = False
    lead = lambda scores: (scores[image, winner][:, None] - scores)[loses].mean()
    mean = q.mean(axis=0)
    pull = -run.model.family.kl(h)[1][:, 0][loses] / q[loses] if run.settings.kl_grad else np.zeros(1)
    return {"step": step, "elbo": float(exact.elbo(h[:, 0], f).mean()),
            "values_used": float(np.exp(-(mean * np.log(np.maximum(mean, SMALLEST))).sum())),
            "lead_f": float(lead(f)), "lead_h": float(lead(log_q)),
            "push": float((g[:, 0][loses] / q[loses]).mean()), "pull": float(pull.mean())}


def run(out: Path | str, seeds: int = 3, steps: int = 1_000, datasets: Sequence[str] = ("mnist",),
        report: Callable[[str, str, Point], None] = lambda dataset, label, row: None) -> list[Record]:
    return measure("plateau-forces", runs_by_slide.plateau_exits, LABELS, datasets, seeds, steps, look, draw, out,
                   report)


def draw(records: Sequence[Record], title: str = "Push and pull on the losing values, and the bound") -> Figure:
    """Plot the push, the pull and the bound for the exact and the capped gradient, on the first data set."""
    groups = by_label([record for record in records if record.dataset == records[0].dataset])
    figure, axes = plots.new_figure(3, width=5.0, height=3.8)
    named: list[list[tuple[str, float, float, str]]] = [[], [], []]
    drawn = [(panel, label, *force) for panel, label in enumerate(TITLES) for force in (
        ("push", -1.0, "push, by E f", "-"), ("pull", 1.0, "pull, by the KL", "--"))]
    drawn += [(2, label, "elbo", -1.0, label.split(",")[0], "-") for label in TITLES]
    for panel, label, column, sign, words, dash in drawn:
        x, middle, low, high = curve(groups.get(label, []), column, "step", sign)
        colour = plots.line_style(label)["color"]
        axes[panel].plot(x, middle, dash, color=colour, linewidth=2, label=words)
        axes[panel].fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        named[panel] += [(words, x[-1], middle[-1], colour)] if len(x) else []
    top = max(ax.get_ylim()[1] for ax in axes[:2])                          # the same scale in both panels
    for ax, words, ends in zip(axes, (*TITLES.values(), "the bound"), named):
        ax.set(title=words, ylabel="nats per unit of probability", ylim=(0, top))
        if ax is axes[2]:
            ax.set(ylabel="test −ELBO, nats per image", ylim=(150, 300))
        ax.set_xscale("symlog", linthresh=EVERY)
        ax.set_xticks([0, 10, 100, 1000], ["0", "10", "100", "1,000"])
        ax.set(xlabel="training step", xlim=(0, max((end[1] for end in ends), default=1000)))
        plots.name_lines(ax, ends)
    plots.entitle(figure, title, f"{records[0].dataset}, with the KL gradient, ε = 0.1; {pictures.BAND}")
    return figure
