"""Measure which latent values a trained model uses.

    python -m refimpl measure codes DIR

One z is drawn for each test image.  A variable that never changes carries no information.  If all images have the same
z at the start of training, training starts slowly.
"""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import data
from refimpl.experiments import options
from refimpl.runs import checkpoint, streams
from refimpl.runs.vae import VAERun


class Codes(NamedTuple):
    images: int
    different: int
    """The number of different joint values z that occur."""
    shares: np.ndarray
    """An array of shape (n, k): for each value of each variable, the share of the images that have this value."""
    labels: list[tuple[int | None, float]] = []
    """For each value of the latent variable: the most frequent label of the images with this value, and the share of
    these images that have this label.  The list is empty if there are several latent variables.

    The label is None if no image has the value, or if the data have no labels.
    """


def count(run: VAERun, images: data.Part, rng: np.random.Generator) -> Codes:
    z = run.model.draw(images.images(dtype=run.model.dtype), rng)                       # (images, n, k), one-hot
    labels = _labels(z[:, 0], images.labels) if z.shape[1] == 1 else []
    return Codes(len(z), len(np.unique(z.argmax(axis=-1), axis=0)), z.mean(axis=0), labels)


def _labels(z: np.ndarray, labels: np.ndarray | None) -> list[tuple[int | None, float]]:
    found: list[tuple[int | None, float]] = []
    for value in range(z.shape[1]):
        theirs = labels[z[:, value] == 1] if labels is not None else ()
        counts = np.bincount(theirs) if len(theirs) else None
        found.append((None, 0.0) if counts is None else (int(counts.argmax()), float(counts.max() / len(theirs))))
    return found


def run(folder: Path | str, images: int = 2_000, data_dir: str | None = None) -> tuple[Codes, Codes]:
    """Return the codes of the untrained and of the trained model.  Raises InputError if the folder contains no run."""
    options.check("codes", images=images)
    trained, _ = checkpoint.load(Path(folder) / checkpoint.FILE, kind=VAERun,
                                 missing="is missing: there is no run here")
    settings = trained.settings
    test = settings.load(data_dir, images).test
    first, now = (count(model, test, streams.samples(settings.seed))
                  for model in (VAERun.start(settings), trained))
    return first, now
