"""The mixture model of slide 33, whose latent variables are discrete variables and a Gaussian.

The model can be trained when only some of the images have labels.  It is the model M2 of Kingma, Rezende, Mohamed and
Welling (Semi-supervised learning with deep generative models, NeurIPS 2014), with three differences.  The posterior of
the Gaussian does not depend on the class.  The posteriors of the class and of the Gaussian share the first layers of
the encoder.  Training does not need to enumerate the classes.

    encoder  x (784) -> 400 ReLU -> 200 ReLU = e     class     e -> 100 ReLU -> h (n, k)  q(c | x) = prod_i softmax(h_i)
                                                     Gaussian  e -> mu, log s^2 (d each)  q(g | x) = N(mu, s^2)
    decoder  c and g (models/inputs.py) -> hidden ReLU layers -> a (784)
             f(x, c, g) = log p(x given c, g)
    prior    c is uniform on its k^n joint values, and g is standard normal

    -log p(x) <= loss = -E f + KL(q(c) || uniform) + KL(q(g) || N(0, 1)), averaged over the batch

c is one class with ten values (n = 1 and k = 10), or n attributes with two values each (slides 2 and 25).  A label is
the index of a joint value in the order of joint.values.  c is sampled by a Gumbel arg max, and any estimator can be
used for the gradient with respect to h.  g = mu + s xi is reparameterised.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import arguments, gumbel, joint
from refimpl.estimators import Estimator
from refimpl.latent.independent import Independent
from refimpl.models.decoder import DecoderObjective
from refimpl.models.inputs import with_gaussian
from refimpl.models.tables import OwnTable
from refimpl.nn.layers import Linear, ReLU
from refimpl.nn.losses import categorical_kl, gaussian_kl
from refimpl.nn.network import MLP, Network, Pass
from refimpl.nn.parameters import bind

CLASSES = 10
BLOCK = 500             # the number of images at a time when the model is evaluated


class Draw(NamedTuple):
    """Holds the encoder's outputs for a batch, a sample of the Gaussian, and what the backward pass needs.

    h             the scores of the discrete variables, of shape (B, n, k)
    mu, log_var   the parameters of the Gaussian, of shape (B, d)
    g             the sample mu + deviation * xi, of shape (B, d), where xi is standard normal
    deviation     exp(log_var / 2), of shape (B, d)
    """

    trunk: Pass
    class_head: Pass
    gaussian_head: Pass
    h: np.ndarray
    g: np.ndarray
    xi: np.ndarray
    deviation: np.ndarray

    @property
    def mu(self) -> np.ndarray:
        return self.gaussian_head.y[:, :self.g.shape[1]]

    @property
    def log_var(self) -> np.ndarray:
        return self.gaussian_head.y[:, self.g.shape[1]:]


class Bound(NamedTuple):
    """Holds the ELBO and its three terms, averaged over images, in nats.

    test_elbo = reconstruction - class_kl - gaussian_kl.  The expectation of test_elbo is at most the mean of log p(x).
    """

    test_elbo: float
    reconstruction: float
    class_kl: float
    gaussian_kl: float


class MixtureVAE:
    """The mixture model, with its encoder and its decoder.

    gaussian  d, the number of dimensions of g
    hidden    the widths of the hidden layers of the decoder
    trunk     the widths of the first two layers of the encoder, which q(c | x) and q(g | x) share
    head      the width of the hidden layer between the trunk and h
    classes   k, the number of values of each discrete variable
    dtype     float32 for training, float64 for checks
    n         the number of discrete variables

    All parameters are stored in one flat vector (see nn.parameters).
    """

    def __init__(self, gaussian: int = 30, hidden: tuple[int, ...] = (200, 400), pixels: int = 784,
                 trunk: tuple[int, int] = (400, 200), head: int = 100, classes: int = CLASSES,
                 dtype: np.dtype = np.float32, n: int = 1) -> None:
        self.d, self.n, self.k, self.dtype = gaussian, n, classes, np.dtype(dtype)
        self.family = Independent(n, classes)
        self.trunk = Network([Linear(pixels, trunk[0]), ReLU(), Linear(trunk[0], trunk[1]), ReLU()])
        self.class_head = MLP([trunk[1], head, self.family.outputs])
        self.gaussian_head = Network([Linear(trunk[1], 2 * gaussian)])
        self.decoder = MLP([with_gaussian(n, classes, np.empty((0, gaussian))).width, *hidden, pixels])
        self._networks = (self.trunk, self.class_head, self.gaussian_head, self.decoder)
        self.parameters = bind(self._networks, dtype)

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw all weights at random from `rng`."""
        for network in self._networks:
            network.initialise(rng)

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> Draw:
        """Run the encoder on images x of shape (B, pixels), and draw the Gaussian variable g of each image."""
        trunk = self.trunk.run(x)
        class_head, gaussian_head = self.class_head.run(trunk.y), self.gaussian_head.run(trunk.y)
        mu, log_var = np.split(gaussian_head.y, 2, axis=1)
        xi = rng.standard_normal(mu.shape, dtype=np.float32).astype(self.dtype, copy=False)
        deviation = np.exp(log_var / 2)
        h = self.family.theta(class_head.y)
        return Draw(trunk, class_head, gaussian_head, h, mu + deviation * xi, xi, deviation)

    def objective(self, x: np.ndarray, g: np.ndarray) -> DecoderObjective:
        """Return f as a function of the discrete variables.  x has shape (B, pixels), and g has shape (B, d)."""
        return DecoderObjective(self.decoder, with_gaussian(self.n, self.k, g), x)

    def decode(self, g: np.ndarray) -> np.ndarray:
        """Decode each row of g with each joint value.  g has shape (B, d), and the logits have shape (B, K, pixels)."""
        every = joint.values(self.n, self.k)
        K = len(every)
        return self.decode_as(np.tile(every, (len(g), 1)), np.repeat(g, K, axis=0)).reshape(len(g), K, -1)

    def decode_as(self, values: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return logits of shape (B, pixels).  The integers `values` have shape (B, n), and g has shape (B, d)."""
        z = gumbel.one_hot(values, self.k).astype(self.dtype)
        return self.decoder.forward(with_gaussian(self.n, self.k, g).forward(z))

    # --- learning -----------------------------------------------------------------------------------------------------

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True,
                 beta: float = 1.0, **settings) -> DecoderObjective:
        """Estimate the loss gradient for a batch without labels, and add the estimate to the parameters' gradients.

        x          the images, of shape (B, pixels), as zeros and ones in the model's dtype
        kl_grad    whether the gradient includes the KL term of the discrete variables
        beta       the weight of the Gaussian's KL term.  If beta = 1, the loss is an upper bound on -log p(x)
        settings   the hyperparameters of the estimator, such as eps or tau, and `memory` if the estimator needs it
        """
        beta, kl_grad = arguments.kl_weight("beta", beta), arguments.flag("kl_grad", kl_grad)
        draw = self.encode(x, rng)
        objective = self.objective(x, draw.g)
        keywords = estimator.keywords(self.family)
        grad, decoder_term = estimator.checked_estimate(draw.h, objective, rng, **keywords, **settings)
        dh = grad / -len(x)                                             # loss = -1/B sum_b (E f - KL - beta KL)
        if kl_grad:
            dh = dh + categorical_kl(draw.h)[1] / len(x)
        decoder_term.accumulate()                                      # the decoder's gradient, and dg
        self._encoder_backward(draw, dh, objective.inputs.dg, beta)
        return objective

    def backward_labelled(self, x: np.ndarray, labels: np.ndarray, term: Callable[..., np.ndarray], eps: float,
                          weight: float, rng: np.random.Generator, image_weight: float = 1.0,
                          beta: float = 1.0) -> None:
        """Estimate the loss gradient for a batch with labels, and add the estimate to the parameters' gradients.

        The array `labels` has shape (B,) and contains each label y_b as an integer.  The loss is

            1/B sum_b  image_weight [ -f(x_b, y_b, g) + beta KL(q(g) || N(0, 1)) ] - weight * (objective of `term`)

        `term` is a function from estimators/label_terms.py.  term(h, self.values(labels), rng, eps) returns an array
        with the shape of h: a direction in which the objective of `term` rises.  The label of each image is known, so
        the KL term of the discrete variables is constant, and the decoder computes f only for this label.
        """
        weight, image_weight = arguments.weight("weight", weight), arguments.weight("image_weight", image_weight)
        beta = arguments.kl_weight("beta", beta)
        draw, values = self.encode(x, rng), self.values(labels)
        dh = weight * term(draw.h, values, rng, eps) / -len(x)
        objective = self.objective(x, draw.g)
        objective.run(gumbel.one_hot(values, self.k)).accumulate(image_weight)
        self._encoder_backward(draw, dh, objective.inputs.dg, image_weight * beta)

    def _encoder_backward(self, draw: Draw, dh: np.ndarray, dg: np.ndarray, beta: float) -> None:
        """Add the encoder's gradients, including those of the Gaussian's KL term, to the parameters' gradients."""
        _, kl_mu, kl_log_var = gaussian_kl(draw.mu, draw.log_var)
        dmu = beta * kl_mu / len(dh) + dg                                           # g = mu + s xi
        dlog_var = beta * kl_log_var / len(dh) + dg * draw.xi * draw.deviation / 2  # s = exp(log_var / 2)
        de = 0.0
        for head, dy in ((draw.class_head, self.family.back(draw.class_head.y, dh).astype(self.dtype, copy=False)),
                         (draw.gaussian_head, np.concatenate([dmu, dlog_var], axis=1))):
            back = head.backward(dy)
            back.accumulate()
            de = de + back.dx                                                       # e feeds both heads
        draw.trunk.backward(de).accumulate()

    # --- what it has learnt -------------------------------------------------------------------------------------------

    def values(self, labels: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, n): the value of each variable for each label.  `labels` has shape (B,)."""
        return joint.values(self.n, self.k)[arguments.indices(labels, joint.count(self.n, self.k), "labels")]

    def infer(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Infer the discrete variables and the Gaussian from images x of shape (B, pixels).

        Returns an array of shape (B, n) with the likeliest values, and an array of shape (B, d) with the means of g.
        """
        e = self.trunk.forward(x)
        h = self.family.theta(self.class_head.forward(e))
        return h.argmax(axis=-1), self.gaussian_head.forward(e)[:, :self.d]

    def classify(self, images) -> np.ndarray:
        """Return an array of shape (N,): the likeliest label of each image.  `images` is a data.Part with N images."""
        digits = self.k ** np.arange(self.n - 1, -1, -1)
        heads = (self.class_head.forward(self.trunk.forward(x)) for x in images.blocks(BLOCK, self.dtype))
        return np.concatenate([self.family.theta(head).argmax(axis=-1) @ digits for head in heads])

    def bound(self, images, rng: np.random.Generator) -> Bound:
        """Return the ELBO and its terms, averaged over the images of a data.Part.

        All values of c are enumerated, and one g is sampled per image.
        """
        totals = np.zeros(4)
        for x in images.blocks(BLOCK, self.dtype):
            draw = self.encode(x, rng)
            h = draw.h.astype(np.float64)
            f = OwnTable(self.decoder, with_gaussian(self.n, self.k, draw.g), x, keep=False).f
            reconstruction = (_joint_law(softmax(h, axis=-1)) * f).sum()
            class_kl = categorical_kl(h)[0].sum()
            gaussian = gaussian_kl(draw.mu, draw.log_var)[0].sum(dtype=np.float64)
            totals += reconstruction - class_kl - gaussian, reconstruction, class_kl, gaussian
        return Bound(*(arguments.finite("f", totals) / len(images)).tolist())


def _joint_law(q: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, K): the probability of every joint value.  q has shape (B, n, k)."""
    law = q[:, 0]
    for i in range(1, q.shape[1]):
        law = (law[:, :, None] * q[:, i, None, :]).reshape(len(q), -1)
    return law
