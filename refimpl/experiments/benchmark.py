"""How long does a training step take, beside the matrix products that it cannot avoid?

    python -m refimpl benchmark

Seconds depend on the machine and on what else it is doing; the ratio of two times measured in the same minute says more.
Steps and products take turns, round by round, after a warm-up, and the medians over the rounds are shown.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import data
from refimpl.checks import InputError
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.layers import Linear, Sequential
from refimpl.run import Run
from refimpl.semi_supervised.run import SemiSupervisedRun
from refimpl.semi_supervised.settings import ESTIMATORS, SemiSupervisedSettings
from refimpl.settings import Settings
from refimpl.system.progress import Progress
from refimpl.training import train_epoch

HIDDEN = 300
SINGLE = ("exact", "direct", "gumbel-softmax", "straight-through-gumbel-softmax")
CASES = tuple([dict(estimator=name, k=k) for k in (10, 50) for name in SINGLE]                      # slides 23 and 24
              + [dict(estimator=name, n=15, k=2) for name in                                        # slide 31
                 ("direct", "local-expectation", "reinforce-loo", "arm", "disarm", "rebar", "relax", "gumbel-softmax")]
              + [dict(structure="pairwise", solver=solver, n=15, k=2) for solver in                 # slide 32
                 ("persistency", "maxflow", "enumeration", "coordinate")])
MIXTURE = tuple(dict(estimator=name, labels=100) for name in ESTIMATORS)                            # slide 33

# What an estimator asks of the decoder, an image a row: scores, scores with gradients, and whether the neighbours of z.  The
# decoder then learns from the last of those passes.
ASKED = {"direct": (1, 0, True), "local-expectation": (1, 0, True), "reinforce-loo": (2, 0, False), "arm": (2, 0, False),
         "disarm": (2, 0, False), "rebar": (1, 2, False), "relax": (1, 2, False), "gumbel-softmax": (0, 1, False),
         "straight-through-gumbel-softmax": (0, 1, False)}


class Row(NamedTuple):
    """Medians over the rounds, in seconds a step."""

    settings: Settings | SemiSupervisedSettings
    step: float
    products: float


def product_shapes(settings: Settings) -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of every matrix product that forward and backward passes of a step need.

    The encoder needs no gradient in x.  Where all values of a single latent variable are enumerated, the decoder's first
    layer sees their one-hot vectors; a neighbour of z changes it by one row, which is no product.
    """
    batch, n, k, pixels = settings.batch, settings.n, settings.k, data.PIXELS
    out = n + n * (n - 1) // 2 if settings.structure else n * k
    shapes = [(batch, pixels, HIDDEN), (batch, HIDDEN, out),                                 # encoder, forward
              (HIDDEN, batch, out), (batch, out, HIDDEN), (pixels, batch, HIDDEN)]           # dW2, d hidden, dW1
    if n == 1 and settings.estimator in ("exact", "direct"):
        return shapes + [(k, k, HIDDEN), (k, HIDDEN, pixels), (batch, pixels, k),            # logits of all values, x . logits
                         (k, batch, pixels), (HIDDEN, k, pixels), (k, pixels, HIDDEN), (k, k, HIDDEN)]
    forward = [(batch, n * k, HIDDEN), (batch, HIDDEN, pixels)]
    backward = [(HIDDEN, batch, pixels), (batch, pixels, HIDDEN), (n * k, batch, HIDDEN)]
    inputs = [(batch, HIDDEN, n * k)]
    scores, with_gradient, neighbours = ASKED[settings.estimator]
    shapes += forward * scores + (forward + backward + inputs) * with_gradient
    if neighbours:
        shapes += [(batch * n * (k - 1), HIDDEN, pixels), (batch, pixels, HIDDEN)]           # logits, W2 x
    if scores:
        shapes += backward                                                                   # what the decoder learns from
    return shapes


def network_shapes(network: Sequential, rows: int, inputs: bool) -> list[tuple[int, int, int]]:
    """The same for one forward and backward pass of a network; inputs: whether the gradient in its input is wanted."""
    shapes = []
    for depth, layer in enumerate(network.layers):
        if isinstance(layer, Linear):
            shapes += [(rows, layer.n_in, layer.n_out), (layer.n_in, rows, layer.n_out)]            # x W, x^T dy
            shapes += [(rows, layer.n_out, layer.n_in)] if inputs or depth > 0 else []              # dy W^T
    return shapes


def mixture_shapes(settings: SemiSupervisedSettings) -> list[tuple[int, int, int]]:
    """The same for the mixture model, with all classes of every image decoded and labelled images beside the batch."""
    model, batch = MixtureVAE(settings.gaussian), settings.batch
    shapes = []
    for rows in (batch, min(settings.label_batch, settings.labels)):
        for network, inputs in ((model.trunk, False), (model.class_head, True), (Sequential([model.gaussian_head]), True)):
            shapes += network_shapes(network, rows, inputs)
        if rows != batch or settings.estimator != "exact":
            shapes += network_shapes(model.decoder, rows, True)                         # at one class: z*, relaxed, or the label
    if settings.estimator == "gumbel-softmax":
        return shapes
    first, *middle, last = [layer for layer in model.decoder.layers if isinstance(layer, Linear)]
    every = batch * model.classes
    to_hidden = [(batch, model.d, model.classes * first.n_out), *((every, layer.n_in, layer.n_out) for layer in middle)]
    shapes += [*to_hidden, (batch, last.n_out, last.n_in), (every, last.n_in, last.n_out)]          # the table: W x, logits
    if settings.estimator == "exact":
        for layer in (*middle, last):                                                               # learning from all
            shapes += [(layer.n_in, every, layer.n_out), (every, layer.n_out, layer.n_in)]
        shapes += [(model.d, batch, model.classes * first.n_out), (batch, model.classes * first.n_out, model.d)]
    return shapes


def step_function(dataset: data.Dataset, settings: Settings | SemiSupervisedSettings) -> Callable[[], None]:
    """One whole training step, as `train` or `semi-supervised` makes it: images unpacked, forward, backward, Adam."""
    mixture = isinstance(settings, SemiSupervisedSettings)
    run = SemiSupervisedRun.start(settings) if mixture else Run.start(settings)
    run.attach(dataset)

    def step() -> None:
        x = dataset.train.images(run.rng.integers(len(dataset.train), size=settings.batch), run.model.dtype)
        run.step(x, settings.temperature(0), 1.0) if mixture else run.step(x)

    return step


def products_function(settings: Settings | SemiSupervisedSettings) -> Callable[[], None]:
    """The matrix products of a step and nothing else."""
    rng = np.random.default_rng(0)
    shapes = mixture_shapes(settings) if isinstance(settings, SemiSupervisedSettings) else product_shapes(settings)
    triples = [(rng.random((m, n), dtype=np.float32), rng.random((n, p), dtype=np.float32), np.empty((m, p), np.float32))
               for m, n, p in shapes]

    def products() -> None:
        for left, right, result in triples:
            np.matmul(left, right, out=result)

    return products


def seconds(function: Callable[[], None], times: int) -> float:
    """Mean seconds a call."""
    started = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - started) / times


def run(batch: int = 100, steps: int = 30, rounds: int = 7, report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Time the cases on MNIST.  Raises InputError if a number is out of range."""
    dataset = data.load("mnist")
    for name, value, most in (("batch", batch, 10_000), ("steps", steps, None), ("rounds", rounds, None)):
        if value < 1 or (most is not None and value > most):
            raise InputError(f"--{name} must be at least 1" + (f" and at most {most}" if most else "") + f", got {value}")
    rows = []
    every = [Settings(batch=batch, **case).resolved() for case in CASES]
    every += [SemiSupervisedSettings(batch=batch, **case).resolved() for case in MIXTURE]
    for settings in every:
        step, products = step_function(dataset, settings), products_function(settings)
        progress = Progress(settings.label(), rounds + 1)
        seconds(step, steps), seconds(products, steps)                                      # warm-up
        progress.advance()
        times = []
        for _ in range(rounds):
            times.append((seconds(step, steps), seconds(products, steps)))
            progress.advance()
        progress.clear()
        rows.append(Row(settings, *(float(median) for median in np.median(times, axis=0))))
        report(rows[-1])
    return rows


def epoch_seconds(k: int = 10, epochs: int = 3) -> list[float]:
    """Seconds of each of the first epochs of direct on MNIST: a slow-down would be denormal numbers at work."""
    dataset = data.load("mnist")
    run = Run.start(Settings(k=k).resolved())
    taken = []
    for epoch in range(1, epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", len(dataset.train) // run.settings.batch)
        started = time.perf_counter()
        train_epoch(run, dataset.train, progress.advance)
        taken.append(time.perf_counter() - started)
        progress.clear()
    return taken
