"""Pictures of a mixture model with attributes: all combinations, and test images with one attribute switched at a time.

Slides 2 and 25 show such pictures of photographed faces.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refimpl import data, joint
from refimpl.nn.losses import sigmoid

if TYPE_CHECKING:                       # matplotlib takes a third of a second to import: only pictures need it
    from matplotlib.figure import Figure

    from refimpl.runs.mixture import MixtureRun


def combination(attributes: tuple[str, ...], bits: np.ndarray) -> str:
    """The names of those that are there, a line each."""
    return "\n".join(name for name, there in zip(attributes, bits) if there) or "none"


def samples(run: MixtureRun, part: data.Part) -> Figure:
    """A column a combination of the attributes, a row one g from its prior: along a row only the attributes change.

    Without labels the columns are named and put in order by the best match on this part.
    """
    from refimpl.plots import images

    settings, (n, k) = run.settings, run.settings.variables
    says = run.naming(part).read(joint.values(n, k))                            # what each combination of bits is
    order = np.lexsort(says.T[::-1])
    drawn = run.samples()[:, order]
    return images.sheet(drawn.reshape(drawn.shape[:2] + settings.shape),
                        [combination(settings.entry.attributes, bits) for bits in says[order]],
                        "a row one Gaussian", f"{settings.entry.name}, {settings.label()}: mean images")


def switched(run: MixtureRun, part: data.Part) -> Figure:
    """A test image of each combination, the same drawn again from its own bits and its mean g, and then with one bit
    changed at a time, g kept."""
    from refimpl.plots import images

    settings, model = run.settings, run.model
    found = [np.flatnonzero(part.labels == label)[:1] for label in range(settings.entry.classes)]
    x = part.images(np.concatenate(found), model.dtype)
    values, g = model.infer(x)
    drawn = [x, sigmoid(model.decode_as(values, g))]
    for i in run.naming(part).variable:
        changed = values.copy()
        changed[:, i] = 1 - changed[:, i]
        drawn.append(sigmoid(model.decode_as(changed, g)))
    names = ["test image", "drawn\nagain"] + [name + "\nswitched" for name in settings.entry.attributes]
    return images.sheet(np.stack(drawn, axis=1).reshape((len(x), len(names)) + settings.shape), names,
                        "a row one g", f"{settings.label()}: one bit switched, g kept")
