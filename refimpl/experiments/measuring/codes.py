"""Which latent values does a trained model use?

    python -m refimpl measure codes DIR

One z per image is drawn for test images, by the model's own arg max: how many different ones there are, and how often
each variable is 1.  A variable that never changes carries nothing; a start from which all images get the same z
explains a slow one.
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
    """What was counted on `images` test images."""

    images: int
    different: int
    """Joint values that occur."""
    shares: np.ndarray
    """(n, k): how often each variable takes each of its values."""
    labels: list[tuple[int | None, float]] = []
    """For a single variable, of each value: the commonest label of its images, and its share of them.  None where the
    value is not used, or the data have no labels."""


def count(run: VAERun, images: data.Part, rng: np.random.Generator) -> Codes:
    """Draw one z an image with the run's model."""
    z = run.model.draw(images.images(dtype=run.model.dtype), rng)                       # (images, n, k), one-hot
    labels = _labels(z[:, 0], images.labels) if z.shape[1] == 1 else []
    return Codes(len(z), len(np.unique(z.argmax(axis=-1), axis=0)), z.mean(axis=0), labels)


def _labels(z: np.ndarray, labels: np.ndarray | None) -> list[tuple[int | None, float]]:
    found: list[tuple[int | None, float]] = []
    for value in range(z.shape[1]):
        theirs = labels[z[:, value] == 1] if labels is not None else ()
        counts = np.bincount(theirs) if len(theirs) else np.zeros(0)
        found.append((int(counts.argmax()), float(counts.max() / counts.sum())) if len(counts) else (None, 0.0))
    return found


def run(folder: Path | str, images: int = 2_000, data_dir: str | None = None) -> tuple[Codes, Codes]:
    """(at the start of training, now) of the run in this folder.  Raises InputError if there is none, or images < 1."""
    options.check("codes", images=images)
    trained, _ = checkpoint.load(Path(folder) / checkpoint.FILE, kind=VAERun,
                                 missing="is missing: there is no run here")
    settings = trained.settings
    test = settings.load(data_dir, images).test
    first, now = (count(model, test, streams.samples(settings.seed))
                  for model in (VAERun.start(settings), trained))
    return first, now
