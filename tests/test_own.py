"""A user's estimator with hyperparameters, and a user's family of latent variables, each defined in a file."""
from __future__ import annotations

import csv
import json
import math
import runpy

import numpy as np
import pytest

from refimpl import data, estimators, latent
from refimpl.latent.paths import all_paths
from refimpl.nn.losses import softplus_sum
from refimpl.runs import checkpoint
from tests import own
from tests.cases import first
from tests.cli.helpers import assert_refused, call
from tests.settings import vae

TINY = ["--hidden", 8, "--limit", 120, "--batch", 40]


def registered(monkeypatch, tmp_path, registry, name, content) -> dict:
    """Run the file once and return its names.  Its entry of the registry is removed after the test."""
    path = tmp_path / "mine.py"
    path.write_text(content)
    monkeypatch.setitem(registry, name, None)
    return runpy.run_path(str(path))


@pytest.fixture
def mine(monkeypatch, tmp_path):
    return registered(monkeypatch, tmp_path, estimators.REGISTRY, "mine", own.ESTIMATOR)


@pytest.fixture
def subsets(monkeypatch, tmp_path):
    return registered(monkeypatch, tmp_path, latent.REGISTRY, "subsets", own.FAMILY)


def weights(folder) -> np.ndarray:
    return checkpoint.load(folder / checkpoint.FILE)[0].model.parameters.values


def last(folder) -> dict[str, float]:
    with open(folder / "metrics.csv", newline="") as stream:
        return {name: float(value or "nan") for name, value in list(csv.DictReader(stream))[-1].items()}


# --- a custom estimator with hyperparameters --------------------------------------------------------------------------

def test_custom_hyperparameters_are_set_stored_and_passed_to_the_estimator(mine, tmp_path, capsys):
    train = ["train", "--estimator", "mine", *TINY, "--epochs", 1]
    status, out, err = call(capsys, *train, "--set", "lam=0.3", "--out", tmp_path / "a")
    assert status == 0, err
    assert set(mine["seen"]) == {(0.3, "plain", False)} and "mine, k = 10, lam = 0.3, words = plain, seed 0" in out
    stored = json.loads((tmp_path / "a" / "config.json").read_text())
    assert stored["kind"] == "train" and stored["hyperparameters"] == {"lam": 0.3, "steep": False, "words": "plain"}
    settings = checkpoint.load(tmp_path / "a" / checkpoint.FILE)[0].settings
    assert dict(settings.hyperparameters) == stored["hyperparameters"]
    assert call(capsys, *train, "--lam", 0.3, "--out", tmp_path / "b")[0] == 0        # --lam is an option, too
    assert call(capsys, *train, "--out", tmp_path / "c")[0] == 0                      # the default, 0.5
    assert (weights(tmp_path / "a") == weights(tmp_path / "b")).all()
    assert (weights(tmp_path / "a") != weights(tmp_path / "c")).any() and mine["seen"][-1][0] == 0.5
    mine["seen"].clear()
    assert call(capsys, *train, "--set", "words=florid", "steep=yes", "--set", "lam=1", "--out", tmp_path / "d")[0] == 0
    assert set(mine["seen"]) == {(1.0, "florid", True)}
    assert vae(estimator="mine", lam=1.0, words="florid", steep=True).resolved().label() == \
        "mine, k = 10, lam = 1, words = florid, steep"


def test_run_with_custom_estimator_resumes_only_with_its_own_hyperparameters(mine, tmp_path, capsys):
    train = ["train", "--estimator", "mine", *TINY, "--set", "lam=0.3"]
    assert call(capsys, *train, "--epochs", 2, "--out", tmp_path / "whole")[0] == 0
    assert call(capsys, *train, "--epochs", 1, "--out", tmp_path / "parts")[0] == 0
    resume = ["train", "--resume", "--epochs", 2, "--out", tmp_path / "parts"]
    assert_refused(capsys, [*resume, "--set", "lam=0.4"], "lam is 0.3, not 0.4")
    assert_refused(capsys, [*resume, "--set", "steep=true"], "steep is False, not True")
    assert_refused(capsys, [*resume, "--set", "mal=0.3"], "unknown setting 'mal'", "lam, words, steep")
    assert call(capsys, *resume, "--set", "lam=0.3")[0] == 0
    assert (weights(tmp_path / "whole") == weights(tmp_path / "parts")).all()


@pytest.mark.parametrize("assignments, words", [
    (["lam=1.5"], ["--lam", "at most 1", "1.5"]), (["lam=-0.1"], ["--lam", "at least 0"]), (["lam=nan"], ["--lam"]),
    (["lam=much"], ["--lam must be a number, got 'much'"]), (["lam"], ["--set must be NAME=VALUE, got 'lam'"]),
    (["lamb=0.3"], ["unknown setting 'lamb'", "did you mean 'lam'?", "there are lam, words, steep"]),
    (["words=florrid"], ["did you mean 'florid'?", "plain, florid"]), (["steep=rather"], ["--steep", "true or false"]),
    (["eps=0.1"], ["--eps is a setting of the estimator direct", "which has --lam, --words, --steep"])])
def test_bad_custom_hyperparameters_are_rejected_in_one_line(mine, tmp_path, capsys, assignments, words):
    train = ["train", "--estimator", "mine", *TINY]
    assert_refused(capsys, [*train, "--set", *assignments, "--out", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change, error, words", [
    (dict(unbiased="yes"), TypeError, "unbiased must be True or False, got 'yes'"),
    (dict(colour="greenish"), ValueError, "colour must be a string such as '#D55E00', got 'greenish'")])
def test_wrong_entry_of_the_registry_is_refused(change, error, words):
    with pytest.raises(error) as problem:
        estimators.Estimator(**{"name": "mine", "estimate": None, "summary": "", "unbiased": False, **change})
    assert str(problem.value) == words


def test_default_outside_its_own_range_is_refused():
    with pytest.raises(ValueError, match="^the default of a setting must be at most 1 and at least 0, got 7.0$"):
        estimators.Setting(float, 7.0, "weight of the baseline", least=0, most=1)


@pytest.mark.parametrize("result, words", [
    ("None", "must return Estimate(grad, decoder_term), got NoneType"),
    ("run, grad", "must return Estimate(grad, decoder_term), got tuple"),
    ("grad.mean(0, keepdims=True), run", "must return a gradient of the shape of theta, (40, 1, 10), got (1, 1, 10)"),
    ("grad * float('nan'), run", "returned a gradient that contains NaN or infinity; if this happens only after many "
                                 "steps, training diverged: try a smaller --lr")])
def test_wrong_result_of_a_custom_estimator_is_refused_in_one_line(monkeypatch, tmp_path, capsys, result, words):
    content = own.ESTIMATOR.replace("return Estimate(", "grad, run = (")
    assert content != own.ESTIMATOR
    last_line = content.index("grad, run = (")
    end = content.index("\n", last_line)
    content = f"{content[:end]}\n    return {result}{content[end:]}"
    registered(monkeypatch, tmp_path, estimators.REGISTRY, "mine", content)
    assert_refused(capsys, ["train", "--estimator", "mine", *TINY, "--epochs", 1, "--out", tmp_path / "run"],
                   f"the estimator mine {words}")


def test_custom_hyperparameter_is_in_help_and_rejected_for_other_estimators(mine, tmp_path, capsys):
    assert "--lam LAM" in call(capsys, "train", "--help")[1]
    assert_refused(capsys, ["train", *TINY, "--lam", 0.3, "--out", tmp_path / "run"],
                   "--lam is a setting of the estimator mine, not of this run, which has --eps")


# --- a custom family --------------------------------------------------------------------------------------------------

def log_likelihood(folder, values: np.ndarray) -> float:
    """Return the mean over test images of log mean_z p(x given z), for z in these values (K, n k)."""
    run = checkpoint.load(folder / checkpoint.FILE)[0]
    test = data.load("mnist", limit=120).test
    x = test.images(slice(0, len(test))).astype(float)
    scores = []
    for z in values:
        a = run.model.decoder.forward(z[None].astype(np.float32)).astype(float)
        scores.append(x @ a[0] - softplus_sum(a)[0])
    return float(np.mean(np.logaddexp.reduce(scores, axis=0) - math.log(len(values))))


def hots(ones: np.ndarray) -> np.ndarray:
    return np.stack([1 - ones, ones], axis=-1).reshape(len(ones), -1)


@pytest.mark.parametrize("estimator", first(2, ["direct", "perturbed", "two-sided", "direct-joint", "imle"]))
def test_custom_family_trains_and_resumes_to_the_bit(subsets, tmp_path, capsys, estimator):
    train = ["train", "--family", "subsets", "--n", 5, "--k", 2, "--set", "size=2", "--estimator", estimator, *TINY]
    status, out, err = call(capsys, *train, "--epochs", 2, "--out", tmp_path / "whole")
    assert status == 0, err
    assert f"{estimator}, n = 5, k = 2, subsets of 2" in out and "test -log p(x)" in out
    assert call(capsys, *train, "--epochs", 1, "--out", tmp_path / "parts")[0] == 0
    resume = ["train", "--resume", "--epochs", 2, "--out", tmp_path / "parts"]
    assert_refused(capsys, [*resume, "--size", 3], "size is 2, not 3")
    assert call(capsys, *resume)[0] == 0
    assert (weights(tmp_path / "whole") == weights(tmp_path / "parts")).all()
    two_of_five = np.array([[i in (a, b) for i in range(5)] for a in range(5) for b in range(a)], float)
    assert len(two_of_five) == 10
    expected = log_likelihood(tmp_path / "whole", hots(two_of_five))
    assert last(tmp_path / "whole")["test_log_likelihood"] == pytest.approx(expected, abs=2e-4)


def test_options_of_a_custom_family_are_checked(subsets, tmp_path, capsys):
    train = ["train", "--family", "subsets", "--n", 5, "--k", 2, *TINY, "--out", tmp_path / "run"]
    assert_refused(capsys, [*train, "--size", 6], "size at most --n", "got size 6 of 5")
    assert_refused(capsys, [*train, "--set", "size=0"], "--size must be at least 1, got 0")
    assert_refused(capsys, [*train, "--set", "sizes=2"], "unknown setting 'sizes'", "did you mean 'size'?")
    assert_refused(capsys, [*train, "--solver", "maxflow"], "--solver is a setting of the family pairwise", "--size")
    assert_refused(capsys, [*train, "--estimator", "gumbel-softmax"], "does not work with --family subsets", "direct")
    for given in (["--kl-grad"], ["--kl-weight", "0.5"]):
        assert_refused(capsys, [*train, *given], "--family subsets has no KL term in closed form")
    assert_refused(capsys, ["train", "--size", 2, *TINY, "--out", tmp_path / "run"],
                   "--size is a setting of the family subsets, not of this run")
    assert not (tmp_path / "run").exists()
    settings = vae(family="subsets", n=5, k=2).resolved()
    assert dict(settings.family_options) == {"size": 1, "mirrored": False} and settings.label().startswith(
        "direct, n = 5, k = 2, subsets of 1, ")


def test_run_of_an_unregistered_family_is_rejected_with_an_explanation(subsets, tmp_path, capsys, monkeypatch):
    train = ["train", "--family", "subsets", "--n", 5, "--k", 2, *TINY, "--epochs", 1, "--out", tmp_path / "run"]
    assert call(capsys, *train)[0] == 0
    monkeypatch.delitem(latent.REGISTRY, "subsets")
    for arguments in (["train", "--resume", "--out", tmp_path / "run"],
                      ["compare", tmp_path / "run", "--save", tmp_path / "x.png"]):
        assert_refused(capsys, arguments, "'subsets'", "not registered here; register it first")


# --- paths ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("more, grid", [([], (3, 3)), (["--rows", 1], (1, 9)), (["--set", "rows=3"], (3, 3))])
def test_run_of_paths_has_a_uniform_prior_on_the_paths(tmp_path, capsys, more, grid):
    status, out, err = call(capsys, "train", "--family", "paths", "--n", 9, "--k", 2, *TINY, *more, "--epochs", 2,
                            "--out", tmp_path / "run")
    assert status == 0, err
    assert f"paths over {grid[0]} x {grid[1]} cells" in out
    paths = all_paths(*grid)
    assert len(paths) == (6 if grid == (3, 3) else 1)
    assert last(tmp_path / "run")["test_log_likelihood"] == pytest.approx(
        log_likelihood(tmp_path / "run", hots(paths)), abs=2e-4)


def test_likelihood_distinguishes_a_prior_on_paths_from_one_on_all_joint_values(tmp_path, capsys):
    # so the test above can detect a prior on the wrong values
    from refimpl import joint

    assert call(capsys, "train", "--family", "paths", "--n", 4, "--k", 2, *TINY, "--epochs", 2,
                "--out", tmp_path / "run")[0] == 0
    logged = last(tmp_path / "run")["test_log_likelihood"]
    assert abs(logged - log_likelihood(tmp_path / "run", joint.one_hots(4, 2))) > 0.01
