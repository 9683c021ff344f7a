"""Learn to choose a few pixels that are enough to recognise a digit.

    python -m refimpl measure subset

One network chooses k of the 784 pixels of an image, and another network classifies the digit from these pixels.  The
first network computes a score theta(x) for each pixel, and z is the set of the k pixels with the highest theta + gamma.
The second network sees only the chosen pixels, that is, x times z.  f(z) is its log-probability of the label.  Both
networks are trained to increase E f.  The methods differ in the gradient with respect to theta:

    `direct`, two-sided    the gradient is the usual difference of two arg maxes, but with c = df/dz at z* instead of f;
                           for subsets, this method is I-MLE (latent/linear.py)
    straight-through       the gradient is c, as if z were theta + gamma
    relaxed                like straight-through, but as if z were k softmax((theta + gamma) / tau)
    random                 the pixels are not learnt, but chosen at random
    most variable          the pixels are not learnt: they have the largest variance over the images

Each method that learns theta is run with the best of three settings.  This setting is chosen on the validation images
at seed 0.  On the test images, these methods use no noise: z is the set of the k pixels with the highest theta.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import data, gumbel, plots
from refimpl.experiments import options
from refimpl.experiments.records import write_measurements
from refimpl.latent import sets
from refimpl.latent.independent import through_softmax
from refimpl.nn.adam import Adam
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind
from refimpl.plots.images import sheet
from refimpl.system.files import output_folder

METHODS = {"direct": (3.0, 10.0, 30.0), "two-sided": (3.0, 10.0, 30.0), "relaxed": (0.3, 1.0, 3.0),
           "straight-through": (1e-3, 3e-3, 1e-2), "random": (0.0,), "most variable": (0.0,)}
"""The settings that are tried: values of eps (direct, two-sided), tau (relaxed) or lr (straight-through)."""
HIDDEN, BATCH, LR, IMAGES = 32, 50, 3e-3, 3_000


class Row(NamedTuple):
    """Holds the results of one run: the shares of images that are classified correctly, and the mean of f, in nats."""

    method: str
    setting: float
    seed: float
    valid: float
    test: float
    test_f: float


def train(part: data.Part, method: str, setting: float, k: int, steps: int, seed: int) -> Callable[..., tuple]:
    """Train both networks.  Return a function that maps images to z and to log p of each class."""
    rng, family = np.random.default_rng(seed), sets.subsets(784, k)
    selector, reader = MLP([784, HIDDEN, 784]), MLP([784, HIDDEN, 10])
    parameters = bind([selector, reader])
    selector.initialise(rng), reader.initialise(rng)
    adam = Adam(parameters, setting if method == "straight-through" else LR)
    variance = part.images(slice(0, IMAGES)).var(axis=0).astype(np.float64)

    def scores(x: np.ndarray) -> np.ndarray:
        if method == "random":
            return gumbel.sample(x.shape, rng)
        return np.broadcast_to(variance, x.shape) if method == "most variable" else selector.forward(x).astype(float)

    def read(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = family.argmax(scores(x))
        return z, log_softmax(reader.forward(x * z.astype(np.float32)).astype(np.float64), axis=1)

    learns = method not in ("random", "most variable")
    for _ in range(steps):
        rows = rng.integers(len(part), size=BATCH)
        x = part.images(rows)
        run = selector.run(x)
        theta = run.y.astype(np.float64) if learns else scores(x)
        noise = gumbel.sample(theta.shape, rng) if learns else np.zeros(theta.shape)
        z = family.sample(theta, noise)
        seen = reader.run(x * z.astype(np.float32))
        back = seen.backward((softmax(seen.y, axis=1) - gumbel.one_hot(part.labels[rows].astype(int), 10))
                             .astype(np.float32))
        parameters.zero_grads()
        back.accumulate(1 / BATCH)
        if learns:
            c, soft = (-back.dx * x).astype(np.float64), softmax((theta + noise) / setting, axis=1)
            grad = (c if method == "straight-through" else k * through_softmax(soft, c) / setting
                    if method == "relaxed" else family.gradient(theta, c, setting, noise, method == "two-sided"))
            run.backward(-grad.astype(np.float32)).accumulate(1 / BATCH)
        adam.step()
    return read


def _share(log_p: np.ndarray, labels: np.ndarray) -> float:
    return float((log_p.argmax(axis=1) == labels).mean())


def run(out: Path | str, k: int = 10, steps: int = 300, seeds: int = 3, data_dir: str | None = None,
        report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Train and test every method.  Raises InputError if a number is out of range."""
    options.check("subset", k=k, steps=steps, seeds=seeds)
    images, folder = data.load("mnist", data_dir), output_folder(out)
    x, labels = images.test.images(slice(0, IMAGES)), images.test.labels[:IMAGES].astype(int)
    valid, known = images.valid.images(slice(0, IMAGES)), images.valid.labels[:IMAGES]
    rows, shown = [], []
    for method, settings in METHODS.items():
        first = {setting: train(images.train, method, setting, k, steps, 0) for setting in settings}
        right = {setting: _share(read(valid)[1], known) for setting, read in first.items()}
        best = max(settings, key=right.get)
        for seed in range(seeds):
            read = train(images.train, method, best, k, steps, seed) if seed else first[best]
            z, log_p = read(x)
            rows.append(Row(method, best, seed, _share(read(valid)[1], known) if seed else right[best],
                            _share(log_p, labels), float(log_p[np.arange(len(x)), labels].mean())))
            report(rows[-1])
            if not seed:
                shown.append(0.35 * x[:10] + 0.65 * z[:10])             # chosen pixels: black with ink, grey without
    write_measurements(folder, "subset", f"k = {k}", dict(k=k, steps=steps, seeds=seeds), rows)
    with plots.may_fail(folder / "subset.png"):
        grid = np.array(shown).reshape(len(shown), 10, 28, 28)
        title = f"The {k} pixels that each method chooses of ten test images: black on the ink, grey beside it"
        plots.save(sheet(grid, [str(label) for label in labels[:10]], list(METHODS), title), folder / "subset.png")
    return rows
