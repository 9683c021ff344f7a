"""Measure how the noise of the encoder's gradient depends on eps of `direct` and tau of Gumbel-softmax (slide 21).

    python -m refimpl measure variance [--run DIR]

The gradient of one trained model on one batch of training images is sampled many times, and its standard deviation is
estimated from these samples.  For `direct`, the standard deviation is also computed exactly, from the joint
distribution of the two arg maxes (coupling.py).  The sampled points should lie close to the line of the exact values.

The variance of the gradient is averaged over all weights of the encoder, and the standard deviation is the square root
of this mean.  The slide does not state how its authors average over weights, so a second number is also recorded: the
mean of the standard deviations of the single weights.  It is never larger than the first number (Jensen's inequality).
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, direct, estimators, plots
from refimpl.arguments import InputError
from refimpl.experiments import options
from refimpl.experiments.records import Record, write_measurements
from refimpl.models.vae import VAE
from refimpl.runs import checkpoint
from refimpl.runs.loop import train_epoch
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.files import csv_text, output_folder, write_text
from refimpl.system.progress import Progress

TEMPERATURES = tuple(round(0.1 * step, 1) for step in range(1, 11))     # as on the slide


class Row(NamedTuple):
    """Holds the standard deviations of the gradients of both estimators, where eps and tau are equal to `temperature`.

    The suffix _error marks standard errors.  The suffix _mean marks standard deviations that are averaged over the
    weights.
    """

    temperature: float
    direct_exact: float
    direct: float
    direct_error: float
    direct_mean: float
    gumbel_softmax: float
    gumbel_softmax_error: float
    gumbel_softmax_mean: float


def exact_deviation(model: VAE, x: np.ndarray, eps: float) -> float:
    """Return the standard deviation of the gradient of `direct`, computed without sampling.

    Let g_b be the sampled gradient of image b with respect to h, and C_b its covariance.  The noise of different images
    is independent.  The gradients of the encoder h = W2^T relu(W1^T x + b1) + b2 are linear in g_b:

        dW2 = (1/B) sum_b u_b g_b^T,  where u_b is the hidden layer
        dW1 = (1/B) sum_b x_b (on_b * W2 g_b)^T,  where on_b is 1 if u_b > 0, and 0 otherwise

    The total variances are

        of dW2:  sum_b |u_b|^2 trace(C_b) / B^2
        of dW1:  sum_b |x_b|^2 sum_j on_bj (W2 C_b W2^T)_jj / B^2

    The variances of db2 and db1 are these two sums with 1 instead of |u_b|^2 and |x_b|^2.
    """
    h, f = model.score_all(x)
    covariance = direct.covariance(h[:, 0], f, eps)                                       # (B, k, k)
    run = model.encoder.run(x)
    u = run.outputs[2].astype(np.float64)                                           # (B, hidden), after the ReLU
    W2 = model.encoder.layers[-1].W.astype(np.float64)                                                # (hidden, k)
    through = np.einsum("jc,bcd,jd->bj", W2, covariance, W2, optimize=True)         # diagonal of W2 C_b W2^T
    top = ((u**2).sum(axis=1) + 1) * np.trace(covariance, axis1=1, axis2=2)
    bottom = ((x.astype(np.float64) ** 2).sum(axis=1) + 1) * (through * (u > 0)).sum(axis=1)
    return float(np.sqrt((top + bottom).sum() / len(x) ** 2 / model.encoder.n_parameters))


def sampled_deviation(model: VAE, x: np.ndarray, name: str, temperature: float, samples: int,
                      rng: np.random.Generator, after_sample: Callable[[], None] = lambda: None
                      ) -> tuple[float, float, float]:
    """Return a standard deviation, its standard error, and the mean of the standard deviations of the weights."""
    estimator = estimators.get(name)
    gradients = np.empty((samples, model.encoder.n_parameters), model.dtype)
    for sample in range(samples):
        model.parameters.zero_grads()
        model.backward(x, estimator, rng, kl_grad=False, **{estimator.temperature: temperature})  # KL has no noise
        gradients[sample] = model.encoder_grads
        after_sample()
    gradients -= gradients.mean(axis=0)
    squares = np.einsum("sp,sp->s", gradients, gradients, dtype=np.float64) * samples / (samples - 1)
    variance = squares.mean() / gradients.shape[1]
    if variance == 0:                                                   # at a tiny eps no arg max changed
        return 0.0, 0.0, 0.0
    error = squares.std(ddof=1) / np.sqrt(samples) / gradients.shape[1]
    each = np.sqrt(np.einsum("sp,sp->p", gradients, gradients, dtype=np.float64) / (samples - 1))
    return float(np.sqrt(variance)), float(error / (2 * np.sqrt(variance))), float(each.mean())     # dv / (2 sqrt(v))


def trained_model(run: Path | str | None, dataset: str, k: int, seed: int,
                  data_dir: str | None) -> tuple[VAE, data.Dataset, str]:
    """Return a model, its data set, and a string that describes the model.

    The model is read from the folder `run`.  If `run` is None, `direct` trains a model for one epoch.
    """
    if run is not None:
        loaded, history = checkpoint.load(Path(run) / checkpoint.FILE, kind=VAERun)
        settings = loaded.settings
        if settings.n > 1:
            raise InputError(f"{run} has {settings.n} latent variables; the exact variance is known for one")
        words = f"{settings.label()}, epoch {len(history)}"
        return loaded.model, settings.load(data_dir, settings.limit), words
    settings = VAESettings(dataset=dataset, k=k, seed=seed).resolved()
    images = settings.load(data_dir)
    fresh = VAERun.start(settings)
    train_epoch(fresh, images.train)
    return fresh.model, images, f"{settings.label()}, epoch 1"


def run(out: Path | str, run_folder: Path | str | None = None, dataset: str = "mnist", k: int = 10, seed: int = 0,
        samples: int = 100, batch: int = 100, data_dir: str | None = None) -> list[Row]:
    """Measure the noise.  Raises InputError if a number is out of range, or if the run cannot be used."""
    options.check("variance", k=k, seed=seed, samples=samples, batch=batch)
    model, images, words = trained_model(run_folder, dataset, k, seed, data_dir)
    if batch > len(images.train):
        raise InputError(f"--batch must be at most {len(images.train)}, the number of training images, got {batch}")
    folder = output_folder(out)
    x = images.train.images(slice(0, batch), model.dtype)
    rng = np.random.default_rng(seed)
    progress = Progress("sampling gradients", 2 * samples * len(TEMPERATURES))
    rows = []
    for temperature in TEMPERATURES:
        sampled = [sampled_deviation(model, x, name, temperature, samples, rng, progress.advance)
                   for name in ("direct", "gumbel-softmax")]
        rows.append(Row(temperature, exact_deviation(model, x, temperature), *sampled[0], *sampled[1]))
    progress.clear()
    write_text(folder / "variance.csv", csv_text([Row._fields, *([f"{value:.6g}" for value in row] for row in rows)]))
    if run_folder is None:                                  # a model that anyone can train again
        settings = dict(dataset=images.name, k=k, seed=seed, samples=samples, batch=batch)
        write_measurements(folder, "variance", f"k = {k}", settings, rows)
    title = f"Noise of the encoder gradient: {images.name}, {words},\nbatch of {batch}, {samples} draws per point"
    with plots.may_fail(folder / "variance.png"):
        plots.save(_figure(rows, title), folder / "variance.png")
    return rows


def draw(record: Record) -> Figure:
    settings = record.settings
    title = (f"Noise of the encoder gradient: {settings['dataset']}, direct, k = {settings['k']}, epoch 1,\n"
             f"batch of {settings['batch']}, {settings['samples']} draws per point")
    return _figure([Row(**row) for row in record.rows], title)


def _figure(rows: list[Row], title: str) -> Figure:
    figure, (ax,) = plots.new_figure(1, width=6.4, height=4.2)
    temperature = [row.temperature for row in rows]
    ax.semilogy(temperature, [row.direct_exact for row in rows], color=plots.colour("direct"),
                label="direct, exact (coupling law)")
    for name, label, marker in (("direct", "direct, sampled", "o"), ("gumbel_softmax", "Gumbel-softmax, sampled", "s")):
        errors = [getattr(row, name + "_error") for row in rows]
        ax.errorbar(temperature, [getattr(row, name) for row in rows], [2 * error for error in errors],
                    fmt=marker, markerfacecolor="none", color=plots.colour(name.replace("_", "-")), label=label)
    ax.set(xlabel="eps (direct, 1/nat) or tau (Gumbel-softmax)",
           ylabel="standard deviation of the\nencoder gradient, nats")
    ax.legend(frameon=False, fontsize=plots.TEXT)
    plots.entitle(figure, title)
    return figure
