"""The variational auto-encoder with n latent variables of k values each (slides 8 to 24 with n = 1, 25 to 31 with n > 1).

    encoder  x (784) -> 300 ReLU -> h (n, k)           q(z given x) = prod_i softmax(h_i)(z_i)
    decoder  n one-hots (n k) -> 300 ReLU -> a (784)   f(x, z) = log p(x given z) = sum_d x_d a_d - log(1 + e^{a_d})
    prior    uniform on the k^n joint values

    -log p(x) <= loss = -E_q f + KL(q || uniform), averaged over the batch
"""
from __future__ import annotations

import numpy as np

from refimpl.estimators import Estimator
from refimpl.estimators.sampling import sample
from refimpl.models import truth
from refimpl.models.base import LatentVAE
from refimpl.models.objective import DecoderObjective
from refimpl.nn.losses import categorical_kl


class DiscreteVAE(LatentVAE):
    """q factorises over n latent variables of k values each.

    k: values of each latent variable.  n: number of them.  hidden: width of both hidden layers.  dtype: float32 to train,
    float64 to check.
    """

    def __init__(self, k: int, n: int = 1, hidden: int = 300, pixels: int = 784, dtype: np.dtype = np.float32) -> None:
        if k < 2:
            raise ValueError(f"k must be at least 2, got {k}")
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        super().__init__(n * k, n, k, hidden, pixels, dtype)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """h (B, n, k), a view of the encoder's buffer."""
        return self.encoder.forward(x).reshape(len(x), self.n, self.k)

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True,
                 **settings) -> DecoderObjective:
        """One batch, forward and backward: leaves the (estimated) gradient of the loss in `grads`.

        x          (B, pixels) of 0 and 1, in the model's dtype
        kl_grad    whether the KL term takes part in the encoder's gradient
        settings   the estimator's own: eps or tau, and its memory
        Returns the objective, with its count of decoder evaluations.
        """
        batch = len(x)
        h = self.encode(x)
        objective = self.objective(x)
        grad_h, latent = estimator.estimate(h, objective, rng, **settings)
        dh = grad_h / -batch                                                 # loss = -1/B sum_b (E f - KL)
        if kl_grad:
            dh = dh + categorical_kl(h)[1] / batch
        objective.learn(latent)
        self.encoder.backward(dh.reshape(batch, -1).astype(self.dtype, copy=False), need_dx=False)
        return objective

    def score_all(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(h (B, n, k), f (B, k^n)) of these images in float64: all that exact expectations need."""
        a = self.decode_all().astype(np.float64)
        f = x.astype(np.float64) @ a.T - truth.softplus_sum(a.copy())
        return self.encode(x).astype(np.float64), f

    def draw(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One z an image, one-hot (B, n, k), a sample of q."""
        return sample(self.encode(x), rng)

    def sampled_elbo(self, images, rng: np.random.Generator, block: int = 2_000) -> float:
        """Mean over the images of f(x, z) - KL with one sample z of q each: unbiased for the ELBO, however many joint values."""
        total = 0.0
        for start in range(0, len(images), block):
            x = images.images(slice(start, start + block), self.dtype)
            h = self.encode(x).copy()
            total += (self.objective(x).score(sample(h, rng)) - categorical_kl(h)[0].sum(axis=1)).sum(dtype=np.float64)
        return float(total / len(images))

    def bounds(self, images) -> truth.Bounds:
        """Exact ELBO, log-likelihood and gap, averaged over the images of a data.Part, by enumeration of the joint values.

        Raises InputError if there are more than joint.COUNTABLE of them.
        """
        return truth.bounds(self.decode_all(), images, self.encode)
