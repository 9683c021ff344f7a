"""Compare the coordinate-wise arg max of slide 30 with the joint arg max of slide 29.

    python -m refimpl measure joint-argmax --n 8

A model with n binary variables is trained for one epoch.  Then noise is drawn many times for a batch of
training images.  Each time, both arg maxes are computed from the same noise.  The program reports in how many
coordinates the two arg maxes agree, and for how many images they agree in all coordinates.  It also compares the mean
gradient of each arg max with the exact grad_h E_q f.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import direct, gumbel, joint
from refimpl.experiments import options
from refimpl.experiments.records import write_measurements
from refimpl.models.vae import VAE
from refimpl.runs.loop import train_epoch
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

EPSILONS = (0.02, 0.1, 0.5, 1.0)


class Row(NamedTuple):
    """Holds the results at one eps.  Biases and deviations are divided by the length of the exact gradient."""

    eps: float
    moved: float
    """The share of the coordinates in which the joint z*(eps) differs from z*."""
    coordinates_agree: float
    images_agree: float
    """`coordinates_agree` and `images_agree` are the shares of the coordinates and of the images in which the
    coordinate-wise z*(eps) equals the joint z*(eps)."""
    bias: float
    bias_joint: float
    bias_linear: float
    """The bias of `direct` if f is linearised at z* (estimators/imle.py)."""
    deviation: float
    deviation_joint: float
    deviation_linear: float
    """Each deviation is the standard deviation of one sample."""
    floor: float
    """The mean over the samples is noisy, so a bias of about this size would be measured even if the true bias were 0.
    The value is computed for the noisiest of the three arg maxes."""


def measure(model: VAE, x: np.ndarray, eps: float, samples: int, rng: np.random.Generator,
            after_sample: Callable[[], None] = lambda: None) -> Row:
    """Compare the coordinate-wise, the joint and the linearised arg max on the batch x.  All use the same noise."""
    h = model.encode(x).astype(np.float64)
    f = model.objective(x).joint_table().f.astype(np.float64)
    truth = joint.gradient(h, f)
    scale = np.linalg.norm(truth)
    n, k = h.shape[1:]
    agree = np.zeros(3)
    sums, squares = np.zeros((3, *h.shape)), np.zeros(3)
    for _ in range(samples):
        noise = gumbel.sample(h.shape, rng)
        z_star = gumbel.argmax(h, noise)
        table = _table(f, z_star, n, k)
        one = direct.argmax_pair(h, table, eps, noise).z_eps
        other = model.family.joint_argmax(h + noise, eps * f).argmax(axis=-1)
        slope = model.objective(x).run(gumbel.one_hot(z_star, k)).df_dz()
        linear = (h + noise + eps * slope).argmax(axis=-1)
        same = one == other
        agree += [(other != z_star).mean(), same.mean(), same.all(axis=1).mean()]
        for place, z_eps in enumerate((one, other, linear)):
            g = (gumbel.one_hot(z_eps, k) - gumbel.one_hot(z_star, k)) / eps
            sums[place] += g
            squares[place] += (g**2).sum()
        after_sample()
    means = sums / samples
    bias = [float(np.linalg.norm(mean - truth) / scale) for mean in means]
    deviation = np.sqrt(np.maximum(squares / samples - (means**2).sum(axis=(1, 2, 3)), 0)) / scale
    moved, coordinates, images = agree / samples
    return Row(eps, moved, coordinates, images, *bias, *deviation.tolist(), float(deviation.max() / np.sqrt(samples)))


def _table(f: np.ndarray, z: np.ndarray, n: int, k: int) -> np.ndarray:
    """Return an array of shape (B, n, k).  Entry (b, i, c) is f for image b at z with z_i replaced by c."""
    place = k ** np.arange(n - 1, -1, -1)
    index = (z * place).sum(axis=1)
    neighbours = index[:, None, None] + (np.arange(k) - z[:, :, None]) * place[:, None]
    return np.take_along_axis(f, neighbours.reshape(len(f), -1), axis=1).reshape(len(f), n, k)


def run(n: int = 8, dataset: str = "mnist", seed: int = 0, samples: int = 400, batch: int = 50,
        data_dir: str | None = None, report: Callable[[Row], None] = lambda row: None,
        out: Path | str | None = None) -> list[Row]:
    """Train a model, and measure it at each eps.  Raises InputError if a number is out of range."""
    options.check("joint-argmax", n=n, seed=seed, samples=samples, batch=batch)
    settings = VAESettings(dataset=dataset, n=n, k=2, seed=seed).resolved()
    images = settings.load(data_dir)
    folder = output_folder(out) if out is not None else None
    trained = VAERun.start(settings)
    progress = Progress("training for one epoch", 500)
    train_epoch(trained, images.train, progress.advance)
    progress.clear()
    x = images.train.images(slice(0, batch), trained.model.dtype)
    rng = np.random.default_rng(seed)
    rows = []
    progress = Progress("sampling", samples * len(EPSILONS))
    for eps in EPSILONS:
        rows.append(measure(trained.model, x, eps, samples, rng, progress.advance))
        progress.clear()
        report(rows[-1])
    if folder is not None:
        made_with = dict(n=n, dataset=images.name, seed=seed, samples=samples, batch=batch)
        write_measurements(folder, "joint-argmax", f"n = {n}", made_with, rows)
    return rows
