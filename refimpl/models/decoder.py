"""The decoder bound to a batch of images: all that an estimator sees of a model (estimators/base.py).

Every pass is a value: it keeps what its backward pass needs, and nothing that is asked later changes it.  Once the
weights have moved, asking it for a gradient raises nn.parameters.StalePass.
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
    """One z per image: z (B, n, k), kept as a copy; f (B,) = log p(x given z), nats."""

    def __init__(self, decoder: MLP, inputs: Inputs, x: np.ndarray, z: np.ndarray) -> None:
        self._inputs, self._x = inputs, x
        self.z = np.array(z, x.dtype)                               # a copy: whoever changes z later changes nothing
        self._run = decoder.run(inputs.forward(self.z))             # logits a
        self.f = bernoulli_score(x, self._run.y)

    @cached_property
    def _back(self) -> Backward:
        """Of f itself, an image at a time: made once, for df_dz and learn alike."""
        return self._run.backward(bernoulli_score_backward(self._x, self._run.y))

    def df_dz(self) -> np.ndarray:
        """(B, n, k), an image at a time."""
        return self._inputs.backward(self.z, self._back.dx)

    def accumulate(self, weight: float = 1.0) -> None:
        """Add weight times the gradient of -1/B sum_b f_b to the decoder's gradients, and to what feeds it."""
        self._back.accumulate(-weight / len(self.z))
        self._inputs.accumulate(self.z, self._back, -weight / len(self.z))


class DecoderObjective:
    """f(z) = log p(x given z) for the images x (B, pixels), through `inputs`, what the decoder is fed.

    Where the decoder's output does not depend on the image, all K joint values are decoded once a batch, and one matrix
    product compares them with all images: SharedTable.  Where a Gaussian of its own goes in, each image needs K outputs
    of its own: OwnTable.

    evaluations counts the f's per image that estimators asked for, without what the decoder computes to learn.
    Raises ValueError if there is no image.
    """

    def __init__(self, decoder: MLP, inputs: Inputs, x: np.ndarray) -> None:
        if len(x) == 0:                                                     # their mean would be 0 / 0
            raise ValueError("x must hold at least one image")
        self.decoder, self.inputs, self.x = decoder, inputs, x
        self.n, self.k = inputs.n, inputs.k
        self.evaluations = 0

    def run(self, z: np.ndarray, counted: bool = True) -> DecoderPass:
        """f at z (B, n, k), one-hot or relaxed; counted: whether it is an evaluation."""
        self._check(z)
        self.evaluations += counted
        return DecoderPass(self.decoder, self.inputs, self.x, z)

    def table(self, z: np.ndarray) -> Table:
        """f around the one-hot z (B, n, k).  Raises ValueError if z is relaxed: it has no neighbours."""
        self._check(z)
        chosen = arguments.corners("z", z)                                                 # (B, n)
        if self.n == 1:                                                     # no other coordinates: the enumeration
            every = self._enumerate(keep=False)
            at_z = EnumeratedPoint(every, z) if self.inputs.shared else self.run(z, counted=False)
            return Table(every.f[:, None, :], at_z)
        here = self.run(z)
        table = np.empty((len(z), self.n, self.k), self.x.dtype)
        np.put_along_axis(table, chosen[..., None], here.f[:, None, None], axis=-1)     # nothing replaced
        other, f = neighbour_scores(self.decoder, self.inputs, self.x, chosen)
        np.put_along_axis(table, other, f, axis=-1)
        self.evaluations += self.n * (self.k - 1)
        return Table(table, here)

    def joint_table(self) -> SharedTable | OwnTable:
        """f of every joint value, (B, K): see joint.values for their order."""
        return self._enumerate(keep=True)

    def _enumerate(self, keep: bool) -> SharedTable | OwnTable:
        self.evaluations += joint.count(self.n, self.k)
        if self.inputs.shared:
            return SharedTable(self.decoder, self.inputs, self.x)
        return OwnTable(self.decoder, self.inputs, self.x, keep)

    def _check(self, z: np.ndarray) -> None:
        if np.shape(z) != (len(self.x), self.n, self.k):
            raise ValueError(f"z must have shape (B, n, k) = {(len(self.x), self.n, self.k)}, got {np.shape(z)}")
