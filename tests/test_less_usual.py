"""What only other options or unusual input reach."""
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

def test_every_problem_of_a_batch_has_a_best_eps_of_its_own():
    """In the unit of its f, and beside a constant f, for which every eps is perfect."""
    h, f = np.array([0.5, -1, 0.2]), np.array([1.0, 2, 0])
    found = direct.best_eps(h, np.array([f, 0 * f + 3, 1e6 * f]), 5)
    assert np.isfinite(found).all() and found[0] != 1 == found[1]
    assert found[2] == pytest.approx(1e-6 * found[0], rel=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_score_is_found_under_a_huge_tilt_of_either_sign(sign):
    """Two values tie in f, and h alone, a thousand apart, decides between them: no exponential may overflow."""
    h, f, eps = [0, 1000, 0], [0, 0, -sign], sign * 1e299
    np.testing.assert_array_equal(danskin.dG_dh(h, f, eps), [0, 1, 0])
    np.testing.assert_array_equal(danskin.d2G_deps_dh(h, f, eps), [0, 0, 0])
    assert danskin.perturbed_max(h, f, eps, np.zeros(3)).value == 1000


def test_the_integer_program_may_leave_no_gap(monkeypatch):
    """By default the solver stops 1e-4 of the best score below it."""
    asked = spied(monkeypatch, scipy.optimize, "milp")
    milp.argmax(np.ones((1, 3)), np.array([[1.0, -2.0, 0.5]]))
    assert asked[0]["options"]["mip_rel_gap"] == 0


def test_no_divergence_is_below_0():
    """Neither that of q from the uniform law nor that of q from the posterior, at any of 1,000 equal laws."""
    h = np.random.default_rng(0).normal(size=(1_000, 5)) * 1e-9
    assert (exact.kl(h) >= 0).all() and (exact.gap(h, h + 0.1) >= 0).all()
    assert (exact.gap(3e9 * h, 3e9 * h) == 0).all()


def test_every_problem_of_a_batch_is_divided_by_its_own_eps():
    h, f, eps = np.zeros((2, 2)), [0, 9], np.array([0.5, 4.0])
    for two_sided, width in ((False, 1), (True, 2)):
        found = direct.gradient(h, f, eps, [[1.0, 0], [1.0, 0]], two_sided)
        np.testing.assert_array_equal(found, [[-1 / (width * each), 1 / (width * each)] for each in eps])


@pytest.mark.parametrize("n, k, samples", [(1, 3, 100_000), (1, 1_000, 50_000), (12, 2, 12_207)])
def test_so_many_draws_are_checked_by_default(monkeypatch, n, k, samples):
    def run(hook, problem, asked, *more):
        raise StopIteration(asked)

    monkeypatch.setattr(check.recognise, "run", run)
    f = np.arange(k**n).reshape((k,) * n)
    with pytest.raises(StopIteration, match=f"^{samples}$"):
        check.gradient(direct.gradient, np.zeros((n, k)) if n > 1 else np.zeros(k), f)


def test_the_components_that_are_farthest_off_are_shown():
    rows = tuple((0.0, float(i if i % 2 else -i), 1.0, 1.0, 1.0) for i in range(20))
    report = Report(1_000, None, "", None, None, 0, None, "", 0.0, 0.0, 0.0, {}, rows, (0.0,) * 20, (), ())
    assert [int(line.split()[0]) for line in str(report).splitlines()[2:-1]] == list(range(8, 20))


@pytest.mark.parametrize("precision", rounding.PRECISIONS)
def test_numbers_are_rounded_to_the_nearest_of_a_precision(precision):
    """Ties to even, as a second implementation does it."""
    values = np.concatenate([np.random.default_rng(0).normal(size=1_000) * 10, 1 + np.arange(64) / 2**9])
    np.testing.assert_array_equal(rounding.to(precision, values), rounded(values, precision))


def test_the_later_of_two_options_counts():
    assert Options(a=1, b=2) | {"a": 3, "c": 4} == {"a": 3, "b": 2, "c": 4}


# --- settings and runs ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, value", [("true", True), ("True", True), ("YES", True), ("1", True), ("false", False),
                                         ("No", False), ("0", False)])
def test_a_switch_in_any_case(text, value):
    assert Setting(bool, None, "").parse("name", text) is value


def test_the_preset_contradicts_a_run_that_was_made_without_it():
    options = make_parser().parse_args(["train", "--resume", "--out", "x", "--as-released"])
    as_released = vae(as_released=True).resolved()
    assert resumed_settings(options, as_released, "x") == as_released
    with pytest.raises(InputError, match="^x was made with other settings: kl_grad is True, not False"):
        resumed_settings(options, vae().resolved(), "x")


def test_a_setting_by_its_name_on_the_command_line():
    """With a hyphen or an underscore, as an option of its own or after --set."""
    for words in (["--set", "batch-mean=TRUE"], ["--set", "batch_mean=yes"], ["--batch-mean"]):
        options = make_parser().parse_args(["train", "--estimator", "rebar", *words])
        assert read_settings(options, VAESettings).hyperparameters["batch_mean"] is True


@pytest.mark.parametrize("family, n, chosen, more", [
    *(("pairwise", 4, {"solver": solver}, {"non_negative": True, "pair_start": 0.0})
      for solver in ("persistency", "enumeration", "coordinate")),
    ("pairwise", 4, {"solver": "coordinate", "non_negative": False}, {}), ("paths", 8, {"rows": 4}, {}),
    ("paths", 8, {}, {"rows": 2})])
def test_the_preset_keeps_the_options_that_it_does_not_set(family, n, chosen, more):
    made = vae(family=family, n=n, k=2, as_released=True, **chosen).resolved()
    assert {name: value for name, value in made.family_options.items() if value is not None} == chosen | more


@pytest.mark.parametrize("family, as_released, there", [("pairwise", True, True), ("pairwise", False, False),
                                                        ("paths", True, False), ("paths", False, False)])
def test_only_runs_as_released_have_the_released_loss(family, as_released, there):
    settings = vae(family=family, n=4, k=2, hidden=2, as_released=as_released).resolved()
    assert (NOT_A_BOUND in VAERun.start(settings).columns) is there


def test_memory_that_a_run_needs_at_least(monkeypatch):
    """Weights, gradients and two moments; a batch, its logits and their gradient; each value's logits; scores and z."""
    settings = vae(hidden=8, k=3, batch=7).resolved()
    weights = 784 * 8 + 8 + 8 * 3 + 3 + 3 * 8 + 8 + 8 * 784 + 784
    needed = 4 * (4 * weights + (3 * 7 + 2 * 3) * 784 + 2 * 7 * 3)
    monkeypatch.setattr(loop, "available", lambda: needed)
    loop._refuse_what_does_not_fit(settings)
    monkeypatch.setattr(loop, "available", lambda: needed - 1)
    with pytest.raises(InputError, match="^it needs at least .* GB of memory"):
        loop._refuse_what_does_not_fit(settings)


def test_the_weight_of_the_gaussian_s_kl_falls_with_every_step(monkeypatch):
    """Three steps an epoch, and two epochs from 5 to 1."""
    run, dataset = started(mixed(labels=0, beta=5.0, beta_epochs=2))
    backward = spied(monkeypatch, MixtureVAE, "backward")
    for epoch in (0, 1, 2, 3):
        loop.train_epoch(run, dataset.train, epoch=epoch)
    assert [call["beta"] for call in backward] == pytest.approx([*np.linspace(5, 1, 6, endpoint=False), 1, 1, 1])


@pytest.mark.parametrize("weights, there", [((1.0, 0.0), True), ((0.0, 1.0), True), ((1.0, 1.0), True),
                                            ((0.0, 0.0), False)])
def test_labelled_images_take_part_while_either_weight_is_above_0(monkeypatch, weights, there):
    run, dataset = started(mixed(label_weight=weights[0], image_weight=weights[1], limit=64))
    labelled, done = spied(monkeypatch, MixtureVAE, "backward_labelled"), list(run.epoch(1, dataset.train))
    assert [(call["weight"], call["image_weight"]) for call in labelled] == [weights] * there
    assert done == [64 * 10 + 20 * there]


def test_the_noise_of_a_look_at_step_0_is_that_of_the_committed_rows():
    assert streams.measuring(3, 0).random() == np.random.default_rng([3, 0]).random()


# --- what is measured and printed -------------------------------------------------------------------------------------

def test_yardsticks_of_a_schedule_are_taken_at_its_end(monkeypatch):
    """tau is the last one, and a spread that of a sample: over repetitions - 1."""
    run = VAERun.start(vae(k=4, hidden=8, estimator="gumbel-softmax", schedule="released").resolved())
    run.adam.t, asked = 100_000, []

    def sampled(model, images, samples, rng, tau=None):
        asked.append((samples, tau))
        return [1.0, 2.0, 6.0][len(asked) % 3] * samples

    monkeypatch.setattr(yardsticks, "sampled", sampled)
    row = yardsticks.measure(run, "words", data.load("mnist", limit=20).test, 3, np.random.default_rng(0))
    assert (row.one, row.hundred) == (3, 300)
    assert row.one_spread == pytest.approx(math.sqrt(7)) and row.hundred_spread == pytest.approx(100 * math.sqrt(7))
    assert [samples for samples, _ in asked] == [1] * 3 + [100] * 3 + [1, 100]
    assert [tau for _, tau in asked[:6]] == [None] * 6
    assert [tau for _, tau in asked[6:]] == pytest.approx([math.exp(-1)] * 2)


@pytest.mark.parametrize("dataset, limit", [("mnist", None), ("fashion-mnist", 40)])
def test_a_finished_run_is_looked_at_on_test_images(monkeypatch, dataset, limit):
    """As many as are asked for, whatever the run's own limit was."""
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


def test_pictures_of_attributes_are_of_test_images(monkeypatch):
    seen = []
    monkeypatch.setattr(curves, "accuracies", lambda *arguments: "curves")
    for name in ("samples", "switched"):
        monkeypatch.setattr(runs, name, lambda run, part, name=name: seen.append((name, part)) or name)
    settings = SimpleNamespace(label=lambda: "words", entry=SimpleNamespace(name="faces", attributes=("smile",)))
    made = runs.mixture(SimpleNamespace(settings=settings), [], SimpleNamespace(train=1, valid=2, test=3))
    assert made == {f"{name}.png": name for name in ("curves", "samples", "switched")}
    assert seen == [("samples", 3), ("switched", 3)]


def test_the_column_of_an_attribute_switches_the_variable_that_has_its_name(monkeypatch):
    """Without labels the variables have found an order of their own: here each attribute is the other's place."""
    asked, part = [], data.Part(np.zeros((4, 1), np.uint8), np.arange(4), (2, 3))
    model = SimpleNamespace(dtype=np.float32, infer=lambda x: (np.array([[0, 1]] * len(x)), None),
                            decode_as=lambda values, g: asked.append(values.tolist()) or np.zeros((len(values), 6)))
    settings = SimpleNamespace(entry=SimpleNamespace(classes=4, attributes=("a", "b")), shape=(2, 3), label=lambda: "")
    runs.switched(SimpleNamespace(settings=settings, model=model,
                                  naming=lambda part: SimpleNamespace(variable=np.array([1, 0]))), part)
    assert asked == [[[0, 1]] * 2, [[0, 0]] * 2, [[1, 1]] * 2]


def test_a_variable_that_hardly_varies_does_vary(monkeypatch, capsys, tmp_path):
    counted = codes.Codes(1_000, 2, np.array([[0.999, 0.001], [0.0, 1.0]]))
    monkeypatch.setattr(codes, "run", lambda *arguments: (counted, counted))
    status, out, _ = call(capsys, "measure", "codes", tmp_path)
    assert status == 0 and out.count("1 of 2 variables are the same for all of them") == 2


def test_the_share_of_a_value_s_commonest_label_is_of_its_own_images():
    z = np.eye(3)[[0, 0, 0, 1, 1]]
    found = codes._labels(z, np.array([4, 4, 2, 7, 7]))
    assert found == [(4, 2 / 3), (7, 1.0), (None, 0.0)]


def test_no_difference_at_all_has_no_side():
    assert Spread((0.0, 0.0, 0.0)).side is None and Spread((1.0, 1.0)).side == 1
