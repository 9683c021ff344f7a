"""The command's three ways: a file, a measurement, a window; and no display for the last."""
from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from refimpl.experiments import explore
from refimpl.plots import walls
from tests.cli.helpers import assert_refused, call, snapshot


@pytest.mark.parametrize("name, start", [("e.png", b"\x89PNG"), ("e.pdf", b"%PDF"), ("e.svg", b"<?xml")])
def test_it_is_drawn_into_a_file(tmp_path, capsys, name, start):
    status, out, err = call(capsys, "explore", "--samples", 50, "--save", tmp_path / name)
    assert (status, out, err) == (0, f"Picture: {tmp_path / name}\n", "")
    assert (tmp_path / name).read_bytes().startswith(start) and len(snapshot(tmp_path)) == 1


def test_the_same_seed_is_the_same_picture(tmp_path):
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        explore.run(seed=seed, samples=50, save=tmp_path / name)
    a, b, c = snapshot(tmp_path).values()
    assert a == b != c


def test_a_redraw_is_measured(monkeypatch):
    monkeypatch.setattr(explore, "MOVES", 5)
    clock, processor = explore.run(samples=50, measure=True)
    assert clock > 0 and processor > 0                  # how long it is depends on the machine


def test_the_window_shows_the_problem_of_the_options(monkeypatch):
    figure, waited = Figure(figsize=explore.SIZE), []
    FigureCanvasAgg(figure)
    monkeypatch.setattr(explore, "_window", lambda: figure)
    made = []
    monkeypatch.setattr(explore, "Explorer", lambda *arguments: made.append(Kept(*arguments)) or made[0])
    monkeypatch.setattr(explore, "_wait", lambda: waited.append(made[0].live))
    explore.run([1.0, 2.0, -4.0], [0.0, 1.0, 5.0], 0.7, 3, 40)
    assert waited == [True] and made[0].noise.shape == (40, 3)
    assert made[0].h.tolist() == [1, 2, -4] and made[0].f.tolist() == [0, 1, 5] and made[0].eps == pytest.approx(0.7)
    assert (made[0].sliders["h0"].valmin, made[0].sliders["h0"].valmax) == (-4, 4)      # wide enough for what is given


class Kept(explore.Explorer):
    live = False

    def go_live(self):
        self.live = True
        super().go_live()


@pytest.mark.parametrize("backend", ["agg", "nosuch", "pdf"])
def test_without_a_display_one_line_says_what_helps(capsys, monkeypatch, backend):
    import matplotlib
    import matplotlib.pyplot as plt

    before = matplotlib.get_backend()
    if backend == "nosuch":
        def fails(*arguments, **keywords):
            raise ImportError("Cannot load backend")
        monkeypatch.setattr(plt, "figure", fails)
    else:
        plt.switch_backend(backend)
    try:
        assert_refused(capsys, ["explore"], "no display", "--save FILE.png")
        assert not plt.get_fignums()
    finally:
        plt.close("all")
        plt.switch_backend(before)


def test_the_problem_of_the_chapters_is_the_default():
    h, f = explore.problem(None, None)
    assert h is walls.H and f is walls.F
