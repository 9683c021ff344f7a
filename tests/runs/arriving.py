"""Checks of what a run passes on and measures; each fails with an AssertionError."""
from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from refimpl import data
from refimpl.models.mixture import MixtureVAE
from refimpl.models.vae import VAE
from refimpl.runs import loop
from refimpl.runs.mixture import MixtureRun, MixtureSettings
from refimpl.runs.naming import accuracies
from refimpl.runs.schedules import released
from refimpl.runs.vae import VAERun, VAESettings
from tests.runs import by_hand
from tests.settings import mixture, vae
from tests.spies import raw, spied

FEW = dict(limit=150, batch=64, labels=20, pretrain=2, gaussian=4)


def small(**settings) -> VAESettings:
    return vae(**{**dict(hidden=8, limit=150, batch=64), **settings}).resolved()


def mixed(**settings) -> MixtureSettings:
    return mixture(**{**FEW, **settings}).resolved()


def started(settings):
    """Return a new run and its data."""
    dataset = data.load(settings.dataset, None, settings.limit)
    run = (VAERun if isinstance(settings, VAESettings) else MixtureRun).start(settings)
    run.attach(dataset)
    return run, dataset


def check_an_epoch(settings) -> None:
    """Check that an epoch uses every training image exactly once, in the order drawn by the run's own generator, and
    that its last batch is smaller."""
    for epoch in (1, 2):
        run, dataset = started(settings)
        for _ in range(epoch):
            seen: list[np.ndarray] = []
            state = run.rng.bit_generator.state
            run.step = lambda x: seen.append(x) or len(x)
            evaluations = list(run.epoch(epoch, dataset.train))
        order = np.random.default_rng()
        order.bit_generator.state = state
        x, _ = raw(settings.dataset, "train", settings.limit)
        assert [len(batch) for batch in seen] == evaluations == [64, 64, 22] and run.steps(epoch, dataset.train) == 3
        np.testing.assert_array_equal(np.concatenate(seen), x[order.permutation(150)])


def check_training_images(folder) -> None:
    """Check that the loop trains on the whole training part in each epoch."""
    with pytest.MonkeyPatch.context() as patch:
        steps = spied(patch, VAERun, "step")
        loop.train(small(), 2, folder)
    x, _ = raw("mnist", "train", 150)
    for epoch in (steps[:3], steps[3:]):
        seen = np.concatenate([step["x"] for step in epoch])
        assert sorted(map(bytes, seen.astype(np.uint8))) == sorted(map(bytes, x.astype(np.uint8)))


def part(name: str, limit: int, dataset: str = "mnist") -> data.Part:
    """Return a part that is cut directly from the shipped file."""
    images, labels = raw(dataset, name, limit)
    return data.Part(np.packbits(images.astype(np.uint8), axis=1), labels)


def check_row_of_train() -> None:
    """Check that each column has the bound of the right part."""
    run, dataset = started(small(k=5))
    loop.train_epoch(run, dataset.train)
    row = run.measure(dataset, 1, True)
    parts = {name: run.model.bounds(part(name, 150)) for name in ("train", "valid", "test")}
    elbos = [bounds.elbo for bounds in parts.values()]
    assert np.diff(sorted(elbos)).min() > 0.05                              # no two values are close
    for name in parts:
        assert row[f"{name}_elbo"] == pytest.approx(parts[name].elbo, rel=1e-12), name
    assert row["test_log_likelihood"] == pytest.approx(parts["test"].log_likelihood, rel=1e-12)
    assert row["gap"] == pytest.approx(parts["test"].gap, rel=1e-9)
    assert row["epoch"] == 1 and row["step"] == 3 and row["eps_or_tau"] == 0.1


def check_exact_every() -> None:
    """Check that with more than 1,024 joint values the exact test bound is computed every exact_every epochs and at the
    end, and the sampled bound always."""
    run, dataset = started(small(n=11, k=2, limit=64, exact_every=3))
    rows = [run.measure(dataset, epoch, epoch == 7) for epoch in range(1, 8)]
    assert [math.isfinite(row["test_elbo"]) for row in rows] == [False, False, True, False, False, True, True]
    test = part("test", 64)
    bounds = run.model.bounds(test)
    assert rows[2]["test_elbo"] == bounds.elbo and rows[2]["test_log_likelihood"] == bounds.log_likelihood
    assert all(math.isnan(row[name]) for row in rows for name in ("train_elbo", "valid_elbo"))
    sampled = [row["sampled_elbo"] for row in rows]
    assert len(set(sampled)) == 7
    expected = [run.model.sampled_elbo(test, np.random.default_rng([0, epoch])) for epoch in range(1, 8)]
    assert sampled == expected


def check_noise_of_the_sampled_bound() -> None:
    """Check that the noise depends only on the epoch and the seed, and not on the run's generator."""
    values = {}
    for seed in (0, 1):
        run, dataset = started(small(n=3, k=2, seed=seed))
        run.model.parameters.values[...] = np.random.default_rng(5).normal(size=len(run.model.parameters.values)) / 5
        state = run.rng.bit_generator.state
        for epoch in (1, 2):
            values[seed, epoch] = run.measure(dataset, epoch, False)["sampled_elbo"]
            assert values[seed, epoch] == run.measure(dataset, epoch, True)["sampled_elbo"]
        assert run.rng.bit_generator.state == state
    assert len(set(values.values())) == 4


def taught(settings=None):
    """Return a mixture after a few steps of training, which has different accuracies on the two parts."""
    run, dataset = started(settings or mixed(pretrain=40, labels=50, shift=0, lr=2e-3))
    for epoch in (0, 1):
        loop.train_epoch(run, dataset.train, epoch=epoch)
    return run, dataset


def check_row_of_the_mixture() -> None:
    """Check that accuracy and bound are those of the test part, and valid_accuracy that of the validation part.

    The prediction is the likeliest class."""
    run, dataset = taught()
    row, shares = run.measure(dataset, 1, False), {}
    for name in ("train", "valid", "test"):
        x, labels = raw("mnist", name, 150)
        predicted = run.model.class_head.forward(run.model.trunk.forward(x)).argmax(axis=1)
        shares[name] = np.mean(predicted == labels)
    labelled = np.mean(run.model.class_head.forward(
        run.model.trunk.forward(run.x_labelled)).argmax(axis=1) == run.y_labelled)
    assert np.diff(sorted([*shares.values(), labelled])).min() > 0.004       # no two values are close
    assert row["accuracy"] == pytest.approx(shares["test"], abs=1e-12)
    assert row["valid_accuracy"] == pytest.approx(shares["valid"], abs=1e-12)
    bounds = {name: run.model.bound(part(name, 150), np.random.default_rng([0, 1])) for name in shares}
    assert {name: row[name] for name in bounds["test"]._fields} == bounds["test"]._asdict()
    assert all(abs(bounds[name].test_elbo - bounds["test"].test_elbo) > 0.05 for name in ("train", "valid"))
    assert row["test_elbo"] != run.measure(dataset, 2, False)["test_elbo"]             # other noise in another epoch
    assert row["test_elbo"] == run.measure(dataset, 1, True)["test_elbo"]


def check_clusters_are_matched_and_classes_are_not() -> None:
    run, dataset = taught()
    for array in (run.model.class_head.layers[-1].W, run.model.class_head.layers[-1].b):
        array[...] = np.roll(array, 1, axis=-1)                             # exchange the names of the classes
    predicted, labels = run.model.classify(dataset.test), dataset.test.labels
    plain, matched = (accuracies(predicted, labels, 1, 10, matched).every for matched in (False, True))
    assert plain < matched - 0.1 and run.accuracy(dataset.test) == plain
    unlabelled, _ = started(mixed(labels=0))
    unlabelled.model.parameters.values[...] = run.model.parameters.values
    assert unlabelled.accuracy(dataset.test) == matched


def check_end_of_the_pretraining(estimator: str = "direct", name: str = "eps") -> None:
    """Check that the schedule starts with the first step after the pretraining."""
    run, dataset = started(mixed(estimator=estimator, as_released=True, limit=64))
    assert math.isnan(run.measure(dataset, 0, False)["eps_or_tau"])
    refresh = {"eps": 500, "tau": 1_000}[name]
    for done in (0, 1, refresh - 1, refresh, refresh + 1):
        run.adam.t = 2 + done                               # two steps of pretraining: two epochs of 20 images
        with pytest.MonkeyPatch.context() as patch:
            backward = spied(patch, MixtureVAE, "backward")
            run.step(dataset.train.images(slice(0, 5)))
        value = math.exp(-1e-5 * refresh) if done >= refresh else 1.0
        assert backward[-1]["settings"][name] == value == run.measure(dataset, 1, False)["eps_or_tau"]


def check_temperature_of_train(estimator: str = "direct", name: str = "eps") -> None:
    """Check that step t has the temperature of step t, where the first step is step 0."""
    run, dataset = started(small(estimator=estimator, as_released=True, limit=64))
    refresh = {"eps": 500, "tau": 1_000}[name]
    for done in (0, 1, refresh - 1, refresh, refresh + 1):
        run.adam.t = done
        with pytest.MonkeyPatch.context() as patch:
            backward = spied(patch, VAE, "backward")
            run.step(dataset.train.images(slice(0, 5)))
        value = math.exp(-1e-5 * refresh) if done >= refresh else 1.0
        assert backward[-1]["settings"][name] == value == run.measure(dataset, 1, False)["eps_or_tau"]


def check_widths_solver_and_family() -> None:
    run = VAERun.start(small(n=4, k=2, hidden=9, family="pairwise", solver="persistency"))
    assert run.model.family.solver.name == "persistency" and run.model.family.non_negative is True
    free = VAERun.start(small(n=4, k=2, hidden=9, family="pairwise", solver="enumeration", non_negative=False))
    assert free.model.family.solver.name == "enumeration" and free.model.family.non_negative is False
    widths = lambda network: [layer.W.shape for layer in network.layers if hasattr(layer, "W")]
    plain = VAERun.start(small(n=3, k=5, hidden=9)).model
    assert widths(plain.encoder) == [(784, 9), (9, 15)] and widths(plain.decoder) == [(15, 9), (9, 784)]
    assert MixtureRun.start(mixed(gaussian=6)).model.d == 6
    assert widths(MixtureRun.start(mixed(gaussian=6)).model.decoder)[0] == (60, 200)


def check_sum_of_both_terms() -> None:
    """Check that Adam gets the sum of the gradients of the two terms."""
    run, dataset = started(mixed(label_weight=3.0, image_weight=0.5))
    parts, seen, right = [], [], (MixtureVAE.backward, MixtureVAE.backward_labelled)

    def alone(function):
        def recorded(self, *arguments, **keywords):
            before = self.parameters.grads.copy()
            result = function(self, *arguments, **keywords)
            parts.append(self.parameters.grads - before)
            return result
        return recorded

    run.model.parameters.grads.fill(1e3)               # earlier gradients must be cleared
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MixtureVAE, "backward", alone(right[0]))
        patch.setattr(MixtureVAE, "backward_labelled", alone(right[1]))
        patch.setattr(run.adam, "step", lambda: seen.append(run.model.parameters.grads.copy()))
        run.step(dataset.train.images(slice(0, 30)))
    assert len(parts) == 2 and all(np.abs(each).max() > 1e-3 for each in parts)
    np.testing.assert_allclose(seen[0], parts[0] + parts[1], atol=1e-5 * np.abs(seen[0]).max())


def check_labelled_images() -> None:
    """Check that labelled images are the right training images with the right labels."""
    run, _ = started(mixed(seed=2, dataset="fashion-mnist", labels=30, limit=300))
    x, y = by_hand.labelled_images(run.settings)
    np.testing.assert_array_equal(run.x_labelled, x)
    np.testing.assert_array_equal(run.y_labelled, y)
    assert np.bincount(run.y_labelled).tolist() == [3] * 10
    train, labels = raw("fashion-mnist", "train", 300)
    for image, label in zip(run.x_labelled, run.y_labelled):
        (place,) = np.flatnonzero((train == image).all(axis=1))
        assert labels[place] == label


def check_pretraining() -> None:
    """Check that the pretraining makes `pretrain` passes over the labelled images only, with the term of the run
    and all weights 1."""
    run, dataset = started(mixed(labels=120, limit=400, pretrain=3, labelled_term="released", label_eps=0.4, shift=0,
                                 label_weight=7.0, image_weight=6.0, beta=5.0))
    with pytest.MonkeyPatch.context() as patch:
        calls = spied(patch, MixtureVAE, "backward_labelled")
        both = spied(patch, MixtureVAE, "backward")
        assert list(run.epoch(0, dataset.train)) == 3 * [100, 20]
    assert not both and run.adam.t == 6 == run.steps(0, dataset.train)
    x, y = by_hand.labelled_images(run.settings)
    for first, second in zip(calls[::2], calls[1::2]):
        seen = np.concatenate([first["x"], second["x"]])
        names = np.concatenate([first["labels"], second["labels"]])
        keys = [bytes(image.astype(np.uint8)) + bytes([label]) for image, label in zip(x, y)]
        assert sorted(bytes(image.astype(np.uint8)) + bytes([label])
                      for image, label in zip(seen, names)) == sorted(keys)
    for call in calls:
        assert (call["weight"], call["image_weight"], call["beta"], call["eps"]) == (1, 1, 1, 0.4)
        assert call["term"].__name__ == "released" and call["rng"] is run.rng


def check_totals(folder) -> None:
    """Check that seconds and evaluations add up over epochs and over a resume."""
    with pytest.MonkeyPatch.context() as patch:
        ticks = iter(range(0, 10**6, 7))
        patch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))          # 7 s an epoch
        settings = small(n=3, k=2)
        first = loop.train(settings, 2, folder)
        rows = loop.train(settings, 4, folder, resume=True)
    assert rows[:2] == first and [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 6), (3, 9), (4, 12)]
    assert [row["seconds"] for row in rows] == [7, 14, 21, 28]
    # f at z and at 3 other values
    assert [row["evaluations"] for row in rows] == [150 * 4 * epoch for epoch in (1, 2, 3, 4)]


def check_released_schedule() -> None:
    assert released("eps", 0) == released("eps", 499) == 1
    assert released("eps", 500) == pytest.approx(np.exp(-0.005)) and released("tau", 999) == 1
    assert released("eps", 999) == released("eps", 500) != released("eps", 1_000)
    assert released("tau", 1_000) == released("tau", 1_999) == pytest.approx(np.exp(-0.01))
    assert released("eps", 10**6) == released("tau", 10**6) == 0.1
    settings = vae(as_released=True).resolved()
    assert not settings.kl_grad and settings.temperature(0) == {"eps": 1.0}
    assert settings.temperature(500) == {"eps": released("eps", 500)}
    relaxed = vae(as_released=True, estimator="gumbel-softmax").resolved()
    assert relaxed.temperature(500) == {"tau": 1.0} and relaxed.temperature(1_000) == {"tau": released("tau", 1_000)}
    assert vae(estimator="exact", as_released=True).resolved().kl_grad
    assert vae().resolved().temperature(10**6) == {"eps": 0.1}
