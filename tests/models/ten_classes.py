"""A mixture model with one class variable, written for n = 1 only: a bit-exact reference for the general model.

The layers, the pass of one z per image and the scores of the last layer come from the package.  The row of the class,
the table of all classes, both gradients, the bound, the classes and the mean images are computed here.
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.estimators import Table
from refimpl.models import last_layer
from refimpl.models.decoder import DecoderPass
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.losses import categorical_kl, gaussian_kl, sigmoid


class Rows:
    """The k x d matrix that is zero except for the row of the class."""

    def __init__(self, k, g):
        self.k, self.g, self.dg = k, g, np.zeros_like(g)

    def forward(self, z):
        return (z[:, 0, :, None] * self.g[:, None, :]).reshape(len(z), -1)

    def backward(self, z, dinputs):
        return np.einsum("bcj,bj->bc", dinputs.reshape(len(z), self.k, -1), self.g)[:, None, :]

    def accumulate(self, z, back, weight):
        self.dg += weight * np.einsum("bc,bcj->bj", z[:, 0], back.dx.reshape(len(z), self.k, -1))


class Classes:
    """f of all classes of each image, and the backward pass of a weighted sum of them."""

    def __init__(self, decoder, rows, x, keep):
        self.decoder, self.rows, self.x, self.keep = decoder, rows, x, keep
        first, last, k = decoder.layers[0], decoder.layers[-1], rows.k
        self.by_class = first.W.reshape(k, -1, first.n_out).transpose(1, 0, 2).reshape(-1, k * first.n_out)
        self.outputs = [(rows.g @ self.by_class).reshape(-1, first.n_out) + first.b]
        for layer in decoder.layers[1:-1]:
            self.outputs.append(layer.forward(self.outputs[-1]))
        hidden = np.concatenate([self.outputs[-1], np.ones((len(x) * k, 1), x.dtype)], axis=1)
        self.logits = np.empty((len(x) * k, last.n_out), x.dtype)
        self.f = last_layer.scores(last, hidden.reshape(len(x), k, -1), x, self.logits if keep else None)

    def weighted(self, weights):
        return Mixed(self, weights)

    def accumulate(self, weights, weight):
        (batch, d), k, layers, first = self.rows.g.shape, self.rows.k, self.decoder.layers, self.decoder.layers[0]
        dy = sigmoid(self.logits).reshape(batch, k, -1) - self.x[:, None]
        dy *= (weights * (weight / batch)).astype(self.x.dtype)[:, :, None]
        dy = dy.reshape(batch * k, -1)
        for depth in reversed(range(1, len(layers))):
            before, after = self.outputs[depth - 1], self.outputs[depth] if depth < len(self.outputs) else None
            layers[depth].accumulate(before, dy)
            dy = layers[depth].backward(before, after, dy)
        db, dy = dy.sum(axis=0), dy.reshape(batch, k * first.n_out)
        first.add((self.rows.g.T @ dy).reshape(d, k, first.n_out).transpose(1, 0, 2).reshape(first.W.shape), db)
        self.rows.dg += dy @ self.by_class.T


class Mixed:
    def __init__(self, table, weights):
        self.table, self.weights, self.z = table, np.array(weights), np.array(weights)[:, None]

    def accumulate(self, weight=1.0):
        self.table.accumulate(self.weights, weight)


class Objective:
    """The objective that estimators use, for one class variable."""

    def __init__(self, decoder, k, g, x):
        self.decoder, self.rows, self.x, self.evaluations = decoder, Rows(k, g), x, 0

    def run(self, z, counted=True):
        self.evaluations += counted
        return DecoderPass(self.decoder, self.rows, self.x, z)

    def table(self, z):
        return Table(self._all(False).f[:, None], self.run(z, counted=False))

    def joint_table(self):
        return self._all(True)

    def _all(self, keep):
        self.evaluations += self.rows.k
        return Classes(self.decoder, self.rows, self.x, keep)


class OneClass(MixtureVAE):
    """The model, its backward passes and its measurements, for one class variable with k values."""

    def drawn(self, x, rng):
        trunk = self.trunk.run(x)
        head, gaussian = self.class_head.run(trunk.y), self.gaussian_head.run(trunk.y)
        mu, log_var = np.split(gaussian.y, 2, axis=1)
        xi = rng.standard_normal(mu.shape, dtype=np.float32).astype(self.dtype, copy=False)
        deviation = np.exp(log_var / 2)
        return trunk, head, gaussian, mu, log_var, mu + deviation * xi, xi, deviation

    def backward(self, x, estimator, rng, kl_grad=True, beta=1.0, **settings):
        drawn = self.drawn(x, rng)
        h, objective = drawn[1].y, Objective(self.decoder, self.k, drawn[5], x)
        grad, decoder_term = estimator.estimate(h[:, None, :], objective, rng, **estimator.keywords(self.family),
                                                  **settings)
        dh = grad[:, 0] / -len(x)
        if kl_grad:
            dh = dh + categorical_kl(h)[1] / len(x)
        decoder_term.accumulate()
        self.back(drawn, dh, objective.rows.dg, beta)
        return objective

    def backward_labelled(self, x, labels, term, eps, weight, rng, image_weight=1.0, beta=1.0):
        drawn = self.drawn(x, rng)
        dh = weight * term(drawn[1].y, labels, rng, eps) / -len(x)
        objective = Objective(self.decoder, self.k, drawn[5], x)
        objective.run(gumbel.one_hot(labels, self.k)[:, None, :]).accumulate(image_weight)
        self.back(drawn, dh, objective.rows.dg, image_weight * beta)

    def back(self, drawn, dh, dg, beta):
        trunk, head, gaussian, mu, log_var, _, xi, deviation = drawn
        _, kl_mu, kl_log_var = gaussian_kl(mu, log_var)
        dmu = beta * kl_mu / len(dh) + dg
        dlog_var = beta * kl_log_var / len(dh) + dg * xi * deviation / 2
        de = 0.0
        for network, dy in ((head, dh.astype(self.dtype, copy=False)),
                            (gaussian, np.concatenate([dmu, dlog_var], axis=1))):
            back = network.backward(dy)
            back.accumulate()
            de = de + back.dx
        trunk.backward(de).accumulate()

    def decode(self, g):
        inputs = np.einsum("ci,bj->bcij", np.eye(self.k, dtype=self.dtype), g).reshape(len(g) * self.k, -1)
        return self.decoder.forward(inputs).reshape(len(g), self.k, -1)

    def classify(self, images):
        return np.concatenate([self.class_head.forward(self.trunk.forward(x)).argmax(axis=1)
                               for x in images.blocks(500, self.dtype)])

    def bound(self, images, rng):
        totals = np.zeros(4)
        for x in images.blocks(500, self.dtype):
            _, head, _, mu, log_var, g, _, _ = self.drawn(x, rng)
            h = head.y.astype(np.float64)
            reconstruction = (softmax(h, axis=1) * Classes(self.decoder, Rows(self.k, g), x, False).f).sum()
            class_kl, gaussian = categorical_kl(h)[0].sum(), gaussian_kl(mu, log_var)[0].sum(dtype=np.float64)
            totals += reconstruction - class_kl - gaussian, reconstruction, class_kl, gaussian
        return tuple((totals / len(images)).tolist())
