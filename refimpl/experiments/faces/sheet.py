"""Draw a grid of faces.  Faces in one column have the same attributes.  Faces in one row differ only in attributes.

    python -m refimpl make faces-sheet --save faces.png
"""
from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import joint, plots
from refimpl.arguments import InputError
from refimpl.data import faces
from refimpl.experiments import options
from refimpl.plots import images
from refimpl.plots.runs import combination


def draw(rows: int = 8) -> Figure:
    attributes = joint.values(len(faces.ATTRIBUTES), 2)                                 # (8, 3): labels 0 ... 7
    nuisances = faces.truth(rows).nuisances
    names = [combination(faces.ATTRIBUTES, bits) for bits in attributes]
    return images.sheet(faces.draw(attributes, nuisances[:, None]).astype(np.float64), names,
                        "each row: one draw of all else", "Along a row of faces only the attributes change")


@plots.own_settings()
def run(out: Path | str, rows: int = 8) -> None:
    """Write the picture to the file `out`, in the format that the suffix of `out` determines.

    Raises InputError if `rows` is out of range, or if `out` is a folder or has a suffix that is not in plots.FORMATS.
    """
    options.check("faces-sheet", faces=rows)
    if Path(out).is_dir():
        raise InputError(f"--save {out} is a folder; it must be a file, FILE.png")
    plots.format_of(Path(out))                              # refuses a wrong suffix before the faces are drawn
    plots.save(draw(rows), Path(out))
