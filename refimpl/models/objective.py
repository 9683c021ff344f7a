"""The decoder bound to a batch of images: all that an estimator sees of a model (see estimators/base.py)."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.estimators import Mixture, Point
from refimpl.models.coordinates import neighbour_scores
from refimpl.nn.layers import MLP, Buffers
from refimpl.nn.losses import bernoulli_score, bernoulli_score_table, bernoulli_score_table_backward


class DecoderObjective:
    """f(z) = log p(x given z) for the images x (B, pixels), with z = n one-hot vectors of k values as the decoder's input.

    The decoder does not depend on x: the outputs of all K joint values are computed once a batch, and one matrix product
    compares them with all images.  learn() leaves the gradient of the batch's loss, -1/B sum_b f_b, in the decoder's layers.

    `evaluations` counts the f's an image that estimators asked for; what the decoder computes to learn is not among them.
    """

    def __init__(self, decoder: MLP, n: int, k: int, x: np.ndarray, buffers: Buffers | None = None) -> None:
        self.decoder, self.n, self.k, self.x = decoder, n, k, x
        self.evaluations = 0
        self._buffers = buffers or Buffers()
        self._forget()

    def _forget(self) -> None:
        """The layers' buffers are about to be used for another pass."""
        self._forward = None        # the z whose forward pass they hold, with _df_da
        self._backward = None       # the z whose parameter gradients they hold as well
        self._sigmoid = None        # of the joint table's logits, if it is that pass that they hold
        self._centre = None         # with n = 1, the z that the joint table was asked for around

    def score(self, z: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return self._decode(z)

    def score_and_grad(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f = self.score(z)
        batch = len(self.x)
        dz = self.decoder.backward(self._df_da / -batch)            # of the loss -1/B sum f: leaves its dW in the layers
        self._backward = z
        return f, (dz * -batch).reshape(z.shape)                    # and back to df/dz, an image at a time

    def table(self, z: np.ndarray | None = None) -> np.ndarray:
        if self.n == 1:                                             # no other coordinates: the table is the enumeration
            f = self.joint_table()[:, None, :]
            self._centre = z
            return f
        if z is None:
            raise ValueError("table needs z: with n > 1 the other coordinates have to be somewhere")
        table = np.empty((len(z), self.n, self.k), self.x.dtype)
        chosen = z.argmax(axis=-1)
        np.put_along_axis(table, chosen[..., None], self.score(z)[:, None, None], axis=-1)      # nothing replaced
        other, f = neighbour_scores(self.decoder, self.x, chosen, self.k, self._buffers)
        np.put_along_axis(table, other, f, axis=-1)
        self.evaluations += self.n * (self.k - 1)
        return table

    def joint_table(self) -> np.ndarray:
        """f of every joint value, (B, K): see joint.values for their order."""
        self.evaluations += joint.count(self.n, self.k)
        return self._enumerate()

    def learn(self, latent: Point | Mixture) -> None:
        """Write the gradient of -1/B sum_b f_b, at this latent, to the decoder's parameter gradients.

        Where a pass through this very z (the same array) is still in the layers, it is not made again.
        """
        if isinstance(latent, Mixture):
            self._learn_from_table(latent.weights)
        elif self._centre is not None and latent.z is self._centre:
            self._learn_from_table(latent.z[:, 0])                  # a sampled value is a mixture with one weight 1
        elif latent.z is not self._backward:
            if latent.z is not self._forward:
                self._decode(latent.z)
            self.decoder.backward(self._df_da / -len(self.x), need_dx=False)

    def _decode(self, z: np.ndarray) -> np.ndarray:
        self._forget()
        a = self.decoder.forward(z.reshape(len(z), -1).astype(self.x.dtype, copy=False))
        f, self._df_da = bernoulli_score(self.x, a)
        self._forward = z
        return f

    def _enumerate(self) -> np.ndarray:
        self._forget()
        a = self.decoder.forward(joint.one_hots(self.n, self.k, self.x.dtype))           # (K, pixels), once a batch
        f, self._sigmoid = bernoulli_score_table(self.x, a)
        return f

    def _learn_from_table(self, weights: np.ndarray) -> None:
        if self._sigmoid is None:
            self._enumerate()
        weights = (weights / -len(self.x)).astype(self.x.dtype, copy=False)
        self.decoder.backward(bernoulli_score_table_backward(weights, self.x, self._sigmoid), need_dx=False)
