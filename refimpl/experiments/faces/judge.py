"""A judge of faces, and the switch test: one binary variable is changed, g kept; which attributes changed?

The judge is a network of this package, taught the true attributes of all training images.  It sees what a model draws
as the data are, each pixel black where black is the likelier.  What the judge cannot see is whether it is still the
same face.  That is known too: a test image was drawn from nuisances that are kept (data/faces.py), so that the true
picture with the attribute switched can be drawn, and pixels be counted.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import data, joint
from refimpl.data import faces
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.adam import Adam
from refimpl.nn.losses import bernoulli_score_backward
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind
from refimpl.runs.naming import Naming

EPOCHS, BATCH, HIDDEN, SEED = 3, 100, 100, 7
FACES = 5_000           # that are switched, drawn ones and encoded ones: standard error below 0.7 %
NEEDED = 0.99           # accuracy of the judge below which its word says nothing


class Judge:
    """784 -> 100 ReLU -> a logit an attribute; each attribute a binary cross-entropy of its own."""

    def __init__(self, part: data.Part, seed: int = SEED, epochs: int = EPOCHS) -> None:
        """Taught on this part."""
        rng, values = np.random.default_rng(seed), attributes_of(part)
        self.network = MLP([part.images(slice(0, 1)).shape[1], HIDDEN, values.shape[1]])
        parameters = bind([self.network], np.float32)
        self.network.initialise(rng)
        adam = Adam(parameters)
        for _ in range(epochs):
            order = rng.permutation(len(part))
            for start in range(0, len(part), BATCH):
                rows = order[start:start + BATCH]
                parameters.zero_grads()
                run = self.network.run(part.images(rows))
                run.backward(bernoulli_score_backward(values[rows].astype(np.float32), run.y)).accumulate(
                    -1 / len(rows))                                         # loss = -mean log p(attributes given x)
                adam.step()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Attributes (B, n) of pictures x (B, pixels) of 0 and 1."""
        return (self.network.forward(x) > 0).astype(np.int64)

    def accuracy(self, part: data.Part) -> float:
        """Share of images all of whose attributes it names."""
        right = [self.predict(x) for x in part.blocks(1_000)]
        return float((np.concatenate(right) == attributes_of(part)).all(axis=1).mean())


class Switched(NamedTuple):
    """A row an attribute: what changing its variable did."""

    attribute: str
    bit: int
    """Which of the model's variables is read as it."""
    epochs: float
    judge: float
    """The judge's accuracy on the test images."""
    generated: float
    """Share of drawn faces, g from its prior, of which the judge says that this attribute changed and no other."""
    encoded: float
    """The same of test images, their own bits and their mean g."""
    pixels_again: float
    """Wrong pixels of an encoded face drawn again with its own bits, of all 784."""
    pixels_switched: float
    """Wrong pixels of the switched one, against the true face with that attribute switched."""
    pixels_other: float
    """The same where g is another test image's: what it comes to if the face is not kept."""
    agrees: float
    """Share of test images whose bit, flipped or not, is the attribute."""
    nuisance: str
    """The nuisance that the bit correlates with most, over the test images."""
    correlation: float
    """Its absolute value."""


def attributes_of(part: data.Part) -> np.ndarray:
    """(N, 3) of 0 and 1, from the labels."""
    return joint.values(len(faces.ATTRIBUTES), 2)[part.labels]


def binarise(model: MixtureVAE, values: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Pictures (B, pixels) of 0 and 1: each pixel's likelier colour."""
    return (model.decode_as(values, g) > 0).astype(np.float32)


def exactly(before: np.ndarray, after: np.ndarray, j: int) -> float:
    """Share of faces of which attribute j changed and no other: before, after (B, n), the judge's words."""
    changed = before != after
    return float((changed[:, j] & (changed.sum(axis=1) == 1)).mean())


def wrong_pixels(pictures: np.ndarray, wanted: np.ndarray) -> float:
    """How many of a picture's pixels differ, on average: both (B, pixels)."""
    return float((pictures != wanted).sum(axis=1).mean())


def flipped(values: np.ndarray, i: int) -> np.ndarray:
    """A copy with column i changed, 0 to 1 and 1 to 0."""
    values = values.copy()
    values[:, i] = 1 - values[:, i]
    return values


def switch_test(model: MixtureVAE, naming: Naming, judge: Judge, test: data.Part, first: int, epochs: float,
                rng: np.random.Generator, images: int = FACES) -> list[Switched]:
    """The test of all attributes, on so many faces drawn from the prior and the first so many test images.

    first: the place of the first test image in faces.truth.
    """
    part = test.first(images)
    x, truth, judged = part.images(), attributes_of(part), judge.accuracy(test)
    nuisances = faces.truth(first + len(part)).nuisances[first:]
    own, mean_g = model.infer(x)
    drawn = rng.integers(2, size=(images, model.n))
    drawn_g = rng.standard_normal((images, model.d)).astype(model.dtype)
    again, generated = binarise(model, own, mean_g), binarise(model, drawn, drawn_g)
    rows = []
    for j, (name, i) in enumerate(zip(faces.ATTRIBUTES, naming.variable)):
        encoded, other = binarise(model, flipped(own, i), mean_g), binarise(model, flipped(drawn, i), drawn_g)
        another = binarise(model, flipped(own, i), np.roll(mean_g, 1, axis=0))
        wanted = faces.draw(flipped(truth, j), nuisances).reshape(len(part), -1)
        rows.append(Switched(name, int(i), epochs, judged, exactly(judge.predict(generated), judge.predict(other), j),
                             exactly(judge.predict(again), judge.predict(encoded), j),
                             wrong_pixels(again, x), wrong_pixels(encoded, wanted), wrong_pixels(another, wanted),
                             float((naming.read(own)[:, j] == truth[:, j]).mean()),
                             *_closest(own[:, i], nuisances)))
    return rows


def _closest(bit: np.ndarray, nuisances: np.ndarray) -> tuple[str, float]:
    """The nuisance that correlates most with a bit, and how much; the first with 0 where the bit is always the same."""
    centred, spread = nuisances - nuisances.mean(axis=0), nuisances.std(axis=0) * max(float(bit.std()), 1e-12)
    found = np.abs((bit - bit.mean()) @ centred / len(bit)) / spread
    return list(faces.NUISANCES)[int(found.argmax())], float(found.max())
