"""The animations: the contents of their frames, and the committed files."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from moving import clocks as clocks_program
from moving import learning as learning_program
from moving import make
from moving import puzzle as puzzle_program
from moving import walls as walls_program
from refimpl import data, direct, exact, gumbel, plots
from refimpl.experiments.jigsaw import tiles
from refimpl.plots import walls
from refimpl.runs.vae import VAERun
from tests import gif
from tests.plots.bar import Bar
from tests.plots.shown import assert_shows
from tests.settings import vae

FIGURES = Path(__file__).resolve().parent.parent.parent / "tutorials" / "figures"


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("−", "-").replace(",", ""))]


# --- the walls --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def moving_cloud():
    return walls_program.Walls()


@pytest.mark.parametrize("frame", [0, 11, 23, 25, 27])
def test_walls_animation_frame_shows_correct_numbers(moving_cloud, frame):
    animation, h, f = moving_cloud, walls.H, walls.F
    animation.show(frame)
    eps, draws = walls_program.FRAMES[frame]
    noise = animation.noise[:draws]
    assert_shows(animation.cloud, h, f, eps, noise)
    all_three = direct.gradient(h, f, eps, noise)
    g = all_three[:, 0]
    eps_shown, moved, of, weight = numbers(animation.words[0].get_text().replace("1/ε", ""))
    assert (eps_shown, moved, of) == (eps, (all_three != 0).any(axis=1).sum(), draws)
    assert weight == pytest.approx(1 / eps, abs=0.0501)
    first, total, divisor, count, quotient = numbers(animation.words[1].get_text())
    assert first == total == round(g.sum() * eps) and (divisor, count) == (eps, draws)
    assert quotient == pytest.approx(g.mean(), abs=5.001e-4)
    assert quotient == pytest.approx(total / (eps * count), abs=5.001e-4)
    mean, limit = numbers(animation.exact.get_text())
    assert mean == pytest.approx(direct.expected_gradient(h, f, eps)[0], abs=5.001e-4)
    assert limit == pytest.approx(exact.gradient(h, f)[0], abs=5.001e-4)
    shown = walls_program.FRAMES[:frame + 1]
    for line, values in ((animation.curve, [direct.expected_gradient(h, f, each)[0] for each, _ in shown]),
                         (animation.points, [direct.gradient(h, f, each, animation.noise[:draws])[:, 0].mean()
                                             for each, draws in shown])):
        np.testing.assert_array_equal(line.get_xdata(), [each for each, _ in shown])
        np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-12)
    np.testing.assert_allclose(animation.now.get_data(), [[eps], [g.mean()]])


def test_walls_animation_ends_at_an_accurate_estimate(moving_cloud):
    """First eps falls and fewer draws change; then more draws bring the error below one standard error."""
    eps, draws = (np.array(each) for each in zip(*walls_program.FRAMES))
    falls, grows = np.diff(eps) < 0, np.diff(draws) > 0
    assert (falls ^ grows).all() and falls.tolist() == sorted(falls, reverse=True) and eps[0] == 1 and eps[-1] == 0.05
    assert set(moving_cloud.order) == set(range(len(eps))) and moving_cloud.still in moving_cloud.order
    assert moving_cloud.order[-1] == len(eps) - 1
    low, high = moving_cloud.now.axes.get_ylim()
    assert low < min(moving_cloud.estimates) and max(moving_cloud.estimates) < high
    counts = []
    for frame in (0, 10, 23):
        moving_cloud.show(frame)
        counts.append(moving_cloud.cloud.moved)
    assert counts == sorted(counts, reverse=True) and counts[-1] > 5
    error = np.sqrt(direct.variance(walls.H, walls.F, eps[-1])[0] / draws[-1])
    assert abs(moving_cloud.estimates[-1] - moving_cloud.limit) < error < 0.02


def test_walls_animation_has_a_legend(moving_cloud):
    (key,) = moving_cloud.figure.legends
    words = [text.get_text() for text in key.get_texts()]
    assert words == ["the walls of h", "the walls of h + εf", "winner changes (ring: old, centre: new)"]


# --- the clocks -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def clocks():
    return clocks_program.Clocks()


def at(line) -> tuple[float, float]:
    (x,), (y,) = line.get_data()
    return float(x), float(y)


def test_clock_times_agree_with_perturbed_scores(rng):
    """The first clock is the arg max, and its time is exponential with the sum of the rates."""
    noise = gumbel.sample((20_000, 3), rng)
    X = clocks_program.times(walls.H, noise)
    np.testing.assert_array_equal(X.argmin(axis=1), gumbel.argmax(walls.H, noise))
    S = np.exp(walls.H).sum()
    assert abs(X.min(axis=1).mean() * S - 1) < 4 / np.sqrt(len(X))                  # the relative standard error
    np.testing.assert_allclose(X.mean(axis=0) * np.exp(walls.H), 1, atol=4 / np.sqrt(len(X)))


def test_clocks_animation_shows_the_first_race(clocks):
    X, rings = clocks.X, []
    for frame, now in enumerate(clocks_program.TIMES):
        clocks.show(frame)
        for z in range(3):
            assert list(clocks.waits[z].get_xdata()) == [0, min(now, X[z])]
            assert at(clocks.first[z]) == (min(now, X[z]), 2 - z)                   # also in the first frame
            assert np.isnan(at(clocks.second[z])[0])
        rung = now >= X.min()
        assert clocks.result.get_text() == ("z* = coat" if rung else "")
        assert at(clocks.wins[0]) == (X[1], 1) if rung else np.isnan(at(clocks.wins[0])).all()
        rings.append(rung)
    assert 0 < sum(rings) < len(rings) and clocks_program.TIMES[-1] > X.max()          # in the end all have rung


@pytest.mark.parametrize("step", [0, 1, 5, 15, 30])
def test_clocks_animation_shows_the_second_race(clocks, step):
    eps, X = clocks_program.EPS[step], clocks.X
    clocks.show(len(clocks_program.TIMES) + step)
    later = X * np.exp(-eps * walls.F)
    assert [at(line)[0] for line in clocks.first] == X.tolist()
    np.testing.assert_allclose([at(line)[0] for line in clocks.second], later)
    assert later.max() < clocks.wins[0].axes.get_xlim()[1]                          # everything is inside the picture
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


def test_clocks_animation_names_each_clock_and_explains_the_symbols(clocks):
    labels = [label.get_text() for label in clocks.first[0].axes.get_yticklabels()]
    assert labels == ["shirt, f = 1", "coat, f = −2", "dress, f = 0.5"]
    words = [text.get_text() for text in clocks.figure.texts]
    assert any("★ rings first" in each for each in words)
    assert any(each.startswith("f: the decoder's score") for each in words)
    assert clocks.order[0] == clocks.still                              # the first picture is not empty


def test_winner_of_the_clocks_changes_once_near_the_middle(clocks):
    winners = [int((clocks.X * np.exp(-eps * walls.F)).argmin()) for eps in clocks_program.EPS]
    assert winners == sorted(winners, reverse=True) and set(winners) == {0, 1}
    assert 10 <= winners.index(0) <= 15 and set(clocks.order) == set(range(clocks.frames))


# --- learning ---------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def learning():
    return learning_program.Learning(steps=(0, 1, 4, 7), limit=300, hidden=8)


def reference_run(name: str, steps: int) -> VAERun:
    """Return the same run after a number of steps; an epoch has three steps."""
    settings = vae(estimator=name, k=10, seed=learning_program.SEED, limit=300, hidden=8).resolved()
    run, part, done, epoch = VAERun.start(settings), data.load("mnist", limit=300).train, 0, 1
    while done < steps:
        for _ in run.epoch(epoch, part):
            done += 1
            if done == steps:
                break
        epoch += 1
    return run


@pytest.mark.parametrize("name", ["exact", "direct"])
def test_learning_animation_frame_shows_the_run_at_its_step(learning, name):
    for frame in (3, 1, 0):
        learning.show(frame)
        run = reference_run(name, learning.steps[frame])
        mean = 1 / (1 + np.exp(-run.model.decode_all().astype(float)))
        shown = learning.rows[name].get_array().reshape(28, 10, 28 + learning_program.MARGIN)
        for z in range(10):                                 # up to the distance of two shades
            np.testing.assert_allclose(shown[:, z, :28], mean[z].reshape(28, 28),
                                       atol=0.501 / (learning_program.GREYS - 1))
            assert (shown[:, z, 28:] == 0).all()
        bounds = -run.model.bounds(data.load("mnist", limit=300).test).elbo
        assert at(learning.points[name]) == (learning.steps[frame], pytest.approx(bounds, rel=1e-9))
        assert list(learning.lines[name].get_xdata()) == list(learning.steps[:frame + 1])
        assert learning.lines[name].get_ydata()[-1] == pytest.approx(bounds, rel=1e-9)
        place = list(learning_program.NAMES).index(name)
        assert numbers(learning.step.get_text())[1 + place] == round(bounds)
        assert learning.lines[name].get_color() == plots.colour(name)


def test_learning_animation_covers_two_epochs_with_more_frames_at_the_start(learning):
    gaps = np.diff(learning_program.STEPS)
    assert learning_program.STEPS[0] == 0 and learning_program.STEPS[-1] == 2 * 500
    assert (np.diff(gaps) >= 0).all() and gaps[0] < 5 and len(gaps) < 40
    assert set(learning.order) == {0, 1, 2, 3} and learning.still == 3
    words = [text.get_text() for text in learning.figure.texts]
    assert any("seed 0" in each and "chosen" in each for each in words)


# --- the jigsaw -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def jigsaw():
    return puzzle_program.Puzzle(steps=(0, 1, 12), tested=30)


def test_jigsaw_animation_places_every_tile_by_its_matching(jigsaw):
    """At rest, the white pixels agree with assemble(); the frames between two states differ from both."""
    size, gap = 27, puzzle_program.MARGIN
    for look in range(3):
        z = np.eye(9)[jigsaw.places[look]]
        whole = tiles.assemble(jigsaw.tiles, z, 3)
        jigsaw.show(look * puzzle_program.BETWEEN)
        shown = np.asarray(jigsaw.picture.get_array())
        for image in range(10):
            down, right = ((size + gap) * number for number in divmod(image, 5))
            square = shown[down:down + size, right:right + size]
            np.testing.assert_array_equal(square == 1, whole[image] == 1)
            grey = (square.reshape(3, 9, 3, 9) == puzzle_program.WRONG).any(axis=(1, 3)).sum()
            assert grey == jigsaw.wrong[look][image].sum()
        assert numbers(jigsaw.words.get_text()) == [jigsaw.steps[look], *(pytest.approx(100 * share, abs=0.501)
                                                                          for share in jigsaw.shares[look])]
    between = jigsaw.canvas(2)
    assert (between != jigsaw.canvas(0)).any() and (between != jigsaw.canvas(4)).any()
    assert set(jigsaw.order) == set(range(9)) and jigsaw.still == 8 and puzzle_program.STEPS[0] == 0


# --- the command and its files ----------------------------------------------------------------------------------------

@pytest.fixture
def bars(monkeypatch, tmp_path) -> Path:
    """Replace the animations by three small ones, and the folder of figures by one that contains a file of one."""
    monkeypatch.setattr(make, "REGISTRY", {"one": Bar, "two": Bar, "three": Bar})
    monkeypatch.setattr(make, "FIGURES", tmp_path / "figures")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "two.gif").write_text("precious")
    return tmp_path / "figures"


def test_program_writes_the_animations_that_are_named(bars, tmp_path, capsys):
    assert make.main(["two", "--out", str(tmp_path / "some")]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith(f"{tmp_path / 'some' / 'two.gif'}: 0.00 MB, 1 s; for print: two.png")
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["two.gif", "two.png"]
    assert make.main(["--out", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").iterdir())) == 6
    assert make.main(["two", "--write"]) == 0
    assert sorted(path.name for path in bars.iterdir()) == ["two.gif", "two.png"]
    assert gif.read(bars / "two.gif").loops == 0


def test_invalid_arguments_are_rejected_without_writing(bars, tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for arguments, words in ((["one", "flying", "--out", str(tmp_path / "o")], ["flying", "one, two, three"]),
                             (["--out", str(tmp_path / "file")], ["file"]),
                             ([], ["tutorials/figures", "--write", "--out DIR"]),
                             (["two", "--out", f"{tmp_path}/o/../figures"], ["--write"])):
        assert make.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("make.py: error: ") and err.count("\n") == 1
        assert all(word in err for word in words), err
    with pytest.raises(SystemExit) as ended:
        make.main(["--out", ""])
    assert ended.value.code == 2 and "empty name" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures", "file"]
    assert [path.read_text() for path in bars.iterdir()] == ["precious"]


@pytest.mark.slow
def test_program_runs_from_any_folder(tmp_path):
    """It finds the package, and without --write it does not change the committed files."""
    done = subprocess.run([sys.executable, make.__file__], cwd=tmp_path, capture_output=True, text=True,
                          env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and "--write" in done.stderr


@pytest.mark.parametrize("name", ["walls", "clocks", "learning", "puzzle"])
def test_committed_animations_have_the_expected_size_and_duration(name):
    written = gif.read(FIGURES / f"{name}.gif")
    assert (written.width, written.height, written.loops) == (880, 520, 0)
    assert (FIGURES / f"{name}.gif").stat().st_size < 1_000_000
    assert len(written.delays) >= 25 and 5 <= sum(written.delays) / 100 <= 20         # seconds per turn
    assert (FIGURES / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_committed_stills_are_up_to_date(moving_cloud, clocks):
    for name, animation in (("walls", moving_cloud), ("clocks", clocks)):
        animation.show(animation.still)
        assert plots.digest_of(FIGURES / f"{name}.png") == plots.figure_digest(animation.figure), name
