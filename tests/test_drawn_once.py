"""Which pictures are rendered: with --slow those that differ in more than digits; and every file holds its digest."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from refimpl import plots
from tests import drawn_once
from tests.drawn_once import likeness


def figure(values=(3.0, 4.0), title="seed 1", label="direct", **settings):
    made, (ax,) = plots.new_figure(1)
    ax.plot([1, 2], values, label=label)
    ax.set(title=title, **settings)
    ax.legend()
    return made


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Saves a figure, and says whether it was drawn."""
    monkeypatch.setattr(drawn_once, "SEEN", set())

    def save(figure) -> bool:
        plots.save(figure, tmp_path / "x.png")
        assert plots.digest_of(tmp_path / "x.png") == plots.figure_digest(figure)
        return image.imread(tmp_path / "x.png").shape[1] > 1

    return save


def test_without_the_marker_no_picture_is_rendered(drawn):
    drawn_once.begin(every=False, new=False)
    assert not drawn(figure())


def test_a_picture_like_another_is_drawn_once(drawn):
    drawn_once.begin(every=False, new=True)
    assert drawn(figure()) and not drawn(figure((3.1, 4.2), "seed 2")) and drawn(figure(label="exact"))


@pytest.mark.parametrize("other", [
    dict(title="$x_"), dict(label="exact"), dict(yscale="log"), dict(values=(3.0, np.nan)), dict(values=(3e9, 4e9)),
    dict(ylabel="nats"), dict(xticks=[1, 2], xticklabels=["a", "b"])])
def test_what_may_fail_in_another_way_is_no_such_picture(other):
    same = likeness(figure((3.1, 4.2), "seed 2"), Path("x.png"))
    assert likeness(figure(), Path("x.png")) == same != likeness(figure(**other), Path("x.png"))
    assert likeness(figure(), Path("y.png")) != same


@pytest.mark.drawn
def test_who_asks_for_it_has_every_picture_drawn(drawn):
    assert drawn(figure()) and drawn(figure())
