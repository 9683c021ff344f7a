"""Tests of code that only less usual options or inputs reach."""
from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize

from refimpl import check, danskin, data, direct, exact
from refimpl.arguments import InputError, Options, Setting
from refimpl.check import rounding
from refimpl.check.report import Report
from refimpl.cli.options import read_settings, resumed_settings
from refimpl.cli.parser import make_parser
from refimpl.experiments.measuring import codes, yardsticks
from refimpl.latent.solvers import milp
from refimpl.models.mixture import MixtureVAE
from refimpl.plots import curves, runs
from refimpl.report.store import Spread
from refimpl.runs import checkpoint, loop, streams
from refimpl.runs.vae import NOT_A_BOUND, VAERun, VAESettings
from tests.check.precisions import rounded
from tests.cli.helpers import call
from tests.runs.arriving import mixed, started
from tests.settings import vae
from tests.spies import raw, spied


# --- the mathematics --------------------------------------------------------------------------------------------------

def test_best_eps_is_computed_separately_for_each_problem_of_a_batch():
    """It follows the unit of f, and one problem of the batch has a constant f, for which every eps is perfect."""
    h, f = np.array([0.5, -1, 0.2]), np.array([1.0, 2, 0])
    best = direct.best_eps(h, np.array([f, 0 * f + 3, 1e6 * f]), 5)
    assert np.isfinite(best).all() and best[0] != 1 == best[1]
    assert best[2] == pytest.approx(1e-6 * best[0], rel=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_h_decides_between_values_that_tie_in_f_at_huge_eps_of_either_sign(sign):
    """Two values tie in f, and h, a thousand apart, decides between them.  No exponential may overflow."""
    h, f, eps = [0, 1000, 0], [0, 0, -sign], sign * 1e299
    np.testing.assert_array_equal(danskin.dG_dh(h, f, eps), [0, 1, 0])
    np.testing.assert_array_equal(danskin.d2G_deps_dh(h, f, eps), [0, 0, 0])
    assert danskin.perturbed_max(h, f, eps, np.zeros(3)).value == 1000


def test_integer_program_is_solved_without_a_gap(monkeypatch):
    """By default, the solver may stop up to 1e-4 of the best score below it."""
    calls = spied(monkeypatch, scipy.optimize, "milp")
    milp.argmax(np.ones((1, 3)), np.array([[1.0, -2.0, 0.5]]))
    assert calls[0]["options"]["mip_rel_gap"] == 0


def test_kl_and_gap_are_never_negative():
    """Neither the divergence from the uniform law nor that from the posterior is, for 1,000 almost equal laws."""
    h = np.random.default_rng(0).normal(size=(1_000, 5)) * 1e-9
    assert (exact.kl(h) >= 0).all() and (exact.gap(h, h + 0.1) >= 0).all()
    assert (exact.gap(3e9 * h, 3e9 * h) == 0).all()


def test_gradient_divides_each_problem_of_a_batch_by_its_own_eps():
    h, f, eps = np.zeros((2, 2)), [0, 9], np.array([0.5, 4.0])
    for two_sided, width in ((False, 1), (True, 2)):
        gradient = direct.gradient(h, f, eps, [[1.0, 0], [1.0, 0]], two_sided)
        np.testing.assert_array_equal(gradient, [[-1 / (width * each), 1 / (width * each)] for each in eps])


@pytest.mark.parametrize("n, k, samples", [(1, 3, 100_000), (1, 1_000, 50_000), (12, 2, 12_207)])
def test_default_number_of_samples_depends_on_the_number_of_values(monkeypatch, n, k, samples):
    def run(hook, problem, requested, *more):
        raise StopIteration(requested)

    monkeypatch.setattr(check.recognise, "run", run)
    f = np.arange(k**n).reshape((k,) * n)
    with pytest.raises(StopIteration, match=f"^{samples}$"):
        check.gradient(direct.gradient, np.zeros((n, k)) if n > 1 else np.zeros(k), f)


def test_report_shows_the_components_with_the_largest_errors():
    rows = tuple((0.0, float(i if i % 2 else -i), 1.0, 1.0, 1.0) for i in range(20))
    report = Report(1_000, None, "", None, None, 0, None, "", 0.0, 0.0, 0.0, {}, rows, (0.0,) * 20, (), ())
    assert [int(line.split()[0]) for line in str(report).splitlines()[2:-1]] == list(range(8, 20))


@pytest.mark.parametrize("precision", rounding.PRECISIONS)
def test_rounding_to_a_precision_is_to_nearest_with_ties_to_even(precision):
    """The result agrees with a second implementation."""
    values = np.concatenate([np.random.default_rng(0).normal(size=1_000) * 10, 1 + np.arange(64) / 2**9])
    np.testing.assert_array_equal(rounding.to(precision, values), rounded(values, precision))


def test_merging_options_keeps_the_later_value():
    assert Options(a=1, b=2) | {"a": 3, "c": 4} == {"a": 3, "b": 2, "c": 4}


# --- settings and runs ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, value", [("true", True), ("True", True), ("YES", True), ("1", True), ("false", False),
                                         ("No", False), ("0", False)])
def test_boolean_setting_is_parsed_in_any_letter_case(text, value):
    assert Setting(bool, None, "").parse("name", text) is value


def test_resume_rejects_the_released_preset_for_a_run_without_it():
    options = make_parser().parse_args(["train", "--resume", "--out", "x", "--as-released"])
    as_released = vae(as_released=True).resolved()
    assert resumed_settings(options, as_released, "x") == as_released
    with pytest.raises(InputError, match="^x was made with other settings: kl_grad is True, not False"):
        resumed_settings(options, vae().resolved(), "x")


def test_setting_can_be_given_with_hyphen_underscore_or_as_an_option():
    for words in (["--set", "batch-mean=TRUE"], ["--set", "batch_mean=yes"], ["--batch-mean"]):
        options = make_parser().parse_args(["train", "--estimator", "rebar", *words])
        assert read_settings(options, VAESettings).hyperparameters["batch_mean"] is True


@pytest.mark.parametrize("family, n, chosen, more", [
    *(("pairwise", 4, {"solver": solver}, {"non_negative": True, "pair_start": 0.0})
      for solver in ("persistency", "enumeration", "coordinate")),
    ("pairwise", 4, {"solver": "coordinate", "non_negative": False}, {}), ("paths", 8, {"rows": 4}, {}),
    ("paths", 8, {}, {"rows": 2})])
def test_released_preset_keeps_options_that_it_does_not_set(family, n, chosen, more):
    settings = vae(family=family, n=n, k=2, as_released=True, **chosen).resolved()
    assert {name: value for name, value in settings.family_options.items() if value is not None} == chosen | more


@pytest.mark.parametrize("family, as_released, expected", [("pairwise", True, True), ("pairwise", False, False),
                                                           ("paths", True, False), ("paths", False, False)])
def test_only_pairwise_runs_as_released_have_the_released_loss(family, as_released, expected):
    settings = vae(family=family, n=4, k=2, hidden=2, as_released=as_released).resolved()
    assert (NOT_A_BOUND in VAERun.start(settings).columns) is expected


def test_run_is_rejected_if_it_needs_more_memory_than_available(monkeypatch):
    """It needs weights, gradients, two moments; a batch, its logits, their gradient; all values' logits; h and z."""
    settings = vae(hidden=8, k=3, batch=7).resolved()
    weights = 784 * 8 + 8 + 8 * 3 + 3 + 3 * 8 + 8 + 8 * 784 + 784
    needed = 4 * (4 * weights + (3 * 7 + 2 * 3) * 784 + 2 * 7 * 3)
    monkeypatch.setattr(loop, "available", lambda: needed)
    loop._refuse_what_does_not_fit(settings)
    monkeypatch.setattr(loop, "available", lambda: needed - 1)
    with pytest.raises(InputError, match="^the run needs at least .* GB of memory"):
        loop._refuse_what_does_not_fit(settings)


def test_weight_of_the_gaussian_kl_falls_with_every_step(monkeypatch):
    """It falls from 5 to 1 in two epochs of three steps each."""
    run, dataset = started(mixed(labels=0, beta=5.0, beta_epochs=2))
    backward = spied(monkeypatch, MixtureVAE, "backward")
    for epoch in (0, 1, 2, 3):
        loop.train_epoch(run, dataset.train, epoch=epoch)
    assert [call["beta"] for call in backward] == pytest.approx([*np.linspace(5, 1, 6, endpoint=False), 1, 1, 1])


@pytest.mark.parametrize("weights, used", [((1.0, 0.0), True), ((0.0, 1.0), True), ((1.0, 1.0), True),
                                           ((0.0, 0.0), False)])
def test_labelled_images_are_used_if_either_weight_is_positive(monkeypatch, weights, used):
    run, dataset = started(mixed(label_weight=weights[0], image_weight=weights[1], limit=64))
    labelled, done = spied(monkeypatch, MixtureVAE, "backward_labelled"), list(run.epoch(1, dataset.train))
    assert [(call["weight"], call["image_weight"]) for call in labelled] == [weights] * used
    assert done == [64 * 10 + 20 * used]


def test_noise_of_measurement_at_step_0_matches_the_committed_rows():
    assert streams.measuring(3, 0).random() == np.random.default_rng([3, 0]).random()


# --- what is measured and printed -------------------------------------------------------------------------------------

def test_yardsticks_use_the_last_temperature_of_a_schedule(monkeypatch):
    """The spread is the sample standard deviation, with the divisor repetitions - 1."""
    run = VAERun.start(vae(k=4, hidden=8, estimator="gumbel-softmax", schedule="released").resolved())
    run.adam.t, calls = 100_000, []

    def sampled(model, images, samples, rng, tau=None):
        calls.append((samples, tau))
        return [1.0, 2.0, 6.0][len(calls) % 3] * samples

    monkeypatch.setattr(yardsticks, "sampled", sampled)
    row = yardsticks.measure(run, "words", data.load("mnist", limit=20).test, 3, np.random.default_rng(0))
    assert (row.one, row.hundred) == (3, 300)
    assert row.one_spread == pytest.approx(math.sqrt(7)) and row.hundred_spread == pytest.approx(100 * math.sqrt(7))
    assert [samples for samples, _ in calls] == [1] * 3 + [100] * 3 + [1, 100]
    assert [tau for _, tau in calls[:6]] == [None] * 6
    assert [tau for _, tau in calls[6:]] == pytest.approx([math.exp(-1)] * 2)


@pytest.mark.parametrize("dataset, limit", [("mnist", None), ("fashion-mnist", 40)])
def test_yardsticks_and_codes_use_the_requested_number_of_test_images(monkeypatch, dataset, limit):
    """The limit of the run itself does not matter."""
    run, seen = VAERun.start(vae(k=2, hidden=2, dataset=dataset, limit=limit, batch=10).resolved()), []
    monkeypatch.setattr(checkpoint, "load", lambda *arguments, **named: (run, np.ones((1, len(run.columns)))))
    monkeypatch.setattr(yardsticks, "measure", lambda run, words, part, *more: seen.append(part))
    monkeypatch.setattr(codes, "count", lambda run, part, rng: seen.append(part))
    yardsticks.run(["folder"], images=60)
    codes.run("folder", images=60)
    x, labels = raw(dataset, "test", 60)
    assert len(seen) == 3
    for part in seen:
        assert (part.images() == x).all() and (part.labels == labels).all()


def test_pictures_of_attributes_use_test_images(monkeypatch):
    seen = []
    monkeypatch.setattr(curves, "accuracies", lambda *arguments: "curves")
    for name in ("samples", "switched"):
        monkeypatch.setattr(runs, name, lambda run, part, name=name: seen.append((name, part)) or name)
    entry = SimpleNamespace(name="faces", attributes=("smile",), classes=2)
    settings = SimpleNamespace(label=lambda: "words", entry=entry)
    test = SimpleNamespace(labels=np.array([0]))
    pictures = runs.mixture(SimpleNamespace(settings=settings), [], SimpleNamespace(train=1, valid=2, test=test))
    assert pictures == {f"{name}.png": name for name in ("curves", "samples", "switched")}
    assert seen == [("samples", test), ("switched", test)]


def test_column_of_an_attribute_switches_the_variable_matched_to_it(monkeypatch):
    """Without labels, the variables are in any order.  Here the two variables are exchanged."""
    decoded, part = [], data.Part(np.zeros((4, 1), np.uint8), np.arange(4), (2, 3))
    model = SimpleNamespace(dtype=np.float32, infer=lambda x: (np.array([[0, 1]] * len(x)), None),
                            decode_as=lambda values, g: decoded.append(values.tolist()) or np.zeros((len(values), 6)))
    settings = SimpleNamespace(entry=SimpleNamespace(classes=4, attributes=("a", "b")), shape=(2, 3), label=lambda: "")
    runs.switched(SimpleNamespace(settings=settings, model=model,
                                  naming=lambda part: SimpleNamespace(variable=np.array([1, 0]))), part)
    assert decoded == [[[0, 1]] * 2, [[0, 0]] * 2, [[1, 1]] * 2]


def test_variable_that_rarely_varies_is_not_counted_as_constant(monkeypatch, capsys, tmp_path):
    counted = codes.Codes(1_000, 2, np.array([[0.999, 0.001], [0.0, 1.0]]))
    monkeypatch.setattr(codes, "run", lambda *arguments: (counted, counted))
    status, out, _ = call(capsys, "measure", "codes", tmp_path)
    assert status == 0 and out.count("1 of 2 variables are the same for all of them") == 2


def test_share_of_the_commonest_label_is_among_images_of_that_value():
    z = np.eye(3)[[0, 0, 0, 1, 1]]
    labels = codes._labels(z, np.array([4, 4, 2, 7, 7]))
    assert labels == [(4, 2 / 3), (7, 1.0), (None, 0.0)]


def test_spread_of_zeros_has_no_side():
    assert Spread((0.0, 0.0, 0.0)).side is None and Spread((1.0, 1.0)).side == 1
