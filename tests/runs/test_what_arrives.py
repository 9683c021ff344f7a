"""What a run passes on and what it measures: each part of the data in its own column, each setting at its own place."""
from __future__ import annotations

import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from refimpl import data, estimators
from refimpl.checks import InputError
from refimpl.models.mixture import MixtureVAE
from refimpl.models.vae import VAE
from refimpl.nn.parameters import Parameters
from refimpl.runs import checkpoint, loop
from refimpl.runs.mixture import MixtureRun, MixtureSettings
from refimpl.runs.naming import accuracy as share
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.files import locked
from tests.runs import by_hand
from tests.settings import mixture, vae
from tests.spies import raw, spied

FEW = dict(limit=150, batch=64, labels=20, pretrain=2, gaussian=4)


def small(**settings) -> VAESettings:
    return vae(**{**dict(hidden=8, limit=150, batch=64), **settings}).resolved()


def mixed(**settings) -> MixtureSettings:
    return mixture(**{**FEW, **settings}).resolved()


def started(settings):
    """(run, its data)."""
    dataset = data.load(settings.dataset, None, settings.limit)
    run = (VAERun if isinstance(settings, VAESettings) else MixtureRun).start(settings)
    run.attach(dataset)
    return run, dataset


# --- the epoch --------------------------------------------------------------------------------------------------------

def check_an_epoch(settings) -> None:
    """Every training image exactly once, in the order that the run's own generator permutes them to, the last batch
    smaller."""
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


@pytest.mark.parametrize("settings", [small(), mixed()], ids=["train", "semi-supervised"])
def test_an_epoch_is_one_pass_in_the_order_of_the_runs_own_generator(settings):
    check_an_epoch(settings)


def check_training_images(folder) -> None:
    """What the loop trains on is the training part, whole, an epoch after the other."""
    with pytest.MonkeyPatch.context() as patch:
        steps = spied(patch, VAERun, "step")
        loop.train(small(), 2, folder)
    x, _ = raw("mnist", "train", 150)
    for epoch in (steps[:3], steps[3:]):
        seen = np.concatenate([step["x"] for step in epoch])
        assert sorted(map(bytes, seen.astype(np.uint8))) == sorted(map(bytes, x.astype(np.uint8)))


def test_the_loop_trains_on_the_training_part(tmp_path, quick):
    check_training_images(tmp_path / "run")


# --- a row of metrics -------------------------------------------------------------------------------------------------

def part(name: str, limit: int, dataset: str = "mnist") -> data.Part:
    """A part cut by hand from the shipped file."""
    images, labels = raw(dataset, name, limit)
    return data.Part(np.packbits(images.astype(np.uint8), axis=1), labels)


def check_row_of_train() -> None:
    """Each column holds the bound of its own part."""
    run, dataset = started(small(k=5))
    loop.train_epoch(run, dataset.train)
    row = run.measure(dataset, 1, True)
    parts = {name: run.model.bounds(part(name, 150)) for name in ("train", "valid", "test")}
    elbos = [bounds.elbo for bounds in parts.values()]
    assert np.diff(sorted(elbos)).min() > 0.05                              # they can be told apart
    for name in parts:
        assert row[f"{name}_elbo"] == pytest.approx(parts[name].elbo, rel=1e-12), name
    assert row["test_log_likelihood"] == pytest.approx(parts["test"].log_likelihood, rel=1e-12)
    assert row["gap"] == pytest.approx(parts["test"].gap, rel=1e-9)
    assert row["epoch"] == 1 and row["step"] == 3 and row["eps_or_tau"] == 0.1


def test_a_row_of_train():
    check_row_of_train()


def check_exact_every() -> None:
    """With more than 1,024 joint values: the test bound every exact_every epochs and at the end, the sampled one
    always."""
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


def test_exact_bounds_of_a_large_latent_are_there_when_they_were_asked_for():
    check_exact_every()


def check_noise_of_the_sampled_bound() -> None:
    """It is the epoch's and the seed's, and none of the run's own."""
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


def test_the_noise_of_the_sampled_bound():
    check_noise_of_the_sampled_bound()


@pytest.mark.parametrize("settings, rows", [
    (dict(n=11, k=2, estimator="direct"), {"sampled_elbo"}),
    (dict(n=4, k=2, family="pairwise"), set()),
    (dict(n=4, k=2, family="pairwise", as_released=True), {"released_loss_not_a_bound"})])
def test_the_last_step_s_temperature_and_the_columns(settings, rows):
    run, dataset = started(small(limit=64, **settings))
    run.adam.t = 501
    row = run.measure(dataset, 1, False)
    assert set(run.columns) == {*row, "seconds", "evaluations"} and rows <= set(row)
    assert row["eps_or_tau"] == (math.exp(-0.005) if settings.get("as_released") else 0.1) and row["step"] == 501
    if rows:
        sampled = run.model.sampled_elbo(part("test", 64), np.random.default_rng([0, 1]))
        assert row[rows.pop()] == sampled


def taught(settings=None):
    """A mixture that tells test from validation images: a few steps of training."""
    run, dataset = started(settings or mixed(pretrain=40, labels=50, shift=0, lr=2e-3))
    for epoch in (0, 1):
        loop.train_epoch(run, dataset.train, epoch=epoch)
    return run, dataset


def check_row_of_the_mixture() -> None:
    """Accuracy and bound on the test part, valid_accuracy on the validation part: by the likeliest class, against
    labels."""
    run, dataset = taught()
    row, found = run.measure(dataset, 1, False), {}
    for name in ("train", "valid", "test"):
        x, labels = raw("mnist", name, 150)
        predicted = run.model.class_head.forward(run.model.trunk.forward(x)).argmax(axis=1)
        found[name] = np.mean(predicted == labels)
    labelled = np.mean(run.model.class_head.forward(
        run.model.trunk.forward(run.x_labelled)).argmax(axis=1) == run.y_labelled)
    assert np.diff(sorted([*found.values(), labelled])).min() > 0.004       # they can be told apart
    assert row["accuracy"] == pytest.approx(found["test"], abs=1e-12)
    assert row["valid_accuracy"] == pytest.approx(found["valid"], abs=1e-12)
    bounds = {name: run.model.bound(part(name, 150), np.random.default_rng([0, 1])) for name in found}
    assert {name: row[name] for name in bounds["test"]._fields} == bounds["test"]._asdict()
    assert all(abs(bounds[name].test_elbo - bounds["test"].test_elbo) > 0.05 for name in ("train", "valid"))
    assert row["test_elbo"] != run.measure(dataset, 2, False)["test_elbo"]             # other noise in another epoch
    assert row["test_elbo"] == run.measure(dataset, 1, True)["test_elbo"]


def test_a_row_of_the_mixture():
    check_row_of_the_mixture()


def test_clusters_are_matched_and_classes_are_not():
    run, dataset = taught()
    for array in (run.model.class_head.layers[-1].W, run.model.class_head.layers[-1].b):
        array[...] = np.roll(array, 1, axis=-1)                             # every class under the next one's name
    predicted, labels = run.model.classify(dataset.test), dataset.test.labels
    plain, matched = (share(predicted, labels, 10, matched) for matched in (False, True))
    assert plain < matched - 0.1 and run.accuracy(dataset.test) == plain
    unlabelled, _ = started(mixed(labels=0))
    unlabelled.model.parameters.values[...] = run.model.parameters.values
    assert unlabelled.accuracy(dataset.test) == matched


@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("rebar", "tau")])
def test_the_mixture_s_temperature_counts_from_the_end_of_the_pretraining(estimator, name):
    check_end_of_the_pretraining(estimator, name)


def check_end_of_the_pretraining(estimator: str = "direct", name: str = "eps") -> None:
    """Of the steps counted by the schedule the first is that after the pretraining."""
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


# --- the arguments of a step ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["train", "semi-supervised"])
@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("two-sided", "eps"), ("gumbel-softmax", "tau"),
                                             ("rebar", "tau"), ("relax", "tau"), ("reinforce", None), ("exact", None)])
def test_the_estimator_s_keywords_reach_every_step(kind, estimator, name, monkeypatch):
    setting = {name: 0.37} if name else {}
    made = (small if kind == "train" else mixed)(estimator=estimator, kl_grad=False, **setting)
    run, dataset = started(made)
    backward = spied(monkeypatch, type(run.model), "backward")
    zeroed, moved = spied(monkeypatch, Parameters, "zero_grads"), spied(monkeypatch, type(run.adam), "step")
    loop.train_epoch(run, dataset.train)
    moved = [call for call in moved if call["self"] is run.adam]            # relax has an Adam of its own
    assert len(backward) == len(zeroed) == len(moved) == 3
    for call in backward:
        assert call["estimator"] is estimators.get(estimator) and call["rng"] is run.rng and call["kl_grad"] is False
        assert {name: value for name, value in call["settings"].items() if name != "memory"} == {
            **estimators.get(estimator).defaults, **setting}
        assert call["settings"].get("memory") is (run.memory if run.memory else None)
    assert bool(run.memory) == (estimator in ("reinforce", "rebar", "relax"))
    assert run.estimator is estimators.get(estimator) and run.adam.lr == made.lr


def check_temperature_of_train(estimator: str = "direct", name: str = "eps") -> None:
    """Step t, the first being step 0, has the temperature of step t."""
    run, dataset = started(small(estimator=estimator, as_released=True, limit=64))
    refresh = {"eps": 500, "tau": 1_000}[name]
    for done in (0, 1, refresh - 1, refresh, refresh + 1):
        run.adam.t = done
        with pytest.MonkeyPatch.context() as patch:
            backward = spied(patch, VAE, "backward")
            run.step(dataset.train.images(slice(0, 5)))
        value = math.exp(-1e-5 * refresh) if done >= refresh else 1.0
        assert backward[-1]["settings"][name] == value == run.measure(dataset, 1, False)["eps_or_tau"]


@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("gumbel-softmax", "tau")])
def test_the_temperature_of_every_step(estimator, name):
    check_temperature_of_train(estimator, name)


@pytest.mark.parametrize("kind", ["train", "semi-supervised"])
def test_the_batch_s_mean_signal_reaches_every_step(kind, monkeypatch):
    for given in ({"batch_mean": True}, {"batch_mean": False}, {}):
        run, dataset = started((small if kind == "train" else mixed)(estimator="relax", **given))
        with monkeypatch.context() as patch:
            backward = spied(patch, type(run.model), "backward")
            loop.train_epoch(run, dataset.train)
        assert all(call["settings"]["batch_mean"] is given.get("batch_mean", False) for call in backward)


def test_widths_solver_and_family():
    run = VAERun.start(small(n=4, k=2, hidden=9, family="pairwise", solver="persistency"))
    assert run.model.family.solver.name == "persistency" and run.model.family.non_negative is True
    free = VAERun.start(small(n=4, k=2, hidden=9, family="pairwise", solver="enumeration", non_negative=False))
    assert free.model.family.solver.name == "enumeration" and free.model.family.non_negative is False
    widths = lambda network: [layer.W.shape for layer in network.layers if hasattr(layer, "W")]
    plain = VAERun.start(small(n=3, k=5, hidden=9)).model
    assert widths(plain.encoder) == [(784, 9), (9, 15)] and widths(plain.decoder) == [(15, 9), (9, 784)]
    assert MixtureRun.start(mixed(gaussian=6)).model.d == 6
    assert widths(MixtureRun.start(mixed(gaussian=6)).model.decoder)[0] == (60, 200)


def test_seed_limit_data_set_and_folder_reach_the_loader(tmp_path, monkeypatch, quick):
    loads = spied(monkeypatch, loop.data, "load")
    loop.train(small(dataset="fashion-mnist", limit=70), 1, tmp_path / "one", data_dir=str(tmp_path))
    assert loads == [{"name": "fashion-mnist", "data_dir": str(tmp_path), "limit": 70, "sha256": None}]


def test_both_terms_of_a_mixture_step_add_up():
    check_sum_of_both_terms()


def check_sum_of_both_terms() -> None:
    """The gradients that Adam sees are the sum of those that the two terms give alone."""
    run, dataset = started(mixed(label_weight=3.0, image_weight=0.5))
    parts, seen, right = [], [], (MixtureVAE.backward, MixtureVAE.backward_labelled)

    def alone(function):
        def made(self, *arguments, **keywords):
            before = self.parameters.grads.copy()
            result = function(self, *arguments, **keywords)
            parts.append(self.parameters.grads - before)
            return result
        return made

    run.model.parameters.flat_grads.fill(1e3)               # what was there before counts for nothing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MixtureVAE, "backward", alone(right[0]))
        patch.setattr(MixtureVAE, "backward_labelled", alone(right[1]))
        patch.setattr(run.adam, "step", lambda: seen.append(run.model.parameters.grads.copy()))
        run.step(dataset.train.images(slice(0, 30)))
    assert len(parts) == 2 and all(np.abs(each).max() > 1e-3 for each in parts)
    np.testing.assert_allclose(seen[0], parts[0] + parts[1], atol=1e-5 * np.abs(seen[0]).max())


# --- the labelled images ----------------------------------------------------------------------------------------------

def check_labelled_images() -> None:
    """From the training part, with their own labels, the same as by hand."""
    run, _ = started(mixed(seed=2, dataset="fashion-mnist", labels=30, limit=300))
    x, y = by_hand.labelled_images(run.settings)
    np.testing.assert_array_equal(run.x_labelled, x)
    np.testing.assert_array_equal(run.y_labelled, y)
    assert np.bincount(run.y_labelled).tolist() == [3] * 10
    train, labels = raw("fashion-mnist", "train", 300)
    for image, label in zip(run.x_labelled, run.y_labelled):
        (place,) = np.flatnonzero((train == image).all(axis=1))
        assert labels[place] == label


def test_labelled_images_are_training_images_with_their_own_labels():
    check_labelled_images()


def check_pretraining() -> None:
    """`pretrain` passes over the labelled images alone, each with the run's shifts and term, all weights 1."""
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


def test_the_pretraining():
    check_pretraining()


# --- the loop's own columns and files ---------------------------------------------------------------------------------

def check_totals(folder) -> None:
    """Seconds and evaluations add up over epochs and over a resume."""
    with pytest.MonkeyPatch.context() as patch:
        ticks = iter(range(0, 10**6, 7))
        patch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))          # 7 s an epoch
        settings = small(n=3, k=2)
        first = loop.train(settings, 2, folder)
        rows = loop.train(settings, 4, folder, resume=True)
    assert rows[:2] == first and [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 6), (3, 9), (4, 12)]
    assert [row["seconds"] for row in rows] == [7, 14, 21, 28]
    # f at z and 3 others
    assert [row["evaluations"] for row in rows] == [150 * 4 * epoch for epoch in (1, 2, 3, 4)]


def test_seconds_and_evaluations_add_up(tmp_path, quick):
    check_totals(tmp_path / "run")


@pytest.mark.parametrize("settings, an_image", [
    (dict(estimator="exact", n=3, k=2), 8), (dict(estimator="direct", n=3, k=4),
                                             10), (dict(estimator="arm", n=3, k=2), 2),
    (dict(estimator="gumbel-softmax", n=3, k=2), 1), (dict(estimator="rebar", n=3, k=2), 3)])
def test_decoder_evaluations_of_an_epoch(settings, an_image):
    run, dataset = started(small(**settings))
    assert loop.train_epoch(run, dataset.train) == 150 * an_image


@pytest.mark.parametrize("settings", [small(n=3, k=2, as_released=True), mixed(as_released=True, estimator="rebar")],
                         ids=["train", "semi-supervised"])
def test_files_say_what_the_run_knows(tmp_path, settings, quick):
    reported: list[dict] = []
    rows = loop.train(settings, 2, tmp_path, report=reported.append)
    run, history = checkpoint.load(tmp_path / checkpoint.FILE)
    assert json.loads((tmp_path / "config.json").read_text()) == {"kind": run.COMMAND} | settings.as_dict()
    assert settings.as_dict() == run.settings.as_dict()
    assert not settings.as_released and settings.schedule == "released"
    np.testing.assert_array_equal(history, [[row[name] for name in run.columns] for row in rows])
    assert [sorted(row) for row in reported] == [sorted(row) for row in rows]
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == len(rows) and list(written[0]) == list(run.columns)
    for text, row, told in zip(written, rows, reported):
        for name in run.columns:
            if math.isnan(row[name]):
                assert text[name] == "" and math.isnan(told[name])
            else:
                assert float(text[name]) == pytest.approx(row[name], abs=5.1e-4 if name == "seconds" else 5.1e-7)
                assert told[name] == row[name]


def test_a_folder_is_locked_while_it_is_trained_in(tmp_path, quick):
    refused = []

    def report(row):
        with pytest.raises(InputError, match="in use"), locked(tmp_path):
            pass
        refused.append(row)

    loop.train(small(), 1, tmp_path, report=report)
    assert len(refused) == 1
    with locked(tmp_path):
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(InputError, match="in use"):
            loop.train(small(), 2, tmp_path, resume=True)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_model_that_draws_samples_is_the_trained_one(monkeypatch):
    from refimpl.plots import images

    run, dataset = started(small(k=4))
    loop.train_epoch(run, dataset.train)
    rows = [{**run.measure(dataset, 1, True), "seconds": 1.0}]
    tiles = spied(monkeypatch, images, "tiles")
    run.pictures(rows, dataset)
    np.testing.assert_array_equal(tiles[0]["logits"], run.model.decoder.forward(np.eye(4, dtype=np.float32)))
    run, dataset = taught()
    g = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    for c in (0, 7):
        a = run.model.decoder.forward(np.kron(np.eye(10, dtype=np.float32)[c], g))
        np.testing.assert_allclose(run.samples()[:, c], 1 / (1 + np.exp(-a.astype(float))), rtol=1e-5)


def test_only_the_vae_s_backward_is_asked_of_it(monkeypatch):
    calls = spied(monkeypatch, VAE, "backward")
    run, dataset = started(small(eps=0.2))
    x = dataset.train.images(slice(0, 9))
    assert run.step(x) == 9 * 10 and calls[0]["x"] is x and calls[0]["settings"] == {"eps": 0.2}


def test_what_samples_show_follows_from_the_seed(monkeypatch):
    """Of many joint values those that the test images use most, each once, under its digits and its share; the
    mixture's Gaussians are drawn too."""
    from refimpl.plots import images

    tiles, drawn = spied(monkeypatch, images, "tiles"), []
    for seed in (0, 7):
        run, dataset = started(small(n=3, k=4, seed=seed))
        run.pictures([{**run.measure(dataset, 1, True), "seconds": 1.0, "evaluations": 1.0}], dataset)
        z = run.model.draw(dataset.test.images(), np.random.default_rng(seed)).argmax(axis=-1).tolist()
        counts = {value: z.count(list(value)) for value in sorted(map(tuple, z))}
        values = sorted(counts, key=lambda value: (-counts[value], value))[:100]
        assert tiles[-1]["names"] == ["".join(map(str, value)) + f"\n{counts[value] / len(z):.1%}" for value in values]
        assert 1 < len(values) == len(tiles[-1]["names"])
        hot = np.eye(4, dtype=np.float32)[values].reshape(len(values), 12)
        np.testing.assert_allclose(tiles[-1]["logits"], run.model.decoder.forward(hot), rtol=1e-5, atol=1e-6)
        assert tiles[-1]["dataset"] == "mnist" and tiles[-1]["label"] == run.settings.label()
        mixture, _ = started(mixed(seed=seed, labels=0))
        g = np.random.default_rng(seed).standard_normal((8, 4)).astype(np.float32)
        logits = mixture.model.decode(g).astype(float)
        np.testing.assert_allclose(mixture.samples(), 1 / (1 + np.exp(-logits)), rtol=1e-5)
        drawn.append(mixture.samples())
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3


def test_with_1024_joint_values_all_parts_are_measured_and_with_more_only_the_test_part():
    for n, measured in ((10, True), (11, False)):
        run, dataset = started(small(n=n, k=2, limit=64))
        row = run.measure(dataset, 1, False)
        assert {math.isfinite(row[f"{name}_elbo"]) for name in ("train", "valid", "test")} == {measured}
        assert math.isfinite(run.measure(dataset, 1, True)["test_elbo"])


def test_the_noise_of_the_mixture_s_bound_is_the_epoch_s_and_the_seed_s():
    values = set()
    for seed in (0, 1):
        run, dataset = started(mixed(seed=seed, labels=0))
        run.model.parameters.values[...] = np.random.default_rng(5).normal(size=len(run.model.parameters.values)) / 5
        values |= {run.measure(dataset, epoch, False)["reconstruction"] for epoch in (1, 2)}
    assert len(values) == 4


def test_of_the_seed_and_the_epoch_each_has_its_place():
    """Seed 1 in epoch 2 is not seed 2 in epoch 1."""
    found = []
    for seed, epoch in ((1, 2), (2, 1)):
        run, dataset = started(small(n=3, k=2, seed=seed))
        run.model.parameters.values[...] = np.random.default_rng(5).normal(size=len(run.model.parameters.values)) / 5
        found.append(run.measure(dataset, epoch, False)["sampled_elbo"])
        assert found[-1] == run.model.sampled_elbo(part("test", 150), np.random.default_rng([seed, epoch]))
    assert found[0] != found[1]
