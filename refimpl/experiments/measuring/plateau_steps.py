"""Measure the first steps of the runs of `experiment plateau`, while the bound is on its plateau.

    python -m refimpl measure plateau-steps

Every few steps, these values are computed on the first 1,000 test images.  All except length_made are exact:

    elbo            the bound, nats per image
    entropy         mean over the images of the entropy of q(z given x), nats; it is log 10 = 2.3 if q is uniform
    winner          the largest of the shares s_z, where s_z is the share of images whose likeliest value under q is z
    values_used     exp of the entropy of the mean of q: 1 if one value is used, 10 if ten values are used equally
    ahead           share of the images for which max f - f(likeliest value) is more than 1/eps = 10 nats
    length_exact    mean over the images of |grad_h E_q f|, nats
    length_made     mean length of the run's own estimates of this gradient, nats; their noise makes them longer
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import log_softmax

from refimpl import data, plots
from refimpl.experiments import options, pictures
from refimpl.experiments.pictures import Panel
from refimpl.experiments.records import Record, write
from refimpl.experiments.training import panels, runs_by_slide
from refimpl.experiments.training.cells import Cell
from refimpl.runs import streams
from refimpl.runs.vae import VAERun
from refimpl.system.commit import commit, threads
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

IMAGES = 1_000
AHEAD = 10.0                                            # nats
CLOSE, EVERY, LATER = 200, 5, 50                        # measure every 5 steps up to 200, then every 50
PANELS = (("values_used", "values of z in use"), ("length_exact", "length of the exact gradient, nats"))
Point = dict[str, float]
Look = Callable[[VAERun, np.ndarray, int], Point]


def look(run: VAERun, x: np.ndarray, step: int) -> Point:
    """Measure the run without using the random generator of the run."""
    h, f = run.model.score_all(x)
    log_q = log_softmax(h[:, 0], axis=-1)
    q = np.exp(log_q)
    mean = q.mean(axis=0)
    f_of_q = (q * f).sum(axis=1, keepdims=True)
    made, _ = run.estimator.estimate(h.astype(run.model.dtype), run.model.objective(x),
                                     streams.measuring(run.settings.seed, step), **run.keywords(step),
                                     **run.estimator.keywords(run.model.family))
    entropy = -(q * log_q).sum(axis=1)
    return {"step": step, "elbo": float((f_of_q[:, 0] + entropy).mean() - np.log(q.shape[1])),
            "entropy": float(entropy.mean()),
            "winner": float(np.bincount(q.argmax(axis=1), minlength=q.shape[1]).max() / len(x)),
            "values_used": float(np.exp(-(mean * np.log(mean)).sum())),
            "ahead": float((f.max(axis=1) - f[np.arange(len(x)), q.argmax(axis=1)] > AHEAD).mean()),
            "length_exact": float(np.linalg.norm(q * (f - f_of_q), axis=1).mean()),
            "length_made": float(np.linalg.norm(made[:, 0], axis=-1).mean())}


def follow(run: VAERun, images: data.Dataset, steps: int, look: Look = look) -> list[Point]:
    """Train a run, and measure it at the start, every few steps, and at the end."""
    x = images.test.images(slice(0, IMAGES), run.model.dtype)
    points = [look(run, x, 0)]
    every_step = itertools.chain.from_iterable(run.epoch(epoch, images.train) for epoch in itertools.count(1))
    for done, _ in enumerate(itertools.islice(every_step, steps), start=1):
        if done % (EVERY if done <= CLOSE else LATER) == 0 or done == steps:
            points.append(look(run, x, done))
    return points


def measure(name: str, make: Callable[[str, int], list[Cell]], labels: Sequence[str], datasets: Sequence[str],
            seeds: int, steps: int, look: Look, draw: Callable[[Sequence[Record]], Figure], out: Path | str,
            report: Callable[[str, str, Point], None]) -> list[Record]:
    """Train and measure the runs with these labels, and write their rows and NAME.png into `out`.

    The results of the last step are reported as means over the seeds.  Raises InputError if a number is out of range.
    """
    options.check(name, seeds=seeds, steps=steps)
    folder, records = output_folder(out), []
    for dataset in datasets:
        images = data.load(dataset)
        for label in labels:
            cells = [cell for seed in range(seeds) for cell in make(dataset, seed) if cell.label == label]
            progress = Progress(f"{dataset}, {label}", seeds)
            for cell in cells:
                points = follow(VAERun.start(cell.settings), images, steps, look)
                records.append(Record(name, label, cell.settings.as_dict() | {"steps": steps}, (commit(),), points,
                                      (threads(),)))
                write(folder / "rows", records[-1])
                progress.advance()
            progress.clear()
            last = [record.rows[-1] for record in records[-seeds:]]
            report(dataset, label, {column: float(np.mean([row[column] for row in last])) for column in last[0]})
    with plots.may_fail(folder / f"{name}.png"):
        plots.save(draw(records), folder / f"{name}.png")
    return records


def run(out: Path | str, seeds: int = 5, steps: int = 1_000, datasets: Sequence[str] = ("mnist", "fashion-mnist"),
        report: Callable[[str, str, Point], None] = lambda dataset, label, row: None) -> list[Record]:
    labels = [cell.label for cell in runs_by_slide.plateau(datasets[0], 0)]
    return measure("plateau-steps", runs_by_slide.plateau, labels, datasets, seeds, steps, look, draw, out, report)


def draw(records: Sequence[Record], title: str = "The first steps, seen from inside") -> Figure:
    """Plot the number of values in use and the length of the exact gradient, for runs with the default learn_from."""
    dataset = panels.datasets(records)[0]
    ours = [replace(record, label=name) for name in panels.GRADIENTS for record in records
            if (record.dataset, record.settings["estimator"]) == (dataset, name)
            and record.settings["learn_from"] is None]
    drawn = [Panel(f"{dataset}: {words}", ours, name, "step", "training step", symlog=EVERY, sign=1.0,
                   log_y=name == "length_exact") for name, words in PANELS]
    return pictures.draw(drawn, "", f"{title}. The decoder of exact and tilted learns from q, that of noisy-exact and "
                         "direct from z*")
