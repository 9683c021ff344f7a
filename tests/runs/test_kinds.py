"""A new kind of run, estimator or data set needs one file and one line; these tests add one of each."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from refimpl import cli, data, estimators, plots
from refimpl.cli import words
from refimpl.cli.words import Words
from refimpl.estimators import Estimate, Estimator, Setting
from refimpl.estimators.sampling import sample
from refimpl.experiments.theory import estimators_table
from refimpl.experiments.training import compare
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE
from refimpl.plots import runs as pictures_of_runs
from refimpl.runs import KINDS, checkpoint, kind_of
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings, setting
from tests.asserts import assert_same_to_the_bit
from tests.spies import spied


@dataclass(frozen=True)
class SketchSettings(RunSettings):
    width: int = setting(5, "width of the sketch", least=1)
    bold: bool | None = setting(None, "whether lines are bold (default: they are)")

    def _filled(self):
        return replace(self, kl_grad=self.kl_grad is not False, bold=self.bold is not False)

    def label(self) -> str:
        return f"sketch {self.width}"


class Sketch(Run):
    """A minimal kind of run: one variable with four values, measured by the bound on the test images."""

    COMMAND, SUMMARY, FORMAT, SETTINGS, EPOCHS = "sketch", "train a sketch", "sketch 1", SketchSettings, 2
    columns = ("epoch", "step", "test_elbo", "seconds", "evaluations")

    @classmethod
    def create(cls, settings, rng):
        return cls(settings, VAE(Independent(1, 4), settings.width), rng)

    def step(self, x):
        self.model.parameters.zero_grads()
        result = self.model.backward(x, self.estimator, self.rng, self.settings.kl_grad, **self.keywords(self.adam.t))
        self.adam.step()
        return result.evaluations * len(x)

    def measure(self, dataset, epoch, last):
        return {"epoch": epoch, "step": self.adam.t, "test_elbo": self.model.bounds(dataset.test).elbo}


def draw_sketch(run, rows, dataset):
    figure, (ax,) = plots.new_figure(1)
    ax.plot([row["epoch"] for row in rows], [-row["test_elbo"] for row in rows])
    return {"curves.png": figure}


class SketchWords(Words):
    def folder(self, settings):
        return f"sketch-{settings.width}"

    def heading(self, settings):
        return settings.label()

    def line(self, settings, row):
        return f"sketched {row['epoch']:.0f}"

    def result(self, settings, row):
        return f"bound {row['test_elbo']:.1f}"


@pytest.fixture
def sketch(monkeypatch) -> None:
    monkeypatch.setitem(KINDS, "sketch", Sketch)
    monkeypatch.setitem(words.KINDS, "sketch", SketchWords())
    monkeypatch.setitem(pictures_of_runs.KINDS, "sketch", draw_sketch)


def test_new_kind_of_run_without_texts_or_pictures_prints_its_metrics(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(KINDS, "sketch", Sketch)
    assert cli.main(["sketch", "--limit", "70", "--batch", "30", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "mnist: sketch 5, seed 0" in out and "epoch 1, step 3, test_elbo -" in out
    assert not list((tmp_path / "run").glob("*.png"))


def test_new_kind_of_run_trains_saves_and_resumes(sketch, tmp_path, capsys, monkeypatch):
    options = ["sketch", "--width", "6", "--no-bold", "--limit", "70", "--batch", "30", "--estimator", "reinforce"]
    assert cli.main([*options, "--epochs", "3", "--out", str(tmp_path / "whole")]) == 0
    out = capsys.readouterr().out
    assert "sketch 6" in out and "sketched 3" in out and "3 epochs: bound -" in out
    assert cli.main([*options, "--epochs", "1", "--out", str(tmp_path / "parts")]) == 0
    assert cli.main([*options, "--epochs", "3", "--out", str(tmp_path / "parts"), "--resume"]) == 0
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")
    run, history = checkpoint.load(tmp_path / "whole" / checkpoint.FILE)
    assert type(run) is Sketch is kind_of(run.settings) and history.shape == (3, 5) and run.memory["steps"][0] == 9
    assert run.settings.width == 6 and run.settings.bold is False and (tmp_path / "whole" / "curves.png").exists()
    capsys.readouterr()
    for command in (["measure", "codes", str(tmp_path / "whole")],
                    ["measure", "variance", "--run", str(tmp_path / "whole"), "--out", str(tmp_path)]):
        assert cli.main(command) == 2
        assert "is a run of the command sketch; a run of train is needed here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "train a sketch" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert cli.main(options) == 0 and (tmp_path / "runs" / "sketch-6" / checkpoint.FILE).exists()


def coin(theta, objective, rng, *, tau):
    """Estimate the gradient by the score function times tau, which is biased unless tau is 1."""
    z = sample(theta, rng)
    run = objective.run(z)
    return Estimate(tau * run.f[:, None, None] * (z - 0.5), run)


@pytest.fixture
def registered(monkeypatch) -> Estimator:
    """Register the estimator coin for the duration of a test, and return its entry."""
    entry = Estimator("coin", coin, "a coin", unbiased=False, colour="#123456",
                      hyperparameters={"tau": Setting(float, 0.7, "of the coin", least=0)})
    monkeypatch.setitem(estimators.REGISTRY, "coin", entry)
    return entry


def test_registered_estimator_trains_and_is_plotted_in_its_colour(registered, tmp_path, capsys, monkeypatch):
    small = ["--hidden", "6", "--limit", "70", "--batch", "30", "--epochs", "2", "--estimator", "coin"]
    calls = spied(monkeypatch, VAE, "backward")
    assert cli.main(["train", *small, "--out", str(tmp_path / "coin")]) == 0
    assert {call["settings"]["tau"] for call in calls} == {0.7} and calls[0]["estimator"] is registered
    calls.clear()
    assert cli.main(["train", *small, "--tau", "0.25", "--out", str(tmp_path / "quarter")]) == 0
    assert {call["settings"]["tau"] for call in calls} == {0.25}
    assert cli.main(["semi-supervised", *small[2:], "--labels", "0", "--out", str(tmp_path / "mixture")]) == 0
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert "coin" in capsys.readouterr().out

    saved = spied(monkeypatch, plots, "save")
    compare.run([tmp_path / "coin", tmp_path / "quarter"], tmp_path / "c.png")
    lines = saved[-1]["figure"].axes[0].lines
    assert [(line.get_color(), line.get_linestyle()) for line in lines] == [("#123456", "-"), ("#123456", "--")]
    monkeypatch.setattr(estimators_table, "WARM_UP", 5)
    estimators_table.run(2, 3, 1_000, 0, tmp_path)
    bias = saved[-1]["figure"].axes[0]
    place = [label.get_text() for label in bias.get_yticklabels()].index("coin")
    y = bias.get_yticks()[place]
    assert "#123456" in {line.get_color() for line in bias.lines if list(line.get_ydata()) == [y]}
    assert plots.colour("coin") == "#123456" and plots.colour("nobody") != "#123456"


def test_colours_of_estimators_are_all_different():
    colours = [plots.colour(name) for name in estimators.REGISTRY]
    assert len(set(colours)) == len(colours)
    assert [entry.colour for entry in estimators.REGISTRY.values()] == colours


def test_initial_weights_depend_on_the_seed_and_not_on_the_estimator():
    """The run's generator draws the weights, and then continues with the order of the images and the noise."""
    for kind in KINDS.values():
        run, other_estimator, other_seed = (
            kind.start(kind.SETTINGS(estimator=name, seed=seed).resolved())
            for name, seed in (("direct", 3), ("gumbel-softmax", 3), ("direct", 4)))
        np.testing.assert_array_equal(run.model.parameters.values, other_estimator.model.parameters.values)
        assert (run.model.parameters.values != other_seed.model.parameters.values).any()
        assert run.rng.bit_generator.state == other_estimator.rng.bit_generator.state != np.random.default_rng(
            3).bit_generator.state


# --- a data set -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("classes", [10, None])
def test_registered_data_set_trains_the_vae_and_if_labelled_the_mixture(classes, tmp_path, capsys, monkeypatch):
    """The data set has 60 random images.  Without labels the mixture refuses it and says why."""
    def read(folder):
        rng = np.random.default_rng(7)
        labels = np.arange(60, dtype=np.uint8) % 10 if classes else None
        return tuple(data.Part(rng.integers(256, size=(60, 98), dtype=np.uint8), labels) for _ in range(3))

    monkeypatch.setitem(data.REGISTRY, "noise", data.Entry("noise", read, classes, "nothing to see"))
    seen = spied(monkeypatch, VAE, "backward")
    small = ["--dataset", "noise", "--batch", "60", "--epochs", "1"]
    assert cli.main(["train", *small, "--hidden", "4", "--out", str(tmp_path / "run")]) == 0
    assert "noise: direct" in capsys.readouterr().out
    images = read(None)[0].images()
    np.testing.assert_array_equal(np.sort(seen[0]["x"], axis=0), np.sort(images, axis=0))       # in any order
    mixture = ["semi-supervised", *small, "--labels", "10", "--pretrain", "1", "--gaussian", "2"]
    status = cli.main([*mixture, "--out", str(tmp_path / "mixture")])
    err = capsys.readouterr().err
    assert status == (0 if classes else 2) and (err == "") == (classes is not None)
    assert classes or "noise has no labels of two classes or more; semi-supervised takes mnist, fashion-mnist, " in err
