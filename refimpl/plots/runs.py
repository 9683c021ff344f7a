"""Make the pictures of one run: curves.png, samples.png and, for some runs, switched.png.

Slides 2 and 25 show such pictures for photographs of faces.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, joint
from refimpl.nn.losses import sigmoid
from refimpl.plots import curves, images

SHOWN = 2_000                           # number of test images whose joint values are counted for samples.png
FILES = ("curves.png", "samples.png", "switched.png")
Rows = Sequence[Mapping[str, float]]


def of_run(run, rows: Rows, dataset: data.Dataset) -> dict[str, Figure]:
    """Return a dictionary that maps file names to the figures of a run.  It may be empty."""
    draw = KINDS.get(type(run).COMMAND)
    return draw(run, rows, dataset) if draw else {}


def vae(run, rows: Rows, dataset: data.Dataset) -> dict[str, Figure]:
    """Return the pictures of a run of `train`: curves.png and samples.png.

    samples.png shows the mean image of every value of z.  If there are several variables, z is sampled
    for SHOWN test images, and samples.png shows the mean images of the 100 most frequent joint values.
    """
    settings, model = run.settings, run.model
    names = None
    if settings.n == 1:
        logits = model.decode_all()
    else:
        x = dataset.test.images(slice(0, SHOWN), model.dtype)
        z = model.draw(x, np.random.default_rng(settings.seed)).argmax(axis=-1)
        values, counts = np.unique(z, axis=0, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:100]
        hots = np.eye(settings.k)[values[most]].reshape(len(most), -1)
        logits = model.decoder.forward(hots.astype(model.dtype))
        names = [_digits(value, settings.k) + f"\n{count / len(x):.1%}"
                 for value, count in zip(values[most], counts[most])]
    return {"curves.png": curves.bounds(rows, settings.label(), settings.entry.name),
            "samples.png": images.tiles(logits, settings.entry.name, settings.label(), names, settings.shape)}


def _digits(value: np.ndarray, k: int) -> str:
    digits = [f"{digit}" for digit in value]
    text = "".join(digits) if k <= 10 else ",".join(digits)
    return text if len(text) <= 15 else text[:14] + "…"


def mixture(run, rows: Rows, dataset: data.Dataset) -> dict[str, Figure]:
    settings = run.settings
    curve = curves.accuracies(rows, settings.label(), settings.entry.name)
    if not settings.entry.attributes:
        return {"curves.png": curve, "samples.png": images.grids([(settings.label(), run.samples())],
                                                                 settings.entry.name, settings.shape)}
    made = {"curves.png": curve, "samples.png": samples(run, dataset.test)}
    if np.isin(dataset.test.labels, _even(settings.entry.classes)).any():       # a few images may have none of these
        made["switched.png"] = switched(run, dataset.test)
    return made


def _even(classes: int) -> list[int]:
    return [label for label in range(classes) if label.bit_count() % 2 == 0]


def combination(attributes: tuple[str, ...], bits: np.ndarray) -> str:
    return "\n".join(name for name, there in zip(attributes, bits) if there) or "none"


def samples(run, part: data.Part) -> Figure:
    """Return a grid of mean images from a model with attributes.

    Each column is a combination of the attributes, and each row has its own Gaussian g from the prior.  If the model
    was trained without labels, each variable is named after the attribute that fits it best on `part`.
    """
    settings, (n, k) = run.settings, run.settings.variables
    says = run.naming(part).read(joint.values(n, k))                            # attributes, by joint value
    order = np.lexsort(says.T[::-1])
    drawn = run.samples()[:, order]
    return images.sheet(drawn.reshape(drawn.shape[:2] + settings.shape),
                        [combination(settings.entry.attributes, bits) for bits in says[order]],
                        "each row: one Gaussian", f"{settings.entry.name}, {settings.label()}: mean images")


def switched(run, part: data.Part, changes: bool = False) -> Figure:
    """Return a grid of pictures, with one row for each combination of attributes that has an even number of ones.

    The first picture of a row is a test image.  The model infers the bits and the mean of g from this image.  The
    second picture is decoded from them.  For each further picture, one bit is switched.  If `changes` is True, the
    further pictures show how much each pixel changes.
    """
    settings, model = run.settings, run.model
    found = [np.flatnonzero(part.labels == label)[:1] for label in _even(settings.entry.classes)]
    x = part.images(np.concatenate(found), model.dtype)
    values, g = model.infer(x)
    drawn = [x, sigmoid(model.decode_as(values, g))]
    for i in run.naming(part).variable:
        changed = values.copy()
        changed[:, i] = 1 - changed[:, i]
        drawn.append(sigmoid(model.decode_as(changed, g)))
        if changes:
            drawn[-1] = np.abs(drawn[-1] - drawn[1])
    names = ["test\nimage", "drawn\nagain"] + [("change:\n" if changes else "switched:\n") + name
                                               for name in settings.entry.attributes]
    return images.sheet(np.stack(drawn, axis=1).reshape((len(x), len(names)) + settings.shape), names,
                        "each row: one face", f"{settings.label()}: one variable is switched, g is kept"
                        + "; dark: pixels that it changes" * changes)


KINDS: dict[str, Callable[..., dict[str, Figure]]] = {"train": vae, "semi-supervised": mixture}
