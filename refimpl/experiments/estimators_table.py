"""Every estimator against the truth by enumeration, on a nonlinear toy: bias, variance, cost.

    python -m refimpl measure estimators --n 4 --k 2        or --n 1 --k 8

The toy (models/toy.py) has n variables of k values and a score f that is nonlinear in each and joint in all.
Enumeration gives grad_h E_q f exactly.  An estimator that claims to be unbiased must have every coordinate's mean
within four standard errors.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refimpl import estimators, joint, plots
from refimpl.experiments import options
from refimpl.estimators import Estimator
from refimpl.experiments.rows import Record, measured
from refimpl.latent.independent import Independent
from refimpl.models.toy import Toy
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

STANDARD_ERRORS = 4.0
CHUNK = 20_000
WARM_UP, WARM_UP_BATCH = 1_500, 100


class Row(NamedTuple):
    """What was found of one estimator."""

    name: str
    bias: float
    """Length of (mean - truth), nats."""
    z: float
    """The coordinate that is furthest off, in standard errors."""
    variance: float
    """Total over the coordinates, one sample an image, nats squared."""
    evaluations: int
    """Decoder evaluations a sample."""
    claims: bool
    found: bool
    """Unbiased, as claimed; and as found: no coordinate off by STANDARD_ERRORS."""

    @property
    def at_equal_cost(self) -> float:
        """Variance times evaluations: that of the mean of as many samples as one evaluation buys."""
        return self.variance * self.evaluations


def measure(estimator: Estimator, h: np.ndarray, toy: Toy, truth: np.ndarray, samples: int, rng: np.random.Generator,
            after_chunk: Callable[[int], None] = lambda rows: None) -> Row:
    """Mean and variance over `samples` draws for one image; h (n, k), truth (n, k).

    An estimator that learns (a baseline, a scale, a control variate) first sees WARM_UP small batches of other draws,
    and is then measured as it is: each chunk starts from a copy of what it has learnt.
    """
    n, k = h.shape
    keywords = dict(estimator.defaults)
    learnt = estimator.memory(n, k) if estimator.memory else {}
    if learnt:
        batch, few = np.broadcast_to(h, (WARM_UP_BATCH, n, k)), toy.repeated(0, WARM_UP_BATCH)
        for _ in range(WARM_UP):
            estimator.estimate(batch, few, rng, **keywords, memory=learnt)
    total, squares, done = np.zeros(h.shape), np.zeros(h.shape), 0
    while done < samples:
        rows = min(CHUNK, samples - done)
        objective = toy.repeated(0, rows)
        if learnt:
            keywords["memory"] = {name: array.copy() for name, array in learnt.items()}
        grad_h, _ = estimator.estimate(np.broadcast_to(h, (rows, n, k)), objective, rng, **keywords)
        deviation = grad_h - truth                              # small numbers: their squares lose nothing
        total, squares, done = total + deviation.sum(axis=0), squares + (deviation**2).sum(axis=0), done + rows
        after_chunk(rows)
    off = total / done
    variance = squares / done - off**2
    # Rounding is no bias: without noise (enumeration) what counts is whether the numbers agree to ten digits.
    error = np.maximum(np.sqrt(np.maximum(variance, 0) / done), 1e-10 * np.abs(truth).max())
    z = float((np.abs(off) / error).max())
    return Row(estimator.name, float(np.linalg.norm(off)), z, float(np.maximum(variance, 0).sum()),
               objective.evaluations, estimator.unbiased, z < STANDARD_ERRORS)


def run(n: int = 4, k: int = 2, samples: int = 400_000, seed: int = 0, out: Path | str | None = None,
        report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Measure all estimators that serve n variables of k values; writes estimators.png into `out`.

    Raises InputError if a number is out of range or k^n too large to enumerate.
    """
    options.check("estimators", n=n, k=k, samples=samples, seed=seed)
    joint.require(n, k, joint.TRAINABLE, "the truth", "use a smaller --n or --k")
    folder = output_folder(out) if out is not None else None
    rng = np.random.default_rng(seed)
    h, toy = rng.normal(size=(n, k)), Toy(1, n, k, rng)
    truth = joint.gradient(h, toy.joint_table().f[0])
    served = [entry for entry in estimators.REGISTRY.values() if entry.serves(Independent(n, k))]
    rows = []
    for entry in served:
        progress = Progress(entry.name, samples)
        rows.append(measure(entry, h, toy, truth, samples, np.random.default_rng([seed, 1]), progress.advance))
        progress.clear()
        report(rows[-1])
    if folder is not None:
        measured(folder, "estimators", f"n = {n}, k = {k}", dict(n=n, k=k, samples=samples, seed=seed), rows)
        title = f"n = {n}, k = {k}: {samples:,} draws, seed {seed}; |truth| = {np.linalg.norm(truth):.2g} nats"
        plots.save(_figure(rows, title, samples), folder / "estimators.png")
    return rows


def draw(record: Record) -> Figure:
    """From the rows that were kept."""
    s = record.settings
    return _figure([Row(**row) for row in record.rows],
                   f"n = {s['n']}, k = {s['k']}: {s['samples']:,} draws, seed {s['seed']}", s["samples"])


def _figure(rows: list[Row], title: str, samples: int) -> Figure:
    """Distance of the mean from the truth beside its own noise, and variance at equal cost: dots, as the axes are
    logarithmic and a bar would have no beginning."""
    figure, (bias, variance) = plots.new_figure(2, width=5.6, height=0.36 * len(rows) + 1.4)
    place = np.arange(len(rows))[::-1]
    colours = [plots.colour(row.name) for row in rows]
    silent = 1e-9 * max(row.variance for row in rows)           # rounding is no noise
    for y, row, colour in zip(place, rows, colours):
        bias.plot([max(row.bias, 1e-16)], [y], "o" if row.found else "D", color=colour, markersize=8)
        if row.variance > silent:
            bias.plot([np.sqrt(row.variance / samples)], [y], "|", color=plots.TRUTH, markersize=14)
            variance.plot([row.at_equal_cost], [y], "o", color=colour, markersize=8)
    bias.set(xscale="log", xlabel="|mean - truth|, nats; black bar: its standard error",
             title="bias (diamond: more than 4 standard errors)", yticks=place,
             yticklabels=[row.name for row in rows], xlim=(1e-5, None))
    variance.set(xscale="log", xlabel="total variance x decoder evaluations, nats²", title="noise at equal cost",
                 yticks=place, yticklabels=[], ylim=bias.get_ylim())
    figure.suptitle(f"{title}\nleft is better; no mark: 0, which has no place on this axis", fontsize=11)
    return figure


def verdict(row: Row) -> str:
    """What is declared and what was found, in words."""
    if row.claims:
        return "unbiased" if row.found else "BIASED, but declared not to be"
    return "no bias seen" if row.found else "biased, as declared"
