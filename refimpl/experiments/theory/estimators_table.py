"""Measure the bias, the variance and the cost of every estimator on a nonlinear toy problem.

    python -m refimpl measure estimators --n 4 --k 2        or --n 1 --k 8

The toy (models/toy.py) has n variables of k values and a nonlinear score f that couples all variables.  The gradient
grad_h E_q f is computed exactly, by enumeration.  If an estimator is declared unbiased, the mean of its estimates must
agree with this gradient in every coordinate.  If one coordinate is tested, a difference of four standard errors is
allowed.  If more coordinates are tested, larger differences are allowed.  So the probability of a false alarm stays the
same.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax

from refimpl import estimators, joint, plots
from refimpl.estimators import Estimator
from refimpl.experiments import options
from refimpl.experiments.records import Record, write_measurements
from refimpl.experiments.theory.evidence import EVENTS, RELATIVE, allowed
from refimpl.latent.independent import Independent
from refimpl.models.toy import Toy
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

STANDARD_ERRORS = 4.0
CHUNK = 20_000
WARM_UP, WARM_UP_BATCH = 1_500, 100


class Row(NamedTuple):
    name: str
    bias: float
    """Length of (mean - truth), in nats."""
    z: float
    """The largest deviation of a coordinate, in standard errors; 0 if no coordinate can be tested."""
    variance: float
    """The variance of one sample per image, summed over the coordinates, in nats squared; 0 if all draws are equal up
    to rounding."""
    evaluations: int
    """Decoder evaluations per sample."""
    claims: bool
    found: bool
    """Whether the estimator is declared unbiased (`claims`), and whether no bias was found (`found`)."""

    @property
    def silent(self) -> bool:
        return self.variance == 0

    @property
    def tested(self) -> bool:
        return self.silent or self.z > 0

    @property
    def at_equal_cost(self) -> float:
        return self.variance * self.evaluations


def measure(estimator: Estimator, h: np.ndarray, toy: Toy, truth: np.ndarray, samples: int, rng: np.random.Generator,
            after_chunk: Callable[[int], None] = lambda rows: None) -> Row:
    """Measure an estimator's bias and variance for one image.  h and truth have shape (n, k).

    `samples` is the number of estimates.  Before the measurement, an estimator with a memory learns from WARM_UP small
    batches.  Each chunk of the measurement starts from a copy of the memory that was learnt.

    A coordinate (i, c) is tested only if the mean of its estimates is approximately normal.  So two numbers must be at
    least EVENTS (evidence.py).  The first is the expected number of draws with z_i = c.  The second is the number of
    samples divided by the kurtosis of the estimates at this coordinate.
    """
    n, k = h.shape
    keywords = dict(estimator.defaults)
    learnt = estimator.memory(n, k) if estimator.memory else {}
    if learnt:
        batch, few = np.broadcast_to(h, (WARM_UP_BATCH, n, k)), toy.repeated(0, WARM_UP_BATCH)
        for _ in range(WARM_UP):
            estimator.estimate(batch, few, rng, **keywords, memory=learnt)
    powers, done = np.zeros((4, n, k)), 0                       # sums of (draw - first draw)^1 ... ^4
    while done < samples:
        rows = min(CHUNK, samples - done)
        objective = toy.repeated(0, rows)
        if learnt:
            keywords["memory"] = {name: array.copy() for name, array in learnt.items()}
        grad_h, _ = estimator.estimate(np.broadcast_to(h, (rows, n, k)), objective, rng, **keywords)
        if not done:
            first = grad_h[0].copy()
        deviation = grad_h - first                              # exactly 0 where all draws are equal
        powers += [(deviation**power).sum(axis=0) for power in (1, 2, 3, 4)]
        done += rows
        after_chunk(rows)
    shift, second, third, fourth = powers / done
    off, variance = first - truth + shift, np.maximum(second - shift**2, 0)
    rounding = RELATIVE * np.abs(truth).max()
    if (variance <= rounding**2).all():                         # no noise: mean and truth must agree to ten digits
        z, variance, limit = float(np.abs(off).max() / rounding), np.zeros(h.shape), STANDARD_ERRORS
    else:
        central = fourth - 4 * shift * third + 6 * shift**2 * second - 3 * shift**4
        kurtosis = central / np.maximum(variance, rounding**2) ** 2
        often = (variance > rounding**2) & (done >= EVENTS * kurtosis) & (done * softmax(h, axis=-1) >= EVENTS)
        z = float((np.abs(off) / np.sqrt(np.maximum(variance, rounding**2) / done))[often].max(initial=0))
        limit = allowed(max(int(often.sum()), 1), STANDARD_ERRORS)
    return Row(estimator.name, float(np.linalg.norm(off)), z, float(variance.sum()), objective.evaluations,
               estimator.unbiased, z < limit)


def run(n: int = 4, k: int = 2, samples: int = 400_000, seed: int = 0, out: Path | str | None = None,
        report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Measure all estimators that work for n variables of k values.

    Raises InputError if a number is out of range, or if k^n is too large to enumerate.
    """
    options.check("estimators", n=n, k=k, samples=samples, seed=seed)
    joint.require(n, k, joint.TRAINABLE, "the truth", "use a smaller --n or --k")
    folder = output_folder(out) if out is not None else None
    rng = np.random.default_rng(seed)
    h, toy = rng.normal(size=(n, k)), Toy(1, n, k, rng)
    truth = joint.gradient(h, toy.joint_table().f[0])
    rows = []
    for entry in estimators.REGISTRY.values():
        if not entry.serves(Independent(n, k)):
            continue
        progress = Progress(entry.name, samples)
        rows.append(measure(entry, h, toy, truth, samples, np.random.default_rng([seed, 1]), progress.advance))
        progress.clear()
        report(rows[-1])
    if folder is not None:
        write_measurements(folder, "estimators", f"n = {n}, k = {k}", dict(n=n, k=k, samples=samples, seed=seed), rows)
        title = f"n = {n}, k = {k}: {samples:,} draws, seed {seed}; |truth| = {np.linalg.norm(truth):.2g} nats"
        with plots.may_fail(folder / "estimators.png"):
            plots.save(_figure(rows, title, samples), folder / "estimators.png")
    return rows


def draw(record: Record) -> Figure:
    s = record.settings
    return _figure([Row(**row) for row in record.rows],
                   f"n = {s['n']}, k = {s['k']}: {s['samples']:,} draws, seed {s['seed']}", s["samples"])


def _figure(rows: list[Row], title: str, samples: int) -> Figure:
    rows = sorted(rows, key=lambda row: (not row.found, row.at_equal_cost))
    figure, (bias, variance) = plots.new_figure(2, width=6.0, height=0.36 * len(rows) + 1.6)
    place = np.arange(len(rows))[::-1]
    silent = 1e-9 * max(row.variance for row in rows)           # a smaller variance is only rounding
    noise = []
    for y, row in zip(place, rows):
        colour = plots.colour(row.name)
        bias.plot([max(row.bias, 1e-16)], [y], "o" if row.found else "D", color=colour, markersize=8)
        if row.variance > silent:
            noise.append(np.sqrt(row.variance / samples))
            bias.plot(noise[-1:], [y], "|", color=plots.TRUTH, markersize=14)
            variance.plot([row.at_equal_cost], [y], "o", color=colour, markersize=8)
    bias.set(xscale="log", xlabel="distance of mean and truth, nats; bar: its standard error", title="bias",
             yticks=place, yticklabels=[row.name for row in rows], xlim=(min(noise, default=1e-4) / 4, None))
    variance.set(xscale="log", xlabel="total variance x decoder evaluations, nats²", title="noise at equal cost",
                 yticks=place, yticklabels=[], ylim=bias.get_ylim())
    plots.entitle(figure, "Above: no bias found (circles).  Below: biased by more than 4 standard errors (diamonds).  "
                  "In each part, the least noisy is first", f"{title}; left is better; no mark: 0")
    return figure


def verdict(row: Row) -> str:
    if not row.tested:
        return "cannot be tested: too few draws"
    if row.claims:
        return "unbiased" if row.found else "BIASED, but declared not to be"
    return "no bias seen" if row.found else "biased, as declared"
