"""The mixture model of slide 33: a class and a Gaussian, for images of which a few have labels.

    encoder  x (784) -> 400 ReLU -> 200 ReLU = e     class     e -> 100 ReLU -> h (10)           q(c given x) = softmax(h)
                                                     Gaussian  e -> mu, log s^2 (d each)         q(g given x) = N(mu, s^2)
    decoder  the 10 x d matrix with g in row c, zero elsewhere -> hidden ReLU layers -> a (784)     f(x, c, g) = log p(x given c, g)
    prior    c uniform on the ten classes, g standard normal

    -log p(x) <= loss = -E f + KL(q(c) || uniform) + KL(q(g) || N(0, 1)), averaged over the batch

The class is chosen by a Gumbel arg max and any of the estimators of a single variable; g = mu + s xi by its own reparameterisation.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.estimators import Estimator, Point
from refimpl.models.mixture_objective import MixtureObjective
from refimpl.nn.layers import MLP, Buffers, Linear, ReLU, Sequential, bind_all
from refimpl.nn.losses import categorical_kl, gaussian_kl

CLASSES = 10
BLOCK = 500             # images at a time when measuring


class Code(NamedTuple):
    """The encoder's view of a batch: h (B, 10) scores of the class; mu, log_var (B, d) of the Gaussian."""

    h: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray


class Draw(NamedTuple):
    """A code, and g (B, d) = mu + s xi drawn from it, with xi standard normal and s the deviation."""

    code: Code
    g: np.ndarray
    xi: np.ndarray
    deviation: np.ndarray


class Bound(NamedTuple):
    """Averages over images, nats: test_elbo = reconstruction - class_kl - gaussian_kl <= log p(x)."""

    test_elbo: float
    reconstruction: float
    class_kl: float
    gaussian_kl: float


class MixtureVAE:
    """gaussian: d, the dimension of g.  hidden: the decoder's hidden widths.  dtype: float32 to train, float64 to check.

    All parameters are in one flat vector, `values`, and their gradients in `grads`.
    """

    def __init__(self, gaussian: int = 30, hidden: tuple[int, ...] = (200, 400), pixels: int = 784,
                 trunk: tuple[int, int] = (400, 200), head: int = 100, classes: int = CLASSES,
                 dtype: np.dtype = np.float32) -> None:
        self.d, self.classes, self.dtype = gaussian, classes, np.dtype(dtype)
        self.trunk = Sequential([Linear(pixels, trunk[0]), ReLU(), Linear(trunk[0], trunk[1]), ReLU()])
        self.class_head = MLP([trunk[1], head, classes])
        self.gaussian_head = Linear(trunk[1], 2 * gaussian)
        self.decoder = MLP([classes * gaussian, *hidden, pixels])
        self._networks = (self.trunk, self.class_head, self.gaussian_head, self.decoder)
        self.values, self.grads = bind_all(self._networks, dtype)
        self._decoder_grads = self.grads[-self.decoder.n_parameters:]
        self._buffers = Buffers()

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw all weights; the same generator state gives the same model."""
        for network in self._networks:
            network.initialise(rng)

    def encode(self, x: np.ndarray) -> Code:
        """Views of the layers' buffers."""
        e = self.trunk.forward(x)
        out = self.gaussian_head.forward(e)
        return Code(self.class_head.forward(e), out[:, :self.d], out[:, self.d:])

    def objective(self, x: np.ndarray, g: np.ndarray) -> MixtureObjective:
        """f of each class, for these images and Gaussians."""
        return MixtureObjective(self.decoder, g, x, self._buffers)

    def decode(self, g: np.ndarray) -> np.ndarray:
        """Logits a (B, classes, pixels) of every class with each g (B, d), a copy."""
        classes = np.eye(self.classes, dtype=self.dtype)
        inputs = np.einsum("ci,bj->bcij", classes, g).reshape(len(g) * self.classes, -1)
        return self.decoder.forward(inputs).reshape(len(g), self.classes, -1).copy()

    # --- learning ----------------------------------------------------------------------------------------------------

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True, beta: float = 1.0,
                 **settings) -> MixtureObjective:
        """One batch without labels: leaves the (estimated) gradient of the loss in `grads`.

        x          (B, pixels) of 0 and 1, in the model's dtype
        kl_grad    whether the class's KL term takes part in the encoder's gradient
        beta       weight of the Gaussian's KL term; 1 is the bound
        settings   the estimator's own: eps or tau
        """
        batch = len(x)
        draw = self._draw(x, rng)
        h = draw.code.h
        objective = self.objective(x, draw.g)
        grad_h, latent = estimator.estimate(h[:, None, :], objective, rng, **settings)
        dh = grad_h[:, 0] / -batch                                      # loss = -1/B sum_b (E f - KL - beta KL)
        if kl_grad:
            dh = dh + categorical_kl(h)[1] / batch
        objective.learn(latent)
        self._encoder_backward(draw, dh, objective.dg, beta)
        return objective

    def backward_labelled(self, x: np.ndarray, labels: np.ndarray, term: Callable[..., np.ndarray], eps: float, weight: float,
                          rng: np.random.Generator, image_weight: float = 1.0, beta: float = 1.0) -> None:
        """One batch whose classes are known: leaves in `grads` the gradient of

            1/B sum_b  image_weight [ -f(x_b, y_b, g) + beta KL(q(g) || N(0, 1)) ] - weight * (what the term ascends)

        labels (B,) integers.  term and its eps: what the label teaches the class's scores (estimators/labelled.py).  The class's
        KL term is a constant, its q being certain, and the decoder is run for the label alone.
        """
        draw = self._draw(x, rng)
        dh = weight * term(draw.code.h, labels, rng, eps) / -len(x)
        objective = self.objective(x, draw.g)
        objective.learn(Point(gumbel.one_hot(labels, self.classes)[:, None, :]))
        self._decoder_grads *= image_weight
        self._encoder_backward(draw, dh, image_weight * objective.dg, image_weight * beta)

    def _draw(self, x: np.ndarray, rng: np.random.Generator) -> Draw:
        code = self.encode(x)
        xi = rng.standard_normal(code.mu.shape, dtype=np.float32).astype(self.dtype, copy=False)
        deviation = np.exp(code.log_var / 2)
        return Draw(code, code.mu + deviation * xi, xi, deviation)

    def _encoder_backward(self, draw: Draw, dh: np.ndarray, dg: np.ndarray, beta: float) -> None:
        """From the loss's gradients in h and in g to the encoder's parameters, the Gaussian's KL term added."""
        code, batch = draw.code, len(dh)
        _, kl_mu, kl_log_var = gaussian_kl(code.mu, code.log_var)
        dmu = beta * kl_mu / batch + dg                                             # g = mu + s xi
        dlog_var = beta * kl_log_var / batch + dg * draw.xi * draw.deviation / 2    # s = exp(log_var / 2)
        de = self.class_head.backward(dh.astype(self.dtype, copy=False))
        de = de + self.gaussian_head.backward(np.concatenate([dmu, dlog_var], axis=1))
        self.trunk.backward(de, need_dx=False)

    # --- what it has learnt ----------------------------------------------------------------------------------------------

    def classify(self, images) -> np.ndarray:
        """The likeliest class (N,) of the images of a data.Part."""
        blocks = [slice(start, start + BLOCK) for start in range(0, len(images), BLOCK)]
        return np.concatenate([self.encode(images.images(rows, self.dtype)).h.argmax(axis=1) for rows in blocks])

    def bound(self, images, rng: np.random.Generator) -> Bound:
        """Averages over the images of a data.Part: the expectation over the class exact, that over g by one sample an image."""
        totals = np.zeros(4)
        for start in range(0, len(images), BLOCK):
            x = images.images(slice(start, start + BLOCK), self.dtype)
            draw = self._draw(x, rng)
            h, code = draw.code.h.astype(np.float64), draw.code
            f = self.objective(x, draw.g).table()[:, 0]
            reconstruction = (softmax(h, axis=1) * f).sum()
            class_kl, gaussian = categorical_kl(h)[0].sum(), gaussian_kl(code.mu, code.log_var)[0].sum(dtype=np.float64)
            totals += reconstruction - class_kl - gaussian, reconstruction, class_kl, gaussian
        return Bound(*(totals / len(images)).tolist())
