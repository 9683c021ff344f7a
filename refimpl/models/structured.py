"""A VAE with a structured encoder: n binary latent variables with unary and pair scores (slide 32).

    encoder  x (784) -> 300 ReLU -> u (n), v (n (n-1)/2);   w = softplus(v) where pair scores must not be negative, else v
    latent   z* = argmax of sum_i (u_i + gamma_i) z_i + sum_{i<j} w_ij z_i z_j, by a solver
    decoder  n one-hots (2 n) -> 300 ReLU -> a (784)

q(z given x) is the law of that arg max.  It has no closed form, so there is no KL term to train on and no ELBO to report: the
exact log-likelihood, which needs no q, is the figure of merit.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.argmax.base import Solver
from refimpl.estimators import structured
from refimpl.models import truth
from refimpl.models.base import LatentVAE
from refimpl.models.objective import DecoderObjective
from refimpl.nn.losses import categorical_kl, softplus_and_sigmoid


class StructuredVAE(LatentVAE):
    """n binary latent variables, their arg max by `solver`.  non_negative: pair scores through a softplus."""

    def __init__(self, n: int, solver: Solver, non_negative: bool, hidden: int = 300, pixels: int = 784,
                 dtype: np.dtype = np.float32) -> None:
        if not 2 <= n <= solver.most:
            raise ValueError(f"n must be in 2 ... {solver.most} for {solver.name}, got {n}")
        if solver.non_negative and not non_negative:
            raise ValueError(f"{solver.name} needs non-negative pair scores")
        super().__init__(n + n * (n - 1) // 2, n, 2, hidden, pixels, dtype)
        self.solver, self.non_negative = solver, non_negative

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(u (B, n), w (B, n (n-1)/2), dw/dv)."""
        out = self.encoder.forward(x)
        u, v = out[:, :self.n], out[:, self.n:]
        w, slope = softplus_and_sigmoid(v) if self.non_negative else (v, np.ones_like(v))
        return u, w, slope

    def backward(self, x: np.ndarray, estimate: Callable[..., structured.StructuredEstimate], rng: np.random.Generator,
                 **settings) -> DecoderObjective:
        """One batch, forward and backward: leaves the estimated gradient of -1/B sum_b E f_b in `grads`."""
        batch = len(x)
        u, w, slope = self.encode(x)
        objective = self.objective(x)
        grad_u, grad_w, latent = estimate(u, w, objective, rng, argmax=self.solver.argmax, **settings)
        objective.learn(latent)
        dout = np.concatenate([grad_u, grad_w * slope], axis=1) / -batch              # v reaches the score through w
        self.encoder.backward(dout.astype(self.dtype, copy=False), need_dx=False)
        return objective

    def bounds(self, images) -> truth.Bounds:
        """The exact log-likelihood; elbo and gap are NaN.  Raises InputError for more than joint.COUNTABLE joint values."""
        return truth.bounds(self.decode_all(), images)

    def draw(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One z* an image, one-hot (B, n, 2)."""
        u, w, _ = self.encode(x)
        return structured.to_one_hot(self.solver.argmax(structured.perturb(u, rng), w))

    def released_loss(self, images, rng: np.random.Generator, block: int = 2_000) -> float:
        """Mean of f(x, z*) - KL(softmax of the unary scores || uniform), one z* an image: minus the loss of the
        released code.

        It is NOT a bound on log p(x): z* comes from the perturbed pairwise arg max, the KL from the unary scores alone.
        """
        total = 0.0
        for start in range(0, len(images), block):
            x = images.images(slice(start, start + block), self.dtype)
            u, w, _ = (part.copy() for part in self.encode(x))
            z = self.solver.argmax(structured.perturb(u, rng), w)
            kl = categorical_kl(np.stack([np.zeros_like(u), u], axis=-1))[0].sum(axis=1)
            total += (self.objective(x).score(structured.to_one_hot(z)) - kl).sum(dtype=np.float64)
        return float(total / len(images))
