"""The command `explore`: it saves a picture or opens a window, and says so if there is no display."""
from __future__ import annotations

import gc
import weakref

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from refimpl.experiments.theory import explore
from refimpl.plots import walls
from tests.cli.helpers import assert_refused, call, snapshot


@pytest.mark.parametrize("name, start", [("e.png", b"\x89PNG"), ("e.pdf", b"%PDF"), ("e.svg", b"<?xml")])
def test_explorer_is_saved_to_a_file(tmp_path, capsys, name, start):
    status, out, err = call(capsys, "explore", "--samples", 50, "--save", tmp_path / name)
    assert (status, out, err) == (0, f"Picture: {tmp_path / name}\n", "")
    assert (tmp_path / name).read_bytes().startswith(start) and len(snapshot(tmp_path)) == 1


def test_same_seed_gives_the_same_picture(tmp_path):
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        explore.run(seed=seed, samples=50, save=tmp_path / name)
    a, b, c = snapshot(tmp_path).values()
    assert a == b != c


def test_window_shows_the_problem_given_by_the_options(monkeypatch):
    """The explorer must also stay alive while the window is open: without a reference to it the sliders do nothing."""
    figure, explorers, shown = Figure(figsize=explore.SIZE), [], []
    FigureCanvasAgg(figure)
    monkeypatch.setattr(explore, "_window", lambda: figure)
    original = explore.Explorer

    def recording(*arguments):
        explorer = original(*arguments)
        explorers.append(weakref.ref(explorer))
        return explorer

    def wait():
        gc.collect()
        explorer = explorers[0]()
        shown.append((explorer.h.tolist(), explorer.f.tolist(), round(explorer.eps, 9), explorer.noise.shape,
                      explorer.sliders["h0"].valmin, explorer.sliders["h0"].valmax))    # covers the given scores

    monkeypatch.setattr(explore, "Explorer", recording)
    monkeypatch.setattr(explore, "_wait", wait)
    explore.run([1.0, 2.0, -4.0], [0.0, 1.0, 5.0], 0.7, 3, 40)
    assert shown == [([1, 2, -4], [0, 1, 5], 0.7, (40, 3), -4, 4)]
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {"value 0", "h(value 1)", "γ(value 2) − γ(value 0)"} <= texts
    assert not any(name in text for text in texts for name in walls.NAMES)


@pytest.mark.parametrize("backend", ["agg", "nosuch", "pdf"])
def test_missing_display_is_reported_in_one_line_with_advice(capsys, monkeypatch, backend):
    import matplotlib
    import matplotlib.pyplot as plt

    backend_before = matplotlib.get_backend()
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
        plt.switch_backend(backend_before)


def test_default_problem_is_that_of_the_tutorials():
    h, f, names = explore.problem(None, None)
    assert h is walls.H and f is walls.F and names is walls.NAMES
