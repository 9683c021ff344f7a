"""The walls are where two values tie, and every draw has the colours of its two winners."""
from __future__ import annotations

import operator

import numpy as np
import pytest
from matplotlib.colors import to_hex

from refimpl import gumbel, plots
from refimpl.plots import walls
from tests.plots.shown import assert_shows

DRAWS = 400


@pytest.fixture
def noise(rng):
    return gumbel.sample((DRAWS, 3), rng)


def perturbed(h, points):
    """Return h_0, h_1 + a, h_2 + b at the points (a, b), an array (..., 2)."""
    return np.stack([h[0] + 0 * points[..., 0], h[1] + points[..., 0], h[2] + points[..., 1]], axis=-1)


def on_the_wall(segment, count=9):
    return segment[0] + np.linspace(0, 1, count)[:, None] * (segment[1] - segment[0])


# --- the walls --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("h", [walls.H, walls.H + walls.F, [0.0, 0.0, 0.0], [2.0, -1.5, 0.5], [-1.0, 1.0, 2.0]])
def test_on_a_wall_two_values_tie_and_the_third_is_below(h):
    segments = walls.y_lines(h)
    assert segments.shape == (3, 2, 2) and np.isfinite(segments).all()
    for (i, j), segment in zip(walls.WALLS, segments):
        scores = perturbed(h, on_the_wall(segment))
        np.testing.assert_allclose(scores[:, i], scores[:, j], atol=1e-12)
        third = scores[:, 3 - i - j]
        np.testing.assert_allclose(third[0], scores[0, i], atol=1e-12)          # all three at the centre
        assert (third[1:] < scores[1:, i] - 0.02).all()


@pytest.mark.parametrize("h", [walls.H, [2.0, -1.5, 0.5]])
def test_small_step_off_a_wall_decides_between_its_two_values(h):
    """If the noise of one of the two values rises a little, this value wins."""
    for (i, j), segment in zip(walls.WALLS, walls.y_lines(h)):
        middle = segment.mean(axis=0)
        gammas = np.array([0.0, *middle])
        for winner in (i, j):
            step = 1e-6 * (np.arange(3) == winner)
            assert np.argmax(h + gammas + step) == winner


def test_walls_end_at_the_edge_of_the_window():
    limits = ((-3.0, 2.0), (-1.0, 5.0))
    segments = walls.y_lines(walls.H, limits)
    np.testing.assert_allclose(segments[:, 0], np.tile([0.7, -0.3], (3, 1)))
    np.testing.assert_allclose(segments[:, 1], [[0.7, -1.0], [-3.0, -0.3], [2.0, 1.0]])


def test_walls_are_clipped_if_their_centre_is_outside_the_window():
    """The centre is at (5, 1), to the right of the window, so only the wall to its left crosses the window."""
    segments = walls.y_lines([5.0, 0.0, 4.0], ((-4.0, 4.0), (-4.0, 4.0)))
    np.testing.assert_allclose(segments[1], [[4.0, 1.0], [-4.0, 1.0]])
    assert np.isnan(segments[[0, 2]]).all()
    # the centre is at (-6, -5), below and to the left: only the diagonal wall crosses
    segments = walls.y_lines([-6.0, 0.0, -1.0])
    np.testing.assert_allclose(segments[2], [[-4.0, -3.0], [3.0, 4.0]])
    assert np.isnan(segments[:2]).all()


def test_density_of_the_wall_between_i_and_j_is_q_i_q_j():
    """The differences have density 2 e^{-a-b} / (1 + e^-a + e^-b)^3; its integral along a wall is q_i q_j."""
    q = gumbel.choice_probabilities(walls.H)
    for (i, j), segment in zip(walls.WALLS, walls.y_lines(walls.H, ((-60.0, 60.0), (-60.0, 60.0)))):
        a, b = on_the_wall(segment, 200_001).T
        along = np.maximum(np.abs(a - a[0]), np.abs(b - b[0]))              # the wall 1-2 is diagonal
        density = 2 * np.exp(-a - b) / (1 + np.exp(-a) + np.exp(-b)) ** 3
        mass = (np.diff(along) * (density[1:] + density[:-1]) / 2).sum()
        np.testing.assert_allclose(mass, q[i] * q[j], rtol=1e-6)


def test_differences_are_taken_from_the_first_value():
    np.testing.assert_array_equal(walls.differences([[1.0, 5.0, 2.0], [0.0, -1.0, 3.0]]), [[4.0, 1.0], [-1.0, 3.0]])


# --- the cloud --------------------------------------------------------------------------------------------------------

def test_colours_show_the_two_arg_maxes(noise):
    figure, (ax,) = plots.new_figure(1)
    cloud = walls.draw_cloud(ax, walls.H, walls.F, 0.5, noise)
    assert 40 < cloud.moved < 200                                           # the problem has enough changes
    assert_shows(cloud, walls.H, walls.F, 0.5, noise)
    assert ax.get_xlabel() == "γ(coat) − γ(shirt)" and ax.get_ylabel() == "γ(dress) − γ(shirt)"
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["the walls of h", "the walls of h + εf", "winner changes (ring: old, centre: new)"]


def test_update_shows_the_new_problem_with_the_same_artists(noise, rng):
    figure, (ax,) = plots.new_figure(1)
    cloud = walls.draw_cloud(ax, walls.H, walls.F, 0.5, noise, legend=False)
    before = ax.get_children()
    h, f, new_noise = np.array([-0.5, 0.2, 0.1]), np.array([3.0, 1.0, -1.0]), gumbel.sample((50, 3), rng)
    cloud.update(h, f, 2.0, new_noise)
    assert_shows(cloud, h, f, 2.0, new_noise)
    assert len(ax.get_children()) == len(before) and all(map(operator.is_, ax.get_children(), before))
    assert ax.get_legend() is None


def test_name_of_a_value_is_visible_only_if_its_region_is(noise):
    figure, (ax,) = plots.new_figure(1)
    cloud = walls.draw_cloud(ax, walls.H, walls.F, 0.5, noise)
    assert [text.get_text() for text in cloud.labels] == list(walls.NAMES)
    assert [to_hex(text.get_bbox_patch().get_facecolor()).upper() for text in cloud.labels] == list(walls.COLOURS)
    assert all(text.get_visible() for text in cloud.labels)
    cloud.update([9.0, 0.0, 0.0], walls.F, 0.5, noise)                      # shirt wins in the whole window
    assert [text.get_visible() for text in cloud.labels] == [True, False, False]
    cloud.update([-9.0, 0.0, 0.0], walls.F, 0.5, noise)
    assert [text.get_visible() for text in cloud.labels] == [False, True, True]


@pytest.mark.parametrize("colour, letters", [("#004488", "#FFFFFF"), ("#DDAA33", "#000000"), ("#BB5566", "#FFFFFF"),
                                             ("#FFFFFF", "#000000"), ("#000000", "#FFFFFF")])
def test_text_is_black_or_white_to_be_readable_on_its_colour(colour, letters):
    assert walls.readable(colour) == letters


# --- invalid arguments -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((4, 2)), np.zeros((2, 4, 3)), [[np.nan, 0, 0]]])
def test_invalid_noise_is_rejected(bad):
    with pytest.raises(ValueError, match="^noise must "):
        walls.differences(bad)


@pytest.mark.parametrize("bad", [np.zeros(2), np.zeros((1, 3)), np.zeros(4), [np.inf, 0, 0]])
def test_invalid_scores_are_rejected(bad, noise):
    figure, (ax,) = plots.new_figure(1)
    with pytest.raises(ValueError, match="^h must "):
        walls.y_lines(bad)
    with pytest.raises(ValueError, match="^h must "):
        walls.draw_cloud(ax, bad, walls.F, 0.5, noise)
    with pytest.raises(ValueError, match="^f must "):
        walls.draw_cloud(ax, walls.H, bad, 0.5, noise)


@pytest.mark.parametrize("bad", [((1, -1), (0, 1)), ((0, 1), (2, 2)), (0, 1), ((0, np.nan), (0, 1)), None,
                                 (("a", "b"), (0, 1))])
def test_invalid_window_limits_are_rejected(bad, noise):
    figure, (ax,) = plots.new_figure(1)
    with pytest.raises(ValueError, match="^limits must "):
        walls.y_lines(walls.H, bad)
    with pytest.raises(ValueError, match="^limits must "):
        walls.draw_cloud(ax, walls.H, walls.F, 0.5, noise, bad)


def test_invalid_eps_names_and_types_are_rejected(noise):
    figure, (ax,) = plots.new_figure(1)
    for eps in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="^eps must "):
            walls.draw_cloud(ax, walls.H, walls.F, eps, noise)
    with pytest.raises(ValueError, match="^names and colours must "):
        walls.draw_cloud(ax, walls.H, walls.F, 0.5, noise, names=("a", "b"))
    with pytest.raises(TypeError, match="^h must "):
        walls.y_lines(["a", "b", "c"])


def test_scores_shared_by_the_chapters_are_read_only():
    for scores in (walls.H, walls.F):
        with pytest.raises(ValueError):
            scores[0] = 1.0
