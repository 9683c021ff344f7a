"""What the benchmark counts.  The times that it measures are not tested."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data, estimators
from refimpl.arguments import InputError
from refimpl.experiments.measuring import benchmark
from refimpl.nn.layers import Linear
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.vae import VAESettings
from tests.settings import vae

CASES = benchmark.cases(20)
NAMES = [settings.label() for settings in CASES]


@pytest.fixture
def counted(monkeypatch) -> list[tuple[int, int, int]]:
    """Return a list to which the shape of every product that a layer computes from now on is added."""
    shapes: list[tuple[int, int, int]] = []
    forward, backward, accumulate = Linear.forward, Linear.backward, Linear.accumulate

    def recording(shape_of, function):
        def wrapped(self, *arguments, **keywords):
            shapes.append(shape_of(self, *arguments))
            return function(self, *arguments, **keywords)
        return wrapped

    monkeypatch.setattr(Linear, "forward", recording(lambda self, x: (len(x), self.n_in, self.n_out), forward))
    monkeypatch.setattr(Linear, "backward", recording(lambda self, x, y, dy: (len(dy), self.n_out, self.n_in),
                                                      backward))
    monkeypatch.setattr(Linear, "accumulate", recording(lambda self, x, dy, weight=1.0: (self.n_in, len(x), self.n_out),
                                                        accumulate))
    return shapes


def products_outside_the_layers(settings) -> list[tuple[int, int, int]]:
    """Return the shapes of the products of a step that no layer computes: see models/tables.py and
    models/neighbours.py."""
    if isinstance(settings, MixtureSettings):
        if settings.estimator == "gumbel-softmax":
            return []
        # the first layer for all classes; the logits, with a column of ones for the bias; and W x
        shapes = [(20, 30, 2000), (200, 401, 784), (20, 784, 401)]
        # the backward pass
        return shapes + ([(30, 20, 2000), (20, 2000, 30)] if settings.estimator == "exact" else [])
    if settings.n == 1:                                             # images times logits, and weights times images
        return [(20, 784, settings.k), (settings.k, 20, 784)] if settings.estimator in ("exact", "direct") else []
    if settings.estimator in ("direct", "two-sided", "local-expectation", "local-tilted"):
        return [(300, 301, 784), (20, 784, 301)]                    # the logits of all neighbours, and W x
    return []


@pytest.mark.parametrize("settings", CASES, ids=NAMES)
def test_product_shapes_are_those_of_a_real_step(settings, counted):
    shapes = benchmark.product_shapes(settings)
    counted.clear()
    step = benchmark.step_function(settings, data.load("mnist", limit=200))
    step()
    counted.clear()                                                 # the first step of reinforce has one more pass
    step()
    if settings.estimator == "relax":                               # leave out its own small network, of width 32
        shapes = [shape for shape in shapes if 32 not in shape]
        counted[:] = [shape for shape in counted if 32 not in shape]
        expected = sorted(counted)
    else:
        expected = sorted(counted + products_outside_the_layers(settings))
    assert sorted(shapes) == expected


def test_product_shapes_of_the_simplest_step():
    """gumbel-softmax with k = 10: 4 products forward, 4 for the gradients of the weights, 3 for the backward pass."""
    shapes = benchmark.product_shapes(vae(batch=20, estimator="gumbel-softmax").resolved())
    forward = [(20, 784, 300), (20, 300, 10), (20, 10, 300), (20, 300, 784)]
    weights = [(inner, rows, columns) for rows, inner, columns in forward]
    backward = [(rows, columns, inner) for rows, inner, columns in forward[1:]]
    assert sorted(shapes) == sorted(forward + weights + backward)


def test_counting_products_does_not_change_a_step():
    """A step with arrays that count products gives exactly the same weights as a step with plain arrays."""
    settings = vae(batch=20, estimator="direct", n=15, k=2).resolved()
    dataset = data.load("mnist", limit=200)
    plain, counting = (benchmark.started(settings, dataset) for _ in range(2))
    parameters, stop = counting.model.parameters, 0
    for layer in parameters.layers:
        start, stop = stop, stop + layer.n_parameters
        layer.bind(parameters.values.view(benchmark.Counted)[start:stop],
                   parameters.grads.view(benchmark.Counted)[start:stop])
    for run in (plain, counting):
        run.step(dataset.train.images(slice(0, 20), run.model.dtype))
    np.testing.assert_array_equal(plain.model.parameters.values, np.asarray(parameters.values))


def test_cases_cover_the_estimators_solvers_and_kinds_of_run():
    train = [settings for settings in CASES if isinstance(settings, VAESettings)]
    cases = [(settings.estimator, settings.n, settings.k) for settings in train]
    for name in ("exact", "direct", "gumbel-softmax", "straight-through-gumbel-softmax"):
        assert (name, 1, 10) in cases and (name, 1, 50) in cases
    assert {settings.estimator for settings in train if settings.n == 15 and settings.family == "independent"} == {
        name for name, entry in estimators.REGISTRY.items() if not entry.enumerates}
    assert {settings.family_options.get("solver") for settings in train} == {
        None, "persistency", "maxflow", "enumeration", "coordinate"}
    assert [settings.estimator for settings in CASES if isinstance(settings, MixtureSettings)] == [
        "direct", "gumbel-softmax", "exact"]
    assert all(settings.batch == 20 and settings.resolved() == settings for settings in CASES)


def test_row_has_the_medians_over_rounds(monkeypatch):
    """The first round is a warm-up and does not count.  In every round the step is timed before its products."""
    case, batches = vae(batch=10, hidden=8).resolved(), []
    monkeypatch.setattr(benchmark, "cases", lambda batch: batches.append(batch) or [case])
    times = iter([99, 99, 7, 70, 1, 10, 2, 20])
    monkeypatch.setattr(benchmark, "seconds", lambda function, count: float(next(times)))
    (row,) = benchmark.run(batch=10, steps=1, rounds=3)
    assert row == (case.label(), 2, 20) and batches == [10]


def test_seconds_are_the_mean_time_of_one_call(monkeypatch):
    now, calls = [100.0], []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: now[0])

    def function():
        calls.append(now[0])
        now[0] += 3.0

    assert benchmark.seconds(function, 4) == 3.0 and len(calls) == 4


def test_epoch_seconds_times_consecutive_epochs_of_one_direct_run(monkeypatch):
    now, trained = [100.0], []

    def train(run, part, after_step):
        trained.append((run, len(part)))
        now[0] += 1.0 + len(trained)

    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(benchmark, "train_epoch", train)
    assert benchmark.epoch_seconds(k=7, epochs=4) == [2.0, 3.0, 4.0, 5.0]
    assert len({id(run) for run, _ in trained}) == 1 and {images for _, images in trained} == {50_000}
    assert trained[0][0].settings == vae(k=7).resolved() and trained[0][0].settings.estimator == "direct"


@pytest.mark.parametrize("wrong, message", [
    (dict(batch=0), "--batch must be at least 1 and at most 10000, got 0"),
    (dict(steps=0), "--steps must be at least 1, got 0"),
    (dict(batch=10_001), "--batch must be at most 10000 and at least 1, got 10001"),
    (dict(rounds=0), "--rounds must be at least 1, got 0")])
def test_number_out_of_range_is_named(wrong, message):
    with pytest.raises(InputError) as problem:
        benchmark.run(**wrong)
    assert str(problem.value) == message
