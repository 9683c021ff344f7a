"""Check what a picture of the walls shows by reading its lines."""
from __future__ import annotations

import numpy as np

from refimpl import direct
from refimpl.plots import walls


def points_of(line) -> set[tuple[float, float]]:
    return set(zip(*(data.tolist() for data in line.get_data())))


def assert_shows(cloud, h, f, eps, noise):
    """Assert that every draw is shown once, with the colours of its winners before and after."""
    old, new = direct.argmax_pair(h, f, eps, noise)
    points = walls.differences(noise)
    for value, line in enumerate(cloud.kept):
        assert points_of(line) == set(map(tuple, points[(old == value) & (new == value)].tolist()))
        assert line.get_color() == walls.COLOURS[value]
    for (i, j), line in cloud.changed.items():
        assert points_of(line) == set(map(tuple, points[(old == i) & (new == j)].tolist()))
        assert (line.get_markeredgecolor(), line.get_markerfacecolor()) == (walls.COLOURS[i], walls.COLOURS[j])
    assert sum(len(line.get_xdata()) for line in (*cloud.kept, *cloud.changed.values())) == len(noise)
    assert cloud.moved == (old != new).sum() == sum(len(line.get_xdata()) for line in cloud.changed.values())
    for line, scores, dash in ((cloud.solid, h, "-"), (cloud.dashed, h + eps * f, "--")):
        shown = np.stack(line.get_data(), axis=-1).reshape(3, 3, 2)
        np.testing.assert_array_equal(shown[:, :2], walls.y_lines(scores, cloud.limits))
        assert np.isnan(shown[:, 2]).all() and line.get_linestyle() == dash
