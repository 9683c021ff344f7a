"""Planted errors in the arguments that a run passes on and in its measurements, one at a time.

The checks are those of tests/runs.  Each passes on the correct code and must fail on the planted error.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError, Options
from refimpl.estimators import label_terms
from refimpl.models.mixture import MixtureVAE
from refimpl.models.vae import VAE
from refimpl.runs import checkpoint, labelled_images, loop, naming, protocol, schedules
from refimpl.runs.mixture import MixtureRun, MixtureSettings
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun
from tests.runs import arriving as arrives
from tests.runs.cases import CASES, distance, truth
from tests.settings import changed, vae

pytestmark = pytest.mark.slow                               # these tests test the tests; they change rarely

Plant = Callable[[pytest.MonkeyPatch], None]


def agrees_with_reference(*cases: str) -> Callable[[], None]:
    """Return a check that these runs agree with the reference of tests/runs, to a thousandth of the parameters' change.

    `before` computes the reference before a slip is planted.
    """
    def check() -> None:
        for case in cases:
            assert distance(CASES[case]) < 1e-3

    check.before = lambda: [truth(CASES[case].resolved(), 2) for case in cases]
    return check


def with_arguments(owner, name: str, change: Callable[[dict], None]) -> Plant:
    """Plant a change of the arguments with which owner.name is called."""
    def plant(patch: pytest.MonkeyPatch) -> None:
        right = getattr(owner, name)

        @functools.wraps(right)
        def wrong(*arguments, **keywords):
            bound = inspect.signature(right).bind(*arguments, **keywords)
            bound.apply_defaults()
            change(bound.arguments)
            return right(*bound.args, **bound.kwargs)

        patch.setattr(owner, name, wrong)
    return plant


def swapped(one: str, other: str) -> Plant:
    """Exchange two parts of the data in the measurement of a row, in both kinds of runs."""
    def plant(patch: pytest.MonkeyPatch) -> None:
        for kind in (VAERun, MixtureRun):
            right = kind.measure
            patch.setattr(kind, "measure", lambda self, dataset, epoch, last, right=right: right(
                self, dataset._replace(**{one: getattr(dataset, other), other: getattr(dataset, one)}), epoch, last))
    return plant


def trained_on_the_validation_part(patch):
    right = loop.train_epoch
    by_length = {}

    def load(name, data_dir=None, limit=None, sha256=None):
        dataset = data.REGISTRY[name].read(None)
        parts = [part.first(limit) for part in dataset]
        by_length["valid"] = parts[1]
        return data.Dataset(name, *parts)

    patch.setattr(data, "load", load)
    patch.setattr(loop, "train_epoch", lambda run, part, *rest: right(run, by_length["valid"], *rest))


def epoch_as(order: Callable[[Run, int], np.ndarray]) -> Plant:
    """Change the order of the images of an epoch."""
    def plant(patch):
        def epoch(self, number, part):
            places = order(self, len(part))
            for start in range(0, len(places), self.settings.batch):
                yield self.step(part.images(places[start:start + self.settings.batch], self.model.dtype))
        patch.setattr(protocol.Run, "epoch", epoch)
        patch.setattr(VAERun, "epoch", epoch)
    return plant


def permutation_not_used(run, images):
    run.rng.permutation(images)
    return np.arange(images)


def images_drawn_with_repetition(run, images):
    return run.rng.integers(images, size=images)


def last_batch_left_out(run, images):
    return run.rng.permutation(images)[:images // run.settings.batch * run.settings.batch]


def order_of_a_generator_of_its_own(run, images):
    return np.random.default_rng(run.settings.seed).permutation(images)


def labelled_from(name: str) -> Plant:
    """Draw the labelled images from another part."""
    def plant(patch):
        right = MixtureRun.attach
        patch.setattr(MixtureRun, "attach", lambda self, dataset: right(
            self, dataset._replace(train=getattr(dataset, name))))
    return plant


def labels_shifted_against_images(patch):
    right = MixtureRun.attach

    def attach(self, dataset):
        right(self, dataset)
        self.y_labelled = np.roll(self.y_labelled, 1)
    patch.setattr(MixtureRun, "attach", attach)


def accuracy_on(part: Callable[[MixtureRun, data.Dataset], data.Part]) -> Plant:
    """Compute the column `accuracy` from another part."""
    def plant(patch):
        right = MixtureRun.measure
        patch.setattr(MixtureRun, "measure", lambda self, dataset, epoch, last: right(self, dataset, epoch, last)
                      | {"accuracy": self.accuracy(part(self, dataset))})
    return plant


def the_labelled_images(run: MixtureRun, dataset: data.Dataset) -> data.Part:
    return data.Part(np.packbits(run.x_labelled.astype(np.uint8), axis=1), run.y_labelled)


def pretraining(times: Callable[[int], int]) -> Plant:
    """Change the number of pretraining passes over the labelled images."""
    def plant(patch):
        right = MixtureRun.epoch

        def epoch(self, number, part):
            settings = self.settings
            if number == 0:
                self.settings = replace(settings, pretrain=times(settings.pretrain))
            yield from right(self, number, part)
            self.settings = settings
        patch.setattr(MixtureRun, "epoch", epoch)
    return plant


def pretrained_with_the_later_weights(patch):
    right = MixtureRun._learn_labelled
    patch.setattr(MixtureRun, "_learn_labelled", lambda self, rows, weight, image_weight, beta: right(
        self, rows, self.settings.label_weight, self.settings.image_weight, beta))


def beta_counted_in_steps(patch):
    right = MixtureSettings.beta_at
    patch.setattr(MixtureSettings, "beta_at", lambda self, epochs: right(self, epochs * 3))


def zeroed_between_the_terms(patch):
    right = MixtureRun._learn_labelled

    def wrong(self, *rest):
        self.model.parameters.zero_grads()
        right(self, *rest)
    patch.setattr(MixtureRun, "_learn_labelled", wrong)


def never_zeroed(patch):
    from refimpl.nn.parameters import Parameters

    patch.setattr(Parameters, "zero_grads", lambda self: None)


def without(name: str) -> Callable[[dict], None]:
    """Replace a keyword of the estimator by its default."""
    usual = {"eps": 0.1, "tau": 0.5, "batch_mean": False}

    def change(arguments):
        if name in arguments["settings"]:
            arguments["settings"][name] = usual[name]
    return change


def fresh_memory(arguments) -> None:
    if "memory" in arguments["settings"]:
        arguments["settings"]["memory"] = {name: np.zeros_like(array) for name, array in
                                           arguments["settings"]["memory"].items()}


def setting_lost(kind: type[Run], **usual) -> Plant:
    """Create a run as if these settings had their defaults."""
    def plant(patch):
        right = kind.create.__func__
        patch.setattr(kind, "create", classmethod(lambda cls, settings,
                      rng: right(cls, changed(settings, **usual), rng)))
    return plant


def no_shift(patch):
    patch.setattr(labelled_images, "shift", lambda x, most, rng, side=28: x)


def one_shift_for_all(patch):
    right = labelled_images.shift
    patch.setattr(labelled_images, "shift", lambda x, most, rng, side=28: np.concatenate(
        [right(image[None], most, np.random.default_rng(0), side) for image in x]))


def refreshed(every: dict[str, int]) -> Plant:
    return lambda patch: patch.setattr(schedules, "RELEASED_REFRESH", every)


def schedule_counts_the_pretraining(patch):
    patch.setattr(MixtureRun, "_steps_done", lambda self: self.adam.t)


def temperature_of_the_step_after(patch):
    right = RunSettings.temperature
    patch.setattr(VAERun, "keywords", lambda self, step: {
                  **self.settings.keywords(step), **right(self.settings, step + 1)})


def exact_every(wrong: Callable[[int], int]) -> Plant:
    def plant(patch):
        right = VAERun.measure

        def measure(self, *rest):
            settings = self.settings
            self.settings = replace(settings, exact_every=wrong(settings.exact_every))
            row = right(self, *rest)
            self.settings = settings
            return row
        patch.setattr(VAERun, "measure", measure)
    return plant


def one_noise_for_all_epochs(patch):
    right = VAERun.measure

    def measure(self, dataset, epoch, last):
        row = right(self, dataset, epoch, last)
        if "sampled_elbo" in row:
            row["sampled_elbo"] = self.model.sampled_elbo(dataset.test, np.random.default_rng(self.settings.seed))
        return row
    patch.setattr(VAERun, "measure", measure)


def totals_not_added(name: str) -> Plant:
    def plant(patch):
        right = checkpoint.save

        def save(path, run, history):
            if len(history) > 1:
                place = run.columns.index(name)
                history[-1, place] -= history[-2, place]
            right(path, run, history)
        patch.setattr(loop.checkpoint, "save", save)
    return plant


ARRIVES_TRAIN = agrees_with_reference("train, direct", "train, gumbel-softmax", "train, rebar, batch mean")
ARRIVES_SEMI = agrees_with_reference("semi-supervised, direct", "semi-supervised, direct loss")


def an_epoch() -> None:
    arrives.check_an_epoch(arrives.small())


def learn(**wrong) -> Plant:
    """Change the weights of the labelled term."""
    return with_arguments(MixtureRun, "_learn_labelled", lambda arguments: arguments.update(wrong))


def run_argument(owner, **wrong) -> Plant:
    """Change the arguments with which the run calls the model's backward pass, but not those of the reference."""
    def plant(patch):
        for kind in (VAERun, MixtureRun):
            right = kind.step

            def step(self, x, right=right):
                with pytest.MonkeyPatch.context() as inner:
                    with_arguments(owner, "backward", lambda arguments: arguments.update(wrong))(inner)
                    return right(self, x)
            patch.setattr(kind, "step", step)
    return plant


def run_settings(owner, change) -> Plant:
    """Change the estimator's keywords in the same way."""
    def plant(patch):
        for kind in (VAERun, MixtureRun):
            right = kind.step

            def step(self, x, right=right):
                with pytest.MonkeyPatch.context() as inner:
                    with_arguments(owner, "backward", change)(inner)
                    return right(self, x)
            patch.setattr(kind, "step", step)
    return plant


def labelled_argument(change: Callable[[dict], None]) -> Plant:
    """Change the arguments with which the run calls the labelled term."""
    def plant(patch):
        right = MixtureRun._learn_labelled

        def learn_labelled(self, *rest):
            with pytest.MonkeyPatch.context() as inner:
                with_arguments(MixtureVAE, "backward_labelled", change)(inner)
                right(self, *rest)
        patch.setattr(MixtureRun, "_learn_labelled", learn_labelled)
    return plant


PLANTED: dict[str, tuple[Plant, Callable[[], None]]] = {
    # --- both kinds: order and parts
    "valid and test swapped": (swapped("valid", "test"), arrives.check_row_of_train),
    "train and valid swapped": (swapped("train", "valid"), arrives.check_row_of_train),
    "train and test swapped": (swapped("train", "test"), arrives.check_row_of_train),
    "valid and test swapped, sampled": (swapped("valid", "test"), arrives.check_exact_every),
    "valid and test swapped, mixture": (swapped("valid", "test"), arrives.check_row_of_the_mixture),
    "train and valid swapped, mixture": (swapped("train", "valid"), arrives.check_row_of_the_mixture),
    "permutation not used": (epoch_as(permutation_not_used), an_epoch),
    "permutation not used, reference": (epoch_as(permutation_not_used), ARRIVES_TRAIN),
    "images drawn with repetition": (epoch_as(images_drawn_with_repetition), an_epoch),
    "last batch left out": (epoch_as(last_batch_left_out), an_epoch),
    "an order of its own": (epoch_as(order_of_a_generator_of_its_own), an_epoch),
    # --- both kinds: arguments and settings
    "eps lost": (run_settings(VAE, without("eps")), agrees_with_reference("train, direct")),
    "tau lost": (run_settings(VAE, without("tau")), agrees_with_reference("train, gumbel-softmax")),
    "batch_mean lost": (run_settings(VAE, without("batch_mean")), agrees_with_reference("train, rebar, batch mean")),
    "memory forgotten": (run_settings(VAE, fresh_memory), agrees_with_reference("train, reinforce")),
    "memory forgotten, mixture": (run_settings(MixtureVAE, fresh_memory),
                                  agrees_with_reference("semi-supervised, rebar")),
    "kl_grad always": (run_argument(VAE, kl_grad=True), agrees_with_reference("train, direct without the KL gradient")),
    "kl_grad never": (run_argument(VAE, kl_grad=False), agrees_with_reference("train, exact")),
    "kl_grad always, mixture": (run_argument(MixtureVAE, kl_grad=True),
                                agrees_with_reference("semi-supervised, released term")),
    "lr lost": (setting_lost(VAERun, lr=1e-3), agrees_with_reference("train, exact")),
    "seed lost": (setting_lost(VAERun, seed=0), arrives.check_noise_of_the_sampled_bound),
    "lr lost, mixture": (setting_lost(MixtureRun, lr=8e-4), agrees_with_reference("semi-supervised, direct")),
    "estimator lost": (setting_lost(VAERun, estimator="exact", hyperparameters=Options()),
                       agrees_with_reference("train, gumbel-softmax")),
    "solver's sign lost": (setting_lost(VAERun, non_negative=True), agrees_with_reference("train, pairwise, any sign")),
    "solver lost": (setting_lost(VAERun, solver="maxflow"), arrives.check_widths_solver_and_family),
    "gradients never zeroed": (never_zeroed, arrives.check_sum_of_both_terms),
    "eps refreshed as tau": (refreshed({"eps": 1_000, "tau": 1_000}), arrives.check_released_schedule),
    "tau refreshed as eps": (refreshed({"eps": 500, "tau": 500}), arrives.check_released_schedule),
    "pretraining counted by the schedule": (schedule_counts_the_pretraining, arrives.check_end_of_the_pretraining),
    "pretraining counted by beta": (schedule_counts_the_pretraining, agrees_with_reference("semi-supervised, direct")),
    "temperature of the step after": (temperature_of_the_step_after, arrives.check_temperature_of_train),
    # --- measurements
    "exact_every lost": (exact_every(lambda every: 5), arrives.check_exact_every),
    "exact every epoch": (exact_every(lambda every: 1), arrives.check_exact_every),
    "one noise for all epochs": (one_noise_for_all_epochs, arrives.check_exact_every),
    # --- semi-supervised
    "labelled images from the test part": (labelled_from("test"), arrives.check_labelled_images),
    "labelled images from the validation part": (labelled_from("valid"), arrives.check_labelled_images),
    "labels shifted against images": (labels_shifted_against_images, arrives.check_labelled_images),
    "accuracy on the labelled images": (accuracy_on(the_labelled_images), arrives.check_row_of_the_mixture),
    "accuracy on the validation part": (accuracy_on(lambda run, dataset: dataset.valid),
                                        arrives.check_row_of_the_mixture),
    "accuracy on the training part": (accuracy_on(lambda run, dataset: dataset.train),
                                      arrives.check_row_of_the_mixture),
    "label_weight ignored": (learn(weight=1.0), ARRIVES_SEMI),
    "image_weight ignored": (learn(image_weight=1.0), ARRIVES_SEMI),
    "beta 1 in the labelled term": (learn(beta=1.0), ARRIVES_SEMI),
    "beta not reaching the step": (run_argument(MixtureVAE, beta=1.0), ARRIVES_SEMI),
    "beta counted in steps": (beta_counted_in_steps, ARRIVES_SEMI),
    "shift ignored": (no_shift, ARRIVES_SEMI),
    "one shift for all": (one_shift_for_all, ARRIVES_SEMI),
    "label_batch ignored": (with_arguments(MixtureRun, "_learn_labelled", lambda arguments: arguments.update(
        rows=np.arange(len(arguments["self"].x_labelled)))), ARRIVES_SEMI),
    "no pretraining": (pretraining(lambda times: 0), arrives.check_pretraining),
    "pretraining once": (pretraining(lambda times: 1), arrives.check_pretraining),
    "pretraining once too often": (pretraining(lambda times: times + 1), arrives.check_pretraining),
    "pretraining with the later weights": (pretrained_with_the_later_weights, arrives.check_pretraining),
    "labelled term ignored": (labelled_argument(lambda arguments: arguments.update(term=label_terms.cross_entropy)),
                              agrees_with_reference("semi-supervised, released term")),
    "label_eps ignored": (labelled_argument(lambda arguments: arguments.update(eps=0.05)),
                          agrees_with_reference("semi-supervised, released term")),
    "zeroed between the terms": (zeroed_between_the_terms, ARRIVES_SEMI),
    "no labels counted as some": (lambda patch: patch.setattr(
        MixtureRun, "accuracies", lambda self, part: naming.accuracies(
            self.model.classify(part), part.labels, 1, 10, matched=False)),
                                  arrives.check_clusters_are_matched_and_classes_are_not),
}


@pytest.mark.parametrize("check", list(dict.fromkeys(check for _, check in PLANTED.values())))
def test_every_check_passes_on_the_correct_code(check):
    check()


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_error_in_a_run_is_detected(monkeypatch, name):
    plant, check = PLANTED[name]
    getattr(check, "before", lambda: None)()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()


# --- errors that need a folder ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("plant, check", [
    (trained_on_the_validation_part, arrives.check_training_images),
    (totals_not_added("seconds"), arrives.check_totals), (totals_not_added("evaluations"), arrives.check_totals)])
def test_planted_errors_in_the_training_loop_are_detected(tmp_path, monkeypatch, quick, plant, check):
    check(tmp_path / "right")
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path / "wrong")


def not_restored(name: str) -> Plant:
    """Do not restore one of the entries of a checkpoint."""
    def plant(patch):
        right = checkpoint.load

        def load(path, settings=None, kind=None):
            run, history = right(path, settings, kind)
            if name == "adam_M and adam_V swapped":
                run.adam.M[...], run.adam.V[...] = run.adam.V.copy(), np.abs(run.adam.M)
            elif name == "adam_t":
                run.adam.t = 0
            elif name == "rng":
                run.rng = np.random.default_rng(run.settings.seed)
            elif name == "memory":
                run.memory = run.estimator.memory(run.model.family.n, run.model.family.k)
            else:
                getattr(run.adam, name)[...] = 0
            return run, history
        patch.setattr(checkpoint, "load", load)
    return plant


@pytest.mark.parametrize("name", ["M", "V", "adam_t", "rng", "memory", "adam_M and adam_V swapped"])
def test_checkpoint_entry_that_is_not_restored_is_detected(tmp_path, monkeypatch, quick, name):
    """Then a resumed run differs clearly from an uninterrupted one."""
    settings = vae(estimator="reinforce", n=3, k=2, hidden=6, limit=70, batch=30).resolved()
    loop.train(settings, 3, tmp_path / "whole")
    loop.train(settings, 1, tmp_path / "parts")
    with monkeypatch.context() as patch:
        not_restored(name)(patch)
        try:
            loop.train(settings, 3, tmp_path / "parts", resume=True)
        except InputError as problem:                       # without V the first step is much too large
            assert name == "V" and "diverged" in str(problem)
            return
    whole, resumed = (checkpoint.load(tmp_path / folder / checkpoint.FILE)[0] for folder in ("whole", "parts"))
    off = np.abs(whole.model.parameters.values - resumed.model.parameters.values).max()
    assert off > 1e-4
