"""A reference implementation of both kinds of run, with which runs must agree bit for bit.

Only the gradients of the model, Adam and the Gaussian noise are taken from the package; the order of images, the parts
of the data, labelled images, shifts, weights, temperatures and their schedules are computed here.
"""
from __future__ import annotations

import math

import numpy as np

from refimpl import estimators
from refimpl.estimators import label_terms
from refimpl.estimators.learning import learning_from
from refimpl.latent import solvers
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.models.mixture import MixtureVAE
from refimpl.models.vae import VAE
from refimpl.nn.adam import Adam
from tests.spies import raw


def keywords(settings, step: int, memory: dict) -> dict:
    """Return the estimator's keywords at this step: eps is updated every 500 steps, tau every 1,000."""
    entry, values = estimators.get(settings.estimator), {}
    if entry.temperature:
        every = {"eps": 500, "tau": 1_000}[entry.temperature]
        refreshed = step // every * every
        values[entry.temperature] = (max(0.1, math.exp(-1e-5 * refreshed)) if settings.schedule == "released"
                               else settings.hyperparameters[entry.temperature])
    if settings.hyperparameters.get("batch_mean"):
        values["batch_mean"] = True
    return values | ({"memory": memory} if memory else {})


def vae(settings, epochs: int) -> tuple[VAE, Adam]:
    """Return the model and its optimiser after so many epochs of `train`."""
    rng = np.random.default_rng(settings.seed)
    options = settings.family_options
    family = (Pairwise(settings.n, solvers.get(options["solver"]), options["non_negative"], 0.0,
                       bool(options.get("absolute"))) if options else Independent(settings.n, settings.k))
    model = VAE(family, settings.hidden)
    model.initialise(rng)
    if options.get("pair_start") is not None:
        pairs = model.encoder.layers[-1].b[settings.n:]
        pairs += np.float32(options["pair_start"])
    adam = Adam(model.parameters, settings.lr, momentum_only=settings.optimiser == "momentum")
    entry = estimators.get(settings.estimator)
    if settings.learn_from:
        entry = learning_from(entry, settings.learn_from)
    memory = entry.memory(settings.n, settings.k) if entry.memory else {}
    x, _ = raw(settings.dataset, "train", settings.limit)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), settings.batch):
            model.parameters.zero_grads()
            model.backward(x[order[start:start + settings.batch]], entry, rng, settings.kl_grad,
                           1.0 if settings.kl_weight is None else settings.kl_weight,
                           **keywords(settings, adam.t, memory))
            adam.step()
    return model, adam


def labelled_images(settings) -> tuple[np.ndarray, np.ndarray]:
    """Return (images, labels), equally many of each class, drawn by a separate generator.

    Of the eight combinations of attributes some, which are drawn first, have one image more.
    """
    x, labels = raw(settings.dataset, "train", settings.limit)
    classes = 8 if settings.dataset == "faces" else 10
    rng = np.random.default_rng([settings.seed, classes])
    more = rng.choice(classes, settings.labels % classes, replace=False) if settings.labels % classes else []
    rows = [row for c in range(classes) for row in rng.choice(
        np.flatnonzero(labels == c), settings.labels // classes + (c in more), replace=False)]
    return x[rows], labels[rows]


def shifted(x: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return the images, each moved down and across by its own random numbers of pixels from -most to most."""
    if most == 0:
        return x
    moved = np.zeros((len(x), 28, 28), np.float32)
    places = rng.integers(0, 2 * most + 1, size=(2, len(x)))
    for image, (down, across) in enumerate(places.T):
        wide = np.zeros((28 + 2 * most, 28 + 2 * most), np.float32)
        wide[most:most + 28, most:most + 28] = x[image].reshape(28, 28)
        moved[image] = wide[down:down + 28, across:across + 28]
    return moved.reshape(len(x), -1)


def mixture(settings, epochs: int) -> tuple[MixtureVAE, Adam]:
    """Return the model and its optimiser after the pretraining and so many epochs of `semi-supervised`."""
    rng = np.random.default_rng(settings.seed)
    n, k = (3, 2) if settings.dataset == "faces" else (1, 10)
    model = MixtureVAE(settings.gaussian, classes=k, n=n)
    model.initialise(rng)
    adam, entry = Adam(model.parameters, settings.lr), estimators.get(settings.estimator)
    memory = entry.memory(n, k) if entry.memory else {}
    x, _ = raw(settings.dataset, "train", settings.limit)
    x_labelled, y = labelled_images(settings)
    term = label_terms.REGISTRY[settings.labelled_term]

    def learn_labelled(rows, weight, image_weight, beta):
        moved = shifted(x_labelled[rows], settings.shift, rng)
        model.backward_labelled(moved, y[rows].astype(np.intp), term,
                                settings.label_eps, weight, rng, image_weight, beta)

    for _ in range(settings.pretrain if settings.labels else 0):
        order = rng.permutation(len(y))
        for start in range(0, len(y), 100):
            model.parameters.zero_grads()
            learn_labelled(order[start:start + 100], 1.0, 1.0, 1.0)
            adam.step()
    done, an_epoch = 0, math.ceil(len(x) / settings.batch)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), settings.batch):
            left = max(0.0, 1 - done / an_epoch / settings.beta_epochs) if settings.beta_epochs else 0.0
            beta = 1 + (settings.beta - 1) * left
            model.parameters.zero_grads()
            model.backward(x[order[start:start + settings.batch]], entry, rng, settings.kl_grad, beta,
                           **keywords(settings, done, memory))
            if settings.labels and (settings.label_weight or settings.image_weight):
                rows = rng.choice(len(y), min(settings.label_batch, len(y)), replace=False)
                learn_labelled(rows, settings.label_weight, settings.image_weight, beta)
            adam.step()
            done += 1
    return model, adam
