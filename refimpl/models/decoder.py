"""Compute f for a batch of images with the decoder.  DecoderObjective is an Objective of estimators/base.py.

A forward pass stores everything that its backward pass needs, and later calls do not change what is stored.  If the
weights have been updated since the forward pass, the backward pass raises nn.parameters.StalePass.
"""
from __future__ import annotations

from functools import cached_property

import numpy as np

from refimpl import arguments, joint
from refimpl.estimators import Table
from refimpl.models.inputs import Inputs
from refimpl.models.neighbours import neighbour_scores
from refimpl.models.tables import EnumeratedPoint, OwnTable, SharedTable
from refimpl.nn.losses import bernoulli_score, bernoulli_score_backward
from refimpl.nn.network import MLP, Backward


class DecoderPass:
    """Computes f = log p(x given z) in nats for one z per image.

    z has shape (B, n, k), and the attribute f has shape (B,).
    """

    def __init__(self, decoder: MLP, inputs: Inputs, x: np.ndarray, z: np.ndarray) -> None:
        self._inputs, self._x = inputs, x
        self.z = np.array(z, x.dtype)                               # a copy, so the caller may change z
        self._run = decoder.run(inputs.forward(self.z))             # logits a
        self.f = bernoulli_score(x, self._run.y)

    @cached_property
    def _back(self) -> Backward:
        return self._run.backward(bernoulli_score_backward(self._x, self._run.y))

    def df_dz(self) -> np.ndarray:
        """Return an array of shape (B, n, k): the derivative of f with respect to z for each image."""
        return self._inputs.backward(self.z, self._back.dx)

    def accumulate(self, weight: float = 1.0) -> None:
        """Add the gradient of -weight/B sum_b f_b to the stored gradients of the decoder and its inputs."""
        self._back.accumulate(-weight / len(self.z))
        self._inputs.accumulate(self.z, self._back, -weight / len(self.z))


class DecoderObjective:
    """Computes f(z) = log p(x given z) for a batch of images x.  The array x has shape (B, pixels).

    `inputs` maps z to the input of the decoder.  If the decoder's output does not depend on the image, all K joint
    values are decoded once per batch, and one matrix product computes their scores for all images (SharedTable).  If
    the decoder's input contains a Gaussian for each image, each image needs K decoder outputs of its own (OwnTable).

    The attribute `evaluations` is the number of values of f per image that the estimators have used.  Values that serve
    only to train the decoder are not counted.  Raises ValueError if there is no image.
    """

    def __init__(self, decoder: MLP, inputs: Inputs, x: np.ndarray) -> None:
        if len(x) == 0:                                                     # the mean over the images would be 0 / 0
            raise ValueError("x must hold at least one image")
        self.decoder, self.inputs, self.x = decoder, inputs, x
        self.n, self.k = inputs.n, inputs.k
        self.evaluations = 0

    def run(self, z: np.ndarray, counted: bool = True) -> DecoderPass:
        """Evaluate f at a one-hot or relaxed z, of shape (B, n, k).  Add 1 to `evaluations` if `counted` is true."""
        self._check(z)
        self.evaluations += counted
        return DecoderPass(self.decoder, self.inputs, self.x, z)

    def table(self, z: np.ndarray) -> Table:
        """Evaluate f at a one-hot z and at all joint values that differ from z in one coordinate.

        z has shape (B, n, k).  Raises ValueError if z is relaxed.
        """
        self._check(z)
        chosen = arguments.corners("z", z)                                                 # (B, n)
        if self.n == 1:                                                     # the table holds all values: enumerate
            every = self.joint_table(keep=False)
            at_z = EnumeratedPoint(every, z) if self.inputs.shared else self.run(z, counted=False)
            return Table(every.f[:, None, :], at_z)
        here = self.run(z)
        table = np.empty((len(z), self.n, self.k), self.x.dtype)
        np.put_along_axis(table, chosen[..., None], here.f[:, None, None], axis=-1)     # z_i replaced by itself
        other, f = neighbour_scores(self.decoder, self.inputs, self.x, chosen)
        np.put_along_axis(table, other, f, axis=-1)
        self.evaluations += self.n * (self.k - 1)
        return Table(table, here)

    def joint_table(self, keep: bool = True) -> SharedTable | OwnTable:
        """Return a table of f at every joint value.  The attribute f of the table has shape (B, K).

        The joint values are in the order of joint.values.  If the result is an OwnTable and `keep` is false, it does
        not store the logits, so the decoder cannot learn from it.
        """
        self.evaluations += joint.count(self.n, self.k)
        if self.inputs.shared:
            return SharedTable(self.decoder, self.inputs, self.x)
        return OwnTable(self.decoder, self.inputs, self.x, keep)

    def _check(self, z: np.ndarray) -> None:
        if np.shape(z) != (len(self.x), self.n, self.k):
            raise ValueError(f"z must have shape (B, n, k) = {(len(self.x), self.n, self.k)}, got {np.shape(z)}")
