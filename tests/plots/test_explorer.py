"""Test the explorer without a display: set sliders, move the mouse, and read the artists."""
from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.backend_bases import FigureCanvasBase, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

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


def move_all_sliders(explorer) -> tuple[np.ndarray, np.ndarray, float]:
    """Move every slider, and return the new h, f and eps."""
    for name, value in (("eps", np.log10(1.5)), ("spread", 2.0), ("h0", -1.0), ("h1", 0.5), ("h2", 0.25)):
        explorer.sliders[name].set_val(value)
    return np.array([-1.0, 0.5, 0.25]), 2 * walls.F, 1.5


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ""))]


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def assert_all_shown(explorer, h, f, eps):
    np.testing.assert_allclose(explorer.h, h)
    np.testing.assert_allclose(explorer.f, f)
    assert explorer.eps == pytest.approx(eps)
    h, f, eps = explorer.h, explorer.f, explorer.eps
    assert_shows(explorer.cloud, h, f, eps, explorer.noise)
    law, shown = direct.joint_law(h, f, eps), words(explorer.axes[1])
    sums = [*gumbel.choice_probabilities(h), *gumbel.choice_probabilities(h + eps * f)]
    np.testing.assert_allclose([float(text) for text in shown], [*law.ravel(), *sums], atol=5.001e-4)
    assert [text == "0" for text in shown[:9]] == (law.ravel() == 0).tolist()
    np.testing.assert_array_equal(explorer.axes[1].images[0].get_array(), law)
    assert numbers(explorer.axes[1].get_title(loc="left")) == [pytest.approx(100 * np.trace(law), abs=0.0501)]
    assert_errors_shown(explorer.axes[2], h, f, eps)
    first, second = explorer.words.get_text().split("\n")
    changed, of, weight = numbers(first)[:2] + numbers(first)[-1:]
    assert (changed, of) == (explorer.cloud.moved, DRAWS) and weight == pytest.approx(1 / eps, rel=5e-3)
    np.testing.assert_allclose(numbers(second)[:3], direct.gradient(h, f, eps, explorer.noise).mean(axis=0),
                               atol=5.001e-4)
    np.testing.assert_allclose(numbers(second)[3:], direct.expected_gradient(h, f, eps), atol=5.001e-4)
    assert [numbers(slider.valtext.get_text())[0] for slider in explorer.sliders.values()] == [
        pytest.approx(value, abs=5.001e-3) for value in (eps, f[0] / walls.F[0], *h)]
    assert_draw_shown(explorer)


def assert_errors_shown(ax, h, f, eps):
    """Assert that three lines against eps, a marker line and three points at this eps, and the legend are right."""
    def errors(eps):
        return [np.linalg.norm(direct.bias(h, f, eps)), np.sqrt(direct.variance(h, f, eps).sum() / DRAWS),
                np.sqrt(direct.mse(h, f, eps, DRAWS))]

    *lines, marker_line, points = ax.lines
    np.testing.assert_allclose(points.get_data(), [[eps] * 3, errors(eps)])
    assert list(marker_line.get_xdata()) == [eps, eps]
    legend = ax.get_legend()
    assert [numbers(text.get_text())[0] for text in legend.get_texts()] == [
        pytest.approx(error, rel=5e-3) for error in errors(eps)]
    assert numbers(legend.get_title().get_text()) == [DRAWS]
    for at in (0, 20, 40):
        assert [line.get_xdata()[at] for line in lines] == [panels.GRID[at]] * 3
        np.testing.assert_allclose([line.get_ydata()[at] for line in lines], errors(panels.GRID[at]))


def assert_draw_shown(explorer):
    """Assert that the bars are the perturbed scores of this draw, and that stars and title show its winners."""
    h, f, eps, gammas = explorer.h, explorer.f, explorer.eps, explorer.noise[explorer.chosen]
    ax, heights = explorer.axes[3], np.concatenate([h + gammas, eps * f + h + gammas])
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], heights)
    assert [numbers(text)[0] for text in words(ax)] == [pytest.approx(height, abs=5.001e-3) for height in heights]
    old, new = direct.argmax_pair(h, f, eps, gammas)
    stars, (low, high) = ax.lines[0], ax.get_ylim()
    assert stars.get_marker() == "*" and list(stars.get_xdata()) == [panels.PLACES[old], panels.PLACES[3 + new]]
    assert low < min(0, heights.min()) and max(stars.get_ydata()) < high > heights.max()
    change, g = ax.get_title(loc="left").split("\n")[1], direct.gradient(h, f, eps, gammas)
    assert walls.NAMES[old] in change and walls.NAMES[new] in change
    np.testing.assert_allclose(numbers(change), g, rtol=5e-3)
    np.testing.assert_array_equal(np.ravel(explorer.here.get_data()), walls.differences(gammas[None])[0])


def test_explorer_starts_with_the_given_problem(explorer):
    assert_all_shown(explorer, walls.H, walls.F, 0.3)
    old, new = explorer.cloud.pair
    assert old[explorer.chosen] != new[explorer.chosen]                     # a draw whose winner changes


@pytest.mark.slow
def test_every_panel_is_updated_by_the_sliders(explorer):
    assert_all_shown(explorer, *move_all_sliders(explorer))


def test_draw_under_the_mouse_is_shown(explorer):
    canvas = explorer.figure.canvas
    canvas.draw()
    inside = np.flatnonzero((np.abs(explorer.cloud.points) < 3.9).all(axis=1))
    for index in inside[[5, 50]]:
        x, y = explorer.axes[0].transData.transform(explorer.cloud.points[index])
        canvas.callbacks.process("motion_notify_event", MouseEvent("motion_notify_event", canvas, x + 0.2, y))
        assert explorer.chosen == index
        assert_draw_shown(explorer)
    canvas.callbacks.process("motion_notify_event", MouseEvent("motion_notify_event", canvas, 1, 1))     # outside
    assert explorer.chosen == index


@pytest.mark.slow
def test_redrawing_gives_the_pixels_of_a_new_figure(explorer):
    """After the sliders have moved, the pixels equal those of a new figure of the same problem."""
    canvas = explorer.figure.canvas
    canvas.draw()
    before = np.array(canvas.buffer_rgba())
    move_all_sliders(explorer)
    explorer.sliders["h0"].set_val(3.0)                                     # a name disappears and reappears
    explorer.sliders["h0"].set_val(-1.0)
    after = np.array(canvas.buffer_rgba())
    figure = Figure(figsize=(13.6, 8.2), dpi=50)
    FigureCanvasAgg(figure)
    fresh = Explorer(figure, walls.H, walls.F, 0.3, explorer.noise)
    fresh.chosen = explorer.chosen
    figure.canvas.draw_idle = lambda: None                                  # drawn once, after all moves
    move_all_sliders(fresh)
    figure.canvas.draw()
    np.testing.assert_array_equal(after, figure.canvas.buffer_rgba())
    assert (np.abs(after.astype(int) - before) > 50).any(axis=-1).mean() > 0.01


def test_dragging_a_slider_updates_the_picture(explorer):
    canvas = explorer.figure.canvas
    canvas.draw()
    slider = explorer.sliders["h1"]
    x, y = slider.ax.transData.transform((-2.0, 0.5))
    for name in ("button_press_event", "button_release_event"):
        canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button=1))
    assert explorer.h[1] == pytest.approx(-2.0, abs=0.02)
    assert_shows(explorer.cloud, explorer.h, explorer.f, explorer.eps, explorer.noise)


def test_moving_a_slider_requests_one_redraw(rng):
    class Plain(FigureCanvasBase):
        requests = 0

        def draw_idle(self, *arguments, **keywords):
            self.requests += 1

    figure = Figure(figsize=(13.6, 8.2), dpi=50)
    canvas = Plain(figure)
    explorer = Explorer(figure, walls.H, walls.F, 0.3, gumbel.sample((20, 3), rng))
    canvas.requests = 0
    explorer.sliders["h0"].set_val(1.0)
    assert canvas.requests == 1


@pytest.mark.slow
def test_texts_do_not_overlap_and_have_one_size(rng, monkeypatch):
    drawn, draw = [], Text.draw
    monkeypatch.setattr(Text, "draw", lambda self, renderer: drawn.append(self) or draw(self, renderer))
    figure = Figure(figsize=(13.6, 8.2), dpi=100)
    FigureCanvasAgg(figure)
    names = ("value 0", "value 1", "value 2")
    explorer = Explorer(figure, [-9.0, 2.0, -10.0], [-30.0, 1.0, 50.0], 0.01, gumbel.sample((20_000, 3), rng), names)
    for eps in (-2.0, 1.0):
        drawn.clear()
        explorer.sliders["eps"].set_val(eps)
        texts = [text for text in drawn if text.get_visible() and text.get_text().strip()]
        assert len(texts) > 60 and {text.get_fontsize() for text in texts} == {12}
        boxes = [text.get_window_extent() for text in texts]
        for place, box in enumerate(boxes):
            assert 0 <= box.x0 and box.x1 <= 1360 and 0 <= box.y0 and box.y1 <= 820, texts[place]
            for other, text in zip(boxes[:place], texts):
                across = min(box.x1, other.x1) - max(box.x0, other.x0)
                if across > 1 and min(box.y1, other.y1) - max(box.y0, other.y0) > 1:
                    raise AssertionError(f"{texts[place].get_text()!r} covers {text.get_text()!r}")


def test_cloud_has_a_legend(explorer):
    legend = explorer.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "the walls of h", "the walls of h + εf", "winner changes (ring: old, centre: new)"]
