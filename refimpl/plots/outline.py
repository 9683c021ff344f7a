"""A text that is cheap to change and to draw: the outlines of its letters, each made once, as one path.

matplotlib lays out and renders an ordinary text letter by letter, a quarter of a millisecond each in its latest
versions.  A window with a hundred digits that change as a slider moves has not that time.
"""
from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform

EM = 100.0                                              # the size that the outlines are made at, points
LEFT = {"left": 0.0, "center": 0.5, "right": 1.0}       # the share of the width that lies left of the anchor
DOWN = {"baseline": 0.0, "center": 36.0, "top": 73.0}   # of EM: half of a capital's height, and all of it
EMPTY = Path(np.empty((0, 2)), np.empty(0, Path.code_type))


@cache
def _letter(character: str) -> tuple[Path, float]:
    """Its outline, and how far it is to the next letter."""
    width, _, _ = text_to_path.get_text_width_height_descent(character, FontProperties(size=EM), False)
    if character.isspace():
        return EMPTY, float(width)
    return TextPath((0, 0), character, size=EM), float(width)


class Outline(PathPatch):
    """One line of text at a place.  set_text and set_anchor change it; get_text says what it shows."""

    def __init__(self, ax: Axes, x: float, y: float, text: str = "", size: float = 12.0, ha: str = "left",
                 va: str = "baseline", transform: Transform | None = None) -> None:
        """x, y: the anchor, in the data of these axes or in `transform`.  size: points.  ha, va: what of the text lies
        at the anchor, a key of LEFT and one of DOWN."""
        super().__init__(EMPTY, facecolor="0", edgecolor="none", clip_on=False, zorder=6)
        self._text, self._size, self._ha, self._va = "", size, ha, va
        self._made = ("", va)                           # what the path shows
        self._inches, self._place = ax.get_figure().dpi_scale_trans, transform or ax.transData
        ax.add_artist(self)                             # and not add_patch, which would widen the limits of the data
        self.set_anchor(x, y)
        self.set_text(text)

    def get_text(self) -> str:
        return self._text

    def set_text(self, text: str) -> None:
        if (text, self._va) == self._made:
            return
        self._made, self._text, place, parts = (text, self._va), text, 0.0, []
        for character in text:
            outline, width = _letter(character)
            if len(outline.vertices):
                parts.append((outline.vertices + (place, 0.0), outline.codes))
            place += width
        if parts:
            vertices, codes = (np.concatenate(each) for each in zip(*parts))
            self.set_path(Path(vertices - (LEFT[self._ha] * place, DOWN[self._va]), codes))
        else:
            self.set_path(EMPTY)

    def set_anchor(self, x: float, y: float, va: str | None = None) -> None:
        """Move it; `va` is what of it lies at y from the next set_text on."""
        self._va = va or self._va
        self.set_transform(Affine2D().scale(self._size / 72 / EM) + self._inches
                           + ScaledTranslation(x, y, self._place))
