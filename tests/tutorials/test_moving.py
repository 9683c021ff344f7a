"""The moving pictures by their artists, frame by frame; and the files that are kept with the pages."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from refimpl import data, direct, exact, gumbel, plots
from refimpl.experiments import moving_clocks, moving_learning, moving_pictures, moving_walls
from refimpl.plots import walls
from refimpl.runs.vae import VAERun, VAESettings
from tests import gif
from tests.cli.helpers import assert_refused, call
from tests.plots.test_moving import Bar
from tests.plots.test_walls import assert_shows

FIGURES = Path(__file__).resolve().parent.parent.parent / "tutorials" / "figures"


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ""))]


# --- the walls --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def moving_cloud():
    return moving_walls.Walls()


@pytest.mark.parametrize("frame", [0, 11, 20, 30])
def test_a_frame_of_the_walls(moving_cloud, frame):
    made, h, f = moving_cloud, walls.H, walls.F
    made.show(frame)
    eps = moving_walls.EPS[frame]
    assert_shows(made.cloud, h, f, eps, made.noise)
    all_three = direct.gradient(h, f, eps, made.noise)
    g = all_three[:, 0]
    said, moved, of, weight = numbers(made.words[0].get_text().replace("1/ε", ""))
    assert (said, moved, of) == (eps, (all_three != 0).any(axis=1).sum(), len(made.noise))
    assert weight == pytest.approx(1 / eps, abs=0.0501)
    first, total, divisor, count, quotient = numbers(made.words[1].get_text())
    assert first == total == round(g.sum() * eps) and (divisor, count) == (eps, len(made.noise))
    assert quotient == pytest.approx(g.mean(), abs=5.001e-4)
    assert quotient == pytest.approx(total / (eps * count), abs=5.001e-4)
    mean, limit = numbers(made.exact.get_text())
    assert mean == pytest.approx(direct.expected_gradient(h, f, eps)[0], abs=5.001e-4)
    assert limit == pytest.approx(exact.gradient(h, f)[0], abs=5.001e-4)
    shown = moving_walls.EPS[:frame + 1]
    for line, values in ((made.curve, direct.expected_gradient(h, f, shown)[:, 0]),
                         (made.points, [direct.gradient(h, f, each, made.noise)[:, 0].mean() for each in shown])):
        np.testing.assert_array_equal(line.get_xdata(), shown)
        np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-12)
    np.testing.assert_allclose(made.now.get_data(), [[eps], [g.mean()]])


def test_the_walls_come_to_rest_at_a_small_eps(moving_cloud):
    """eps falls, fewer draws change; all draws are inside the scales, and every frame has its turn."""
    assert (np.diff(moving_walls.EPS) < 0).all() and moving_walls.EPS[0] == 1 and moving_walls.EPS[-1] == 0.02
    assert set(moving_cloud.order) == set(range(len(moving_walls.EPS))) and moving_cloud.still in moving_cloud.order
    low, high = moving_cloud.now.axes.get_ylim()
    assert low < moving_cloud.estimates.min() and moving_cloud.estimates.max() < high
    counts = []
    for frame in (0, 10, 20, 30):
        moving_cloud.show(frame)
        counts.append(moving_cloud.cloud.moved)
    assert counts == sorted(counts, reverse=True) and counts[-1] > 5


# --- the clocks -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def clocks():
    return moving_clocks.Clocks()


def at(line) -> tuple[float, float]:
    (x,), (y,) = line.get_data()
    return float(x), float(y)


def test_the_clocks_are_the_scores(rng):
    """The first clock is the arg max; its time is exponential, of the rates' sum."""
    noise = gumbel.sample((20_000, 3), rng)
    X = moving_clocks.times(walls.H, noise)
    np.testing.assert_array_equal(X.argmin(axis=1), gumbel.argmax(walls.H, noise))
    S = np.exp(walls.H).sum()
    assert abs(X.min(axis=1).mean() * S - 1) < 4 / np.sqrt(len(X))                  # its standard error, relative
    np.testing.assert_allclose(X.mean(axis=0) * np.exp(walls.H), 1, atol=4 / np.sqrt(len(X)))


def test_the_first_race(clocks):
    X, seen = clocks.X, []
    for frame, now in enumerate(moving_clocks.TIMES):
        clocks.show(frame)
        for z in range(3):
            assert list(clocks.waits[z].get_xdata()) == [0, min(now, X[z])]
            assert at(clocks.first[z])[0] == X[z] if now >= X[z] else np.isnan(at(clocks.first[z])[0])
            assert np.isnan(at(clocks.second[z])[0])
        rung = now >= X.min()
        assert clocks.result.get_text() == ("z* = coat" if rung else "")
        assert at(clocks.wins[0]) == (X[1], 1) if rung else np.isnan(at(clocks.wins[0])).all()
        seen.append(rung)
    assert 0 < sum(seen) < len(seen) and moving_clocks.TIMES[-1] > X.max()          # all of them ring in the end


@pytest.mark.parametrize("step", [0, 1, 5, 15, 30])
def test_the_second_race(clocks, step):
    eps, X = moving_clocks.EPS[step], clocks.X
    clocks.show(len(moving_clocks.TIMES) + step)
    later = X * np.exp(-eps * walls.F)
    assert [at(line)[0] for line in clocks.first] == X.tolist()
    np.testing.assert_allclose([at(line)[0] for line in clocks.second], later)
    assert later.max() < clocks.wins[0].axes.get_xlim()[1]                          # nothing leaves the picture
    old, new = direct.argmax_pair(walls.H, walls.F, max(eps, 1e-9), clocks.noise)
    assert at(clocks.wins[0]) == (X[old], 2 - old) and at(clocks.wins[1]) == (pytest.approx(later[new]), 2 - new)
    assert numbers(clocks.words[0].get_text()) == [eps]
    words = clocks.result.get_text()
    assert words.startswith(f"z* = {walls.NAMES[old]},  z(ε) = {walls.NAMES[new]}")
    if step:
        g = direct.gradient(walls.H, walls.F, eps, clocks.noise)
        np.testing.assert_allclose(numbers(words), g, atol=0.0501)
        law = direct.joint_law(walls.H, walls.F, eps)
        assert numbers(clocks.words[1].get_text()) == [pytest.approx(100 * (1 - np.trace(law)), abs=0.0501)]


def test_another_clock_overtakes_once_half_way(clocks):
    winners = [int((clocks.X * np.exp(-eps * walls.F)).argmin()) for eps in moving_clocks.EPS]
    assert winners == sorted(winners, reverse=True) and set(winners) == {0, 1}
    assert 10 <= winners.index(0) <= 15 and set(clocks.order) == set(range(clocks.frames))


# --- learning ---------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def learning():
    return moving_learning.Learning(steps=(0, 1, 4, 7), limit=300, hidden=8)


def by_hand(name: str, steps: int) -> VAERun:
    """The same run, step by step: an epoch has three."""
    settings = VAESettings(estimator=name, k=10, seed=moving_learning.SEED, limit=300, hidden=8).resolved()
    run, part, done, epoch = VAERun.start(settings), data.load("mnist", limit=300).train, 0, 1
    while done < steps:
        for _ in run.epoch(epoch, part):
            done += 1
            if done == steps:
                break
        epoch += 1
    return run


@pytest.mark.parametrize("name", ["exact", "direct"])
def test_a_frame_of_the_learning(learning, name):
    for frame in (3, 1, 0):
        learning.show(frame)
        run = by_hand(name, learning.steps[frame])
        mean = 1 / (1 + np.exp(-run.model.decode_all().astype(float)))
        shown = learning.rows[name].get_array().reshape(28, 10, 28 + moving_learning.MARGIN)
        for z in range(10):                                 # in shades that are this far apart
            np.testing.assert_allclose(shown[:, z, :28], mean[z].reshape(28, 28),
                                       atol=0.501 / (moving_learning.GREYS - 1))
            assert (shown[:, z, 28:] == 0).all()
        bounds = -run.model.bounds(data.load("mnist", limit=300).test).elbo
        assert at(learning.points[name]) == (learning.steps[frame], pytest.approx(bounds, rel=1e-9))
        assert list(learning.lines[name].get_xdata()) == list(learning.steps[:frame + 1])
        assert learning.lines[name].get_ydata()[-1] == pytest.approx(bounds, rel=1e-9)
        place = list(moving_learning.NAMES).index(name)
        assert numbers(learning.step.get_text())[1 + place] == round(bounds)
        assert learning.lines[name].get_color() == plots.colour(name)


def test_learning_is_dense_at_first_and_two_epochs_long(learning):
    gaps = np.diff(moving_learning.STEPS)
    assert moving_learning.STEPS[0] == 0 and moving_learning.STEPS[-1] == 2 * 500
    assert (np.diff(gaps) >= 0).all() and gaps[0] < 5 and len(gaps) < 40
    assert set(learning.order) == {0, 1, 2, 3} and learning.still == 3
    words = [text.get_text() for text in learning.figure.texts]
    assert any("seed 0" in each and "chosen" in each for each in words)


# --- the command and its files ----------------------------------------------------------------------------------------

def test_the_command_makes_those_that_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(moving_pictures, "REGISTRY", {"one": Bar, "two": Bar, "three": Bar})
    status, out, err = call(capsys, "moving-pictures", "two", "--out", tmp_path / "some")
    assert status == 0 and err == "" and out.startswith(f"{tmp_path / 'some' / 'two.gif'}: 0.00 MB, 1 s a turn")
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["two.gif", "two.png"]
    assert call(capsys, "moving-pictures", "--out", tmp_path / "all")[0] == 0
    assert len(list((tmp_path / "all").iterdir())) == 6


def test_what_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    assert_refused(capsys, ["moving-pictures", "walls", "flying", "--out", tmp_path / "o"], "flying", "walls, clocks")
    assert_refused(capsys, ["moving-pictures", "--out", tmp_path / "file"], "--out", "file")
    assert_refused(capsys, ["moving-pictures", "--out", ""], "--out", "empty name")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["walls", "clocks", "learning"])
def test_the_files_of_the_pages(name):
    found = gif.read(FIGURES / f"{name}.gif")
    assert (found.width, found.height, found.loops) == (880, 520, 0)
    assert (FIGURES / f"{name}.gif").stat().st_size < 1_000_000
    assert len(found.delays) >= 25 and 5 <= sum(found.delays) / 100 <= 20             # seconds a turn
    assert (FIGURES / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_stills_of_the_pages_are_what_the_command_draws(moving_cloud, clocks):
    for name, made in (("walls", moving_cloud), ("clocks", clocks)):
        made.show(made.still)
        assert plots.digest_of(FIGURES / f"{name}.png") == plots.drawn(made.figure), name
