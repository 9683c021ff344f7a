"""With --slow, pictures that differ in more than digits are rendered; and every file contains its digest."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from refimpl import plots
from tests import drawn_once
from tests.drawn_once import likeness


def figure(values=(3.0, 4.0), title="seed 1", label="direct", **settings):
    new, (ax,) = plots.new_figure(1)
    ax.plot([1, 2], values, label=label)
    ax.set(title=title, **settings)
    ax.legend()
    return new


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Return a function that saves a figure and returns whether it was rendered."""
    monkeypatch.setattr(drawn_once, "SEEN", set())

    def save(figure) -> bool:
        plots.save(figure, tmp_path / "x.png")
        assert plots.digest_of(tmp_path / "x.png") == plots.figure_digest(figure)
        return image.imread(tmp_path / "x.png").shape[1] > 1

    return save


def test_picture_is_not_rendered_without_marker_or_slow_option(drawn):
    drawn_once.begin(every=False, new=False)
    assert not drawn(figure())


def test_pictures_that_are_alike_are_rendered_once(drawn):
    drawn_once.begin(every=False, new=True)
    assert drawn(figure()) and not drawn(figure((3.1, 4.2), "seed 2")) and drawn(figure(label="exact"))


@pytest.mark.parametrize("difference", [
    dict(title="$x_"), dict(label="exact"), dict(yscale="log"), dict(values=(3.0, np.nan)), dict(values=(3e9, 4e9)),
    dict(ylabel="nats"), dict(xticks=[1, 2], xticklabels=["a", "b"])])
def test_pictures_that_differ_in_text_axes_or_size_are_not_alike(difference):
    same = likeness(figure((3.1, 4.2), "seed 2"), Path("x.png"))
    assert likeness(figure(), Path("x.png")) == same != likeness(figure(**difference), Path("x.png"))
    assert likeness(figure(), Path("y.png")) != same


@pytest.mark.drawn
def test_marker_renders_every_picture(drawn):
    assert drawn(figure()) and drawn(figure())
