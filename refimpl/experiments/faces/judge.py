"""Test which attributes of a face change if one of the model's binary variables is changed.

The judge is a network that learns the attributes of all training images.  Before it classifies a picture that a model
makes, every pixel of the picture is set to the more likely colour, black or white.  The judge cannot tell whether a
picture still shows the same face.  But all other properties of the face in a test image, such as the width of the head,
are known (data/faces.py).  So the same face can be drawn with the other value of the attribute, and compared with the
model's picture pixel by pixel.
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
FACES = 5_000           # samples from the prior, and as many test images: the standard error is at most 0.71 %
NEEDED = 0.99           # the judge's verdicts are used only if its accuracy is at least this


class Judge:
    """A network 784 -> 100 ReLU -> one logit per attribute, trained with the binary cross-entropy."""

    def __init__(self, part: data.Part) -> None:
        rng, values = np.random.default_rng(SEED), attributes_of(part)
        self.network = MLP([part.images(slice(0, 1)).shape[1], HIDDEN, values.shape[1]])
        parameters = bind([self.network], np.float32)
        self.network.initialise(rng)
        adam = Adam(parameters)
        for _ in range(EPOCHS):
            order = rng.permutation(len(part))
            for start in range(0, len(part), BATCH):
                rows = order[start:start + BATCH]
                parameters.zero_grads()
                run = self.network.run(part.images(rows))
                run.backward(bernoulli_score_backward(values[rows].astype(np.float32), run.y)).accumulate(
                    -1 / len(rows))                                         # loss = -mean log p(attributes given x)
                adam.step()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, n): the predicted attributes.  The binary pictures x have shape (B, pixels)."""
        return (self.network.forward(x) > 0).astype(np.int64)

    def accuracy(self, part: data.Part) -> float:
        """Return the share of the images for which the judge predicts all attributes correctly."""
        right = [self.predict(x) for x in part.blocks(1_000)]
        return float((np.concatenate(right) == attributes_of(part)).all(axis=1).mean())


class Switched(NamedTuple):
    """Holds the results of changing the binary variable that represents one attribute."""

    attribute: str
    bit: int
    """The index of the model's variable that represents the attribute."""
    epochs: float
    judge: float
    """The judge's accuracy on the test images."""
    generated: float
    """Share of the faces from the prior in which the judge sees a change of this attribute and of no other."""
    encoded: float
    """Like `generated`, but for test images, which are encoded as their bits and the mean of g."""
    pixels_again: float
    """Number of wrong pixels in the reconstruction of an encoded face.  A face has 784 pixels."""
    pixels_switched: float
    """Number of pixels in which the face after the switch differs from the true face with this attribute switched."""
    pixels_other: float
    """Like `pixels_switched`, but decoded with the g of another test image, so that the face is a wrong one."""
    agrees: float
    """Share of the test images for which the naming reads the attribute correctly from the bits."""
    nuisance: str
    """The nuisance with which the bit correlates most over the test images."""
    correlation: float
    """The absolute value of the correlation between the bit and `nuisance`."""


def attributes_of(part: data.Part) -> np.ndarray:
    """Return an array of shape (N, 3): the attributes of the N images in `part`."""
    return joint.values(len(faces.ATTRIBUTES), 2)[part.labels]


def binarise(model: MixtureVAE, values: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, pixels): binary pictures, in which each pixel has its likelier colour."""
    return (model.decode_as(values, g) > 0).astype(np.float32)


def exactly(before: np.ndarray, after: np.ndarray, j: int) -> float:
    """Return the share of the rows in which attribute `j`, and no other, differs between `before` and `after`."""
    changed = before != after
    return float((changed[:, j] & (changed.sum(axis=1) == 1)).mean())


def wrong_pixels(pictures: np.ndarray, wanted: np.ndarray) -> float:
    return float((pictures != wanted).sum(axis=1).mean())


def flipped(values: np.ndarray, i: int) -> np.ndarray:
    values = values.copy()
    values[:, i] = 1 - values[:, i]
    return values


def switch_test(model: MixtureVAE, naming: Naming, judge: Judge, test: data.Part, first: int, epochs: float,
                rng: np.random.Generator, images: int = FACES) -> list[Switched]:
    """Switch each attribute in samples from the prior and in the first test images.

    `images` is the number of samples, and also the number of test images.  `first` is the index of the first test
    image in faces.truth.
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
    """Return the nuisance that correlates most with `bit`, and the absolute value of this correlation."""
    centred, spread = nuisances - nuisances.mean(axis=0), nuisances.std(axis=0) * max(float(bit.std()), 1e-12)
    found = np.abs((bit - bit.mean()) @ centred / len(bit)) / spread
    return list(faces.NUISANCES)[int(found.argmax())], float(found.max())
