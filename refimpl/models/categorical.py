"""The variational auto-encoder with one categorical latent variable (slides 8 to 24).

    encoder  x (784) -> 300 ReLU -> h (k)              q(z given x) = softmax(h)
    decoder  onehot(z) (k) -> 300 ReLU -> a (784)      f(x, z) = log p(x given z) = sum_d x_d a_d - log(1 + e^{a_d})
    prior    uniform on k values

    -log p(x) <= loss = -E_q f + KL(q || uniform), averaged over the batch

The decoder does not depend on x.  Its k outputs are computed once a batch, and one matrix product compares them with
all images: f for every value of z of every image costs little more than f for one.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import exact
from refimpl.estimators import Estimator, Mixture, Point
from refimpl.nn.layers import MLP, bind_all
from refimpl.nn.losses import (bernoulli_score, bernoulli_score_table, bernoulli_score_table_backward, categorical_kl)


class Bounds(NamedTuple):
    """Exact averages over a set of images, in nats: elbo <= log_likelihood, gap is the difference."""

    elbo: float
    log_likelihood: float
    gap: float


class CategoricalObjective:
    """f of the decoder, bound to a batch x (B, pixels): what an estimator sees of the model.

    The gradient of the decoder's parameters is that of the batch's loss, -1/B sum_b f_b.
    """

    def __init__(self, decoder: MLP, k: int, x: np.ndarray) -> None:
        self.decoder, self.k, self.x = decoder, k, x
        self.evaluations = 0
        self._scored = self._centre = None          # the z of the pass whose results are still in the layers' buffers

    def score(self, z: np.ndarray) -> np.ndarray:
        return self._decode(z)[0]

    def score_and_grad(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, df_da = self._decode(z)
        batch = len(self.x)
        dz = self.decoder.backward(df_da / -batch)                  # of the loss -1/B sum f: leaves its dW in the layers
        self._scored = z
        return f, (dz * -batch).reshape(z.shape)                    # and back to df/dz, an image at a time

    def table(self, z: np.ndarray | None = None) -> np.ndarray:
        self.evaluations += self.k
        self._scored, self._centre = None, z
        a = self.decoder.forward(np.eye(self.k, dtype=self.x.dtype))                     # (k, pixels), once a batch
        f, self._sigmoid = bernoulli_score_table(self.x, a)
        return f[:, None, :]                                        # (B, 1, k)

    def learn(self, latent: Point | Mixture) -> None:
        """Write the gradient of -1/B sum_b f_b, at this latent, to the decoder's parameter gradients.

        Where the pass through this very z (the same array) is still in the layers, it is not made again.
        """
        if isinstance(latent, Mixture):
            self._learn_from_table(latent.weights)
        elif latent.z is self._centre:
            self._learn_from_table(latent.z[:, 0])                  # a sampled value is a mixture with one weight 1
        elif latent.z is not self._scored:
            self.score_and_grad(latent.z)

    def _decode(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.evaluations += 1
        self._centre = None
        a = self.decoder.forward(z.reshape(len(z), -1).astype(self.x.dtype, copy=False))
        return bernoulli_score(self.x, a)

    def _learn_from_table(self, weights: np.ndarray) -> None:
        weights = (weights / -len(self.x)).astype(self.x.dtype, copy=False)
        self.decoder.backward(bernoulli_score_table_backward(weights, self.x, self._sigmoid), need_dx=False)


class CategoricalVAE:
    """Encoder and decoder with all parameters in one flat vector, `values`, and their gradients in `grads`.

    k: number of values of z.  hidden: width of both hidden layers.  dtype: float32 to train, float64 to check.
    """

    def __init__(self, k: int, hidden: int = 300, pixels: int = 784, dtype: np.dtype = np.float32) -> None:
        if k < 2:
            raise ValueError(f"k must be at least 2, got {k}")
        self.k, self.dtype = k, np.dtype(dtype)
        self.encoder = MLP([pixels, hidden, k])
        self.decoder = MLP([k, hidden, pixels])
        self.values, self.grads = bind_all([self.encoder, self.decoder], dtype)
        self.encoder_grads = self.grads[: self.encoder.n_parameters]

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw all weights; the same generator state gives the same model."""
        self.encoder.initialise(rng)
        self.decoder.initialise(rng)

    def objective(self, x: np.ndarray) -> CategoricalObjective:
        return CategoricalObjective(self.decoder, self.k, x)

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True,
                 **settings: float) -> CategoricalObjective:
        """One batch, forward and backward: leaves the (estimated) gradient of the loss in `grads`.

        x          (B, pixels) of 0 and 1, in the model's dtype
        kl_grad    whether the KL term takes part in the encoder's gradient
        settings   the estimator's own: eps or tau
        Returns the objective, with its count of decoder evaluations.
        """
        batch = len(x)
        h = self.encoder.forward(x)                                          # (B, k)
        objective = self.objective(x)
        grad_h, latent = estimator.estimate(h[:, None, :], objective, rng, **settings)
        dh = grad_h[:, 0] / -batch                                           # loss = -1/B sum_b (E f - KL)
        if kl_grad:
            dh = dh + categorical_kl(h)[1] / batch
        objective.learn(latent)
        self.encoder.backward(dh.astype(self.dtype, copy=False), need_dx=False)
        return objective

    def decode_all(self) -> np.ndarray:
        """The logits a (k, pixels) of every value of z, a copy."""
        return self.decoder.forward(np.eye(self.k, dtype=self.dtype)).copy()

    def score_all(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(h, f) of these images, both (B, k) float64: all that exact bounds need.

        f is summed in float64 whatever the model's dtype: 784 terms in float32 lose the third decimal of a bound.
        """
        f, _ = bernoulli_score_table(x.astype(np.float64), self.decode_all().astype(np.float64))
        return self.encoder.forward(x).astype(np.float64), f

    def bounds(self, images, block: int = 2_000) -> Bounds:
        """Exact ELBO, log-likelihood and gap by enumeration, averaged over the images of a data.Part."""
        total = np.zeros(3)
        for start in range(0, len(images), block):
            h, f = self.score_all(images.images(slice(start, start + block), self.dtype))
            total += [exact.elbo(h, f).sum(), exact.log_likelihood(f).sum(), exact.gap(h, f).sum()]
        return Bounds(*(float(value) for value in total / len(images)))
