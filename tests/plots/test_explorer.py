"""The explorer without a display: sliders are set, the mouse is moved, and the artists are read."""
from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.backend_bases import FigureCanvasBase, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from refimpl import direct, gumbel
from refimpl.plots import panels, walls
from refimpl.plots.explorer import Explorer
from tests.plots.shown import assert_shows

DRAWS = 300


@pytest.fixture
def explorer(rng):
    figure = Figure(figsize=(13.6, 8.2), dpi=50)
    FigureCanvasAgg(figure)
    return Explorer(figure, walls.H, walls.F, 0.3, gumbel.sample((DRAWS, 3), rng))


def moved(explorer) -> tuple[np.ndarray, np.ndarray, float]:
    """Move every slider; returns h, f and eps as they are then."""
    for name, value in (("eps", np.log10(1.5)), ("spread", 2.0), ("h0", -1.0), ("h1", 0.5), ("h2", 0.25)):
        explorer.sliders[name].set_val(value)
    return np.array([-1.0, 0.5, 0.25]), 2 * walls.F, 1.5


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ""))]


def assert_all_shown(explorer, h, f, eps):
    np.testing.assert_allclose(explorer.h, h)
    np.testing.assert_allclose(explorer.f, f)
    assert explorer.eps == pytest.approx(eps)
    h, f, eps = explorer.h, explorer.f, explorer.eps
    assert_shows(explorer.cloud, h, f, eps, explorer.noise)
    law = direct.joint_law(h, f, eps)
    shown = np.array([[float(cell.get_text()) for cell in row] for row in explorer.law.cells])
    np.testing.assert_allclose(shown, law, atol=5.001e-4)
    assert [[cell.get_text() == "0" for cell in row] for row in explorer.law.cells] == (law == 0).tolist()
    np.testing.assert_array_equal(explorer.law.image.get_array(), law)
    np.testing.assert_allclose([float(text.get_text()) for text in explorer.law.q],
                               gumbel.choice_probabilities(h), atol=5.001e-4)
    np.testing.assert_allclose([float(text.get_text()) for text in explorer.law.q_eps],
                               gumbel.choice_probabilities(h + eps * f), atol=5.001e-4)
    assert numbers(explorer.law.stays.get_text()) == [pytest.approx(100 * np.trace(law), abs=0.0501)]
    errors = explorer.errors
    here = [np.linalg.norm(direct.bias(h, f, eps)), np.sqrt(direct.variance(h, f, eps).sum() / DRAWS),
            np.sqrt(direct.mse(h, f, eps, DRAWS))]
    np.testing.assert_allclose(errors.points.get_data(), [[eps] * 3, here])
    assert list(errors.here.get_xdata()) == [eps, eps]
    assert numbers(errors.value.get_text()) == [pytest.approx(here[2], rel=5e-3)]
    for at in (0, 20, 40):
        eps_at = panels.GRID[at]
        assert [line.get_xdata()[at] for line in errors.lines] == [eps_at] * 3
        np.testing.assert_allclose(
            [line.get_ydata()[at] for line in errors.lines],
            [np.linalg.norm(direct.bias(h, f, eps_at)), np.sqrt(direct.variance(h, f, eps_at).sum() / DRAWS),
             np.sqrt(direct.mse(h, f, eps_at, DRAWS))])
    changed, of, weight = numbers(explorer.words[0].get_text())[:2] + numbers(explorer.words[0].get_text())[-1:]
    assert (changed, of) == (explorer.cloud.moved, DRAWS) and weight == pytest.approx(1 / eps, rel=5e-3)
    found = numbers(explorer.words[1].get_text())
    np.testing.assert_allclose(found[:3], direct.gradient(h, f, eps, explorer.noise).mean(axis=0), atol=5.001e-4)
    np.testing.assert_allclose(found[3:], direct.expected_gradient(h, f, eps), atol=5.001e-4)
    assert [numbers(text.get_text())[0] for text in explorer.values.values()] == [
        pytest.approx(value, abs=5.001e-3) for value in (eps, f[0] / walls.F[0], *h)]
    assert_draw_shown(explorer)


def assert_draw_shown(explorer):
    """The bars are this draw's perturbed scores; stars and words are of its winners."""
    h, f, eps, gammas = explorer.h, explorer.f, explorer.eps, explorer.noise[explorer.chosen]
    heights = np.concatenate([h + gammas, eps * f + h + gammas])
    np.testing.assert_allclose([bar.get_height() for bar in explorer.draw.bars], heights)
    assert [numbers(text.get_text())[0] for text in explorer.draw.values] == [
        pytest.approx(height, abs=5.001e-3) for height in heights]
    old, new = direct.argmax_pair(h, f, eps, gammas)
    assert list(explorer.draw.winners.get_xdata()) == [panels.OneDraw.PLACES[old], panels.OneDraw.PLACES[3 + new]]
    low, high = explorer.draw.ax.get_ylim()
    assert low < min(0, heights.min()) and max(explorer.draw.winners.get_ydata()) < high > heights.max()
    words, g = explorer.draw.gradient.get_text(), direct.gradient(h, f, eps, gammas)
    assert walls.NAMES[old] in words and walls.NAMES[new] in words
    np.testing.assert_allclose(numbers(words), g, rtol=5e-3)
    np.testing.assert_array_equal(np.ravel(explorer.here.get_data()), walls.differences(gammas[None])[0])


def test_it_starts_with_the_problem_that_it_is_given(explorer):
    assert_all_shown(explorer, walls.H, walls.F, 0.3)
    old, new = explorer.cloud.pair
    assert old[explorer.chosen] != new[explorer.chosen]                     # a draw that has something to show


def test_every_panel_follows_the_sliders(explorer):
    assert_all_shown(explorer, *moved(explorer))


def test_the_draw_under_the_mouse_is_shown(explorer):
    canvas = explorer.figure.canvas
    canvas.draw()
    inside = np.flatnonzero((np.abs(explorer.cloud.points) < 3.9).all(axis=1))
    for index in inside[[5, 50]]:
        x, y = explorer.here.axes.transData.transform(explorer.cloud.points[index])
        canvas.callbacks.process("motion_notify_event", MouseEvent("motion_notify_event", canvas, x + 0.2, y))
        assert explorer.chosen == index
        assert_draw_shown(explorer)
    canvas.callbacks.process("motion_notify_event", MouseEvent("motion_notify_event", canvas, 1, 1))     # outside
    assert explorer.chosen == index


def pixels(explorer) -> np.ndarray:
    return np.array(explorer.figure.canvas.buffer_rgba())


def test_a_redraw_of_what_moves_is_the_whole_drawing(explorer, rng):
    """After moves of the sliders the pixels are those of a new figure of the same problem, drawn in one go."""
    explorer.go_live()
    explorer.figure.canvas.draw()
    before = pixels(explorer)
    h, f, eps = moved(explorer)
    explorer.sliders["h0"].set_val(3.0)                                     # some name disappears, and comes back
    explorer.sliders["h0"].set_val(-1.0)
    after = pixels(explorer)
    explorer.figure.canvas.draw()
    np.testing.assert_array_equal(after, pixels(explorer))                  # nothing old is left
    assert (np.abs(after.astype(int) - before) > 50).any(axis=-1).mean() > 0.01
    figure = Figure(figsize=(13.6, 8.2), dpi=50)
    FigureCanvasAgg(figure)
    other = Explorer(figure, walls.H, walls.F, 0.3, explorer.noise)
    other.chosen = explorer.chosen
    moved(other)
    figure.canvas.draw()
    different = (np.abs(after.astype(int) - pixels(other)) > 50).any(axis=-1)
    assert different.mean() < 2e-3                                          # only what lies over what


def test_a_slider_that_is_dragged_moves_the_picture(explorer):
    canvas = explorer.figure.canvas
    explorer.go_live()
    canvas.draw()
    slider = explorer.sliders["h1"]
    x, y = slider.ax.transData.transform((-2.0, 0.5))
    for name in ("button_press_event", "button_release_event"):
        canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button=1))
    assert explorer.h[1] == pytest.approx(-2.0, abs=0.02)
    assert_shows(explorer.cloud, explorer.h, explorer.f, explorer.eps, explorer.noise)


def test_where_pixels_cannot_be_kept_all_is_drawn(rng):
    class Plain(FigureCanvasBase):
        asked = 0

        def draw_idle(self, *arguments, **keywords):
            self.asked += 1

    figure = Figure(figsize=(13.6, 8.2), dpi=50)
    canvas = Plain(figure)
    assert not canvas.supports_blit
    explorer = Explorer(figure, walls.H, walls.F, 0.3, gumbel.sample((20, 3), rng))
    explorer.go_live()
    canvas.asked = 0
    explorer.sliders["h0"].set_val(1.0)
    assert canvas.asked == 1 and not any(artist.get_animated() for artist in explorer.moving)


def test_what_moves_is_in_a_saved_file_too(explorer, tmp_path):
    explorer.figure.savefig(tmp_path / "a.png", dpi=50)
    explorer.go_live()
    explorer.figure.canvas.draw()
    explorer.figure.savefig(tmp_path / "b.png", dpi=50)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
