"""Texts made of outlines stand where they are put, and look like matplotlib's own."""
from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from refimpl.plots.outline import EM, Outline


@pytest.fixture
def ax():
    figure = Figure(figsize=(4, 2), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 4), ylim=(0, 2))
    axes.set_axis_off()
    return axes


def ink(ax) -> tuple[int, int, int, int]:
    """Left, right, bottom and top of what is drawn, pixels from the lower left."""
    ax.figure.canvas.draw()
    dark = np.asarray(ax.figure.canvas.buffer_rgba())[::-1, :, 0] < 128
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return columns[0], columns[-1], rows[0], rows[-1]


@pytest.mark.parametrize("ha", ["left", "center", "right"])
@pytest.mark.parametrize("va", ["baseline", "top"])
def test_it_has_the_place_and_size_of_an_ordinary_text(ax, ha, va):
    outline = Outline(ax, 2.0, 1.0, "−0.123 HE", size=20, ha=ha, va=va)
    ours = ink(ax)
    outline.remove()
    ax.text(2.0, 1.0, "−0.123 HE", fontsize=20, ha=ha, va=va)
    np.testing.assert_allclose(ours, ink(ax), atol=3)


def test_the_middle_of_a_digit_is_at_the_anchor(ax):
    Outline(ax, 2.0, 1.0, "0", size=30, ha="center", va="center")
    left, right, bottom, top = ink(ax)
    np.testing.assert_allclose([(left + right) / 2, (bottom + top) / 2], [200, 100], atol=1.5)


def test_a_new_text_and_a_new_place_replace_the_old(ax):
    outline = Outline(ax, 1.0, 0.5, "8", size=30)
    before, limits = ink(ax), (ax.get_xlim(), ax.get_ylim())
    outline.set_text("88")
    wider = ink(ax)
    assert outline.get_text() == "88" and wider[0] == before[0] and wider[1] > before[1] + 15
    outline.set_anchor(2.0, 1.0)
    np.testing.assert_allclose(ink(ax), np.array(wider) + (100, 100, 50, 50), atol=1)
    outline.set_anchor(2.0, 1.0, "top")
    outline.set_text("88")                                                  # the same text, hung by its top now
    np.testing.assert_allclose(ink(ax)[3], 100, atol=2)
    outline.set_text("")
    assert len(outline.get_path().vertices) == 0 and (ax.get_xlim(), ax.get_ylim()) == limits


def test_a_space_is_as_wide_as_it_is(ax):
    def width(text):
        vertices = Outline(ax, 0.0, 0.0, text).get_path().vertices
        return np.ptp(vertices[:, 0])
    assert width("1 1") - width("11") == pytest.approx(0.318 * EM, rel=0.02)        # DejaVu Sans: 0.318 em
