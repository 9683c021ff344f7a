"""The mixture model's decoder bound to a batch of images and to their Gaussian variables: f(c) of a class c, for the estimators.

The decoder's input is the 10 x d matrix that is zero but for the row of the class, which holds the Gaussian g (slide 33):

    input = z g^T,      z the one-hot vector of the class (or a relaxed one), flattened to 10 d numbers

For all ten classes of an image only one row at a time is not zero, so the first layer of all of them together costs what one full
input would cost: g times each class's d rows of weights.
"""
from __future__ import annotations

import numpy as np

from refimpl.estimators import Mixture, Point
from refimpl.models import outputs
from refimpl.nn.layers import MLP, Buffers
from refimpl.nn.losses import bernoulli_score


class MixtureObjective:
    """f(z) = log p(x given class z, g) for images x (B, pixels) and g (B, d); an Objective of one variable of k values.

    decoder: (k d) inputs, hidden layers, one output a pixel.  learn() leaves the gradient of -1/B sum_b f_b in the decoder's
    layers and, in `dg` (B, d), the same gradient in g.  Like the layers, the buffers belong to the model: what was asked of one
    objective is forgotten when another one of the same model is asked.
    """

    n = 1

    def __init__(self, decoder: MLP, g: np.ndarray, x: np.ndarray, buffers: Buffers | None = None) -> None:
        self.decoder, self.g, self.x = decoder, g, x
        self.k = decoder.layers[0].n_in // g.shape[1]
        self.evaluations = 0
        self.dg: np.ndarray | None = None
        self._buffers = buffers or Buffers()
        self._learnt: np.ndarray | None = None      # the z whose parameter gradients the layers hold
        self._logits: np.ndarray | None = None      # of all classes, if it is that pass which the layers hold

    def score(self, z: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return self._forward(z)[0]

    def score_and_grad(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f = self._pass(z)
        self.evaluations += 1
        return f, self._dz

    def table(self, z: np.ndarray | None = None) -> np.ndarray:
        """f of all classes, (B, 1, k); z is ignored, there being no other coordinates."""
        self.evaluations += self.k
        return outputs.scores(self.decoder.layers[-1], self._hidden_of_all(), self.x, self._buffers)[:, None, :]

    def joint_table(self) -> np.ndarray:
        """The same, (B, k), the logits kept: who enumerates learns from all classes."""
        self.evaluations += self.k
        return self._enumerate()

    def learn(self, latent: Point | Mixture) -> None:
        if isinstance(latent, Mixture):
            self._learn_from_all(latent.weights)
        elif latent.z is not self._learnt:
            self._pass(latent.z)

    # --- one z an image ----------------------------------------------------------------------------------------------

    def _forward(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._learnt = self._logits = None
        z = z[:, 0].astype(self.x.dtype, copy=False)                                # (B, k)
        inputs = (z[:, :, None] * self.g[:, None, :]).reshape(len(z), -1)           # z g^T
        return bernoulli_score(self.x, self.decoder.forward(inputs))

    def _pass(self, z: np.ndarray) -> np.ndarray:
        """Forward and backward: leaves the decoder's gradients, dg, and df/dz (B, 1, k)."""
        batch = len(self.x)
        f, df_da = self._forward(z)
        dinputs = self.decoder.backward(df_da / -batch).reshape(batch, self.k, -1)  # of the loss -1/B sum f
        self.dg = np.einsum("bc,bcj->bj", z[:, 0].astype(self.x.dtype, copy=False), dinputs)
        self._dz = np.einsum("bcj,bj->bc", dinputs, self.g)[:, None, :] * -batch    # of f itself, an image at a time
        self._learnt = z
        return f

    # --- all classes of every image ---------------------------------------------------------------------------------------

    def _weights(self) -> np.ndarray:
        """The first layer's weights a class, (d, k H): one product with g serves all classes."""
        first = self.decoder.layers[0]
        return first.W.reshape(self.k, -1, first.n_out).transpose(1, 0, 2).reshape(-1, self.k * first.n_out)

    def _hidden_of_all(self) -> np.ndarray:
        """The last hidden layer of every class of every image, (B, k, H)."""
        self._learnt = self._logits = None
        first = self.decoder.layers[0]
        y = self._buffers.get("first", (len(self.g), self.k * first.n_out), self.x.dtype)
        np.matmul(self.g, self._weights(), out=y)
        y = y.reshape(-1, first.n_out)
        y += first.b
        for layer in self.decoder.layers[1:-1]:
            y = layer.forward(y)
        return y.reshape(len(self.g), self.k, -1)

    def _enumerate(self) -> np.ndarray:
        last, hidden = self.decoder.layers[-1], self._hidden_of_all()
        last.x = hidden.reshape(-1, last.n_in)                                      # as its forward pass would leave it
        self._logits = self._buffers.get("logits", (len(last.x), last.n_out), self.x.dtype)
        return outputs.scores(last, hidden, self.x, self._buffers, keep=self._logits)

    def _learn_from_all(self, weights: np.ndarray) -> None:
        """Gradients of -1/B sum_bc weights_bc f_bc."""
        if self._logits is None:
            self._enumerate()
        a, self._logits = self._logits, None                                        # overwritten below
        batch, first = len(self.x), self.decoder.layers[0]
        half = a.dtype.type(0.5)
        a *= half
        dy = np.tanh(a, out=a).reshape(batch, self.k, -1)                           # sigmoid(a) = (1 + tanh(a / 2)) / 2
        dy *= half
        dy += (half - self.x)[:, None]                                              # -df/da = sigmoid(a) - x
        dy *= (weights / batch).astype(a.dtype)[:, :, None]
        dy = dy.reshape(batch * self.k, -1)
        for layer in reversed(self.decoder.layers[1:]):
            dy = layer.backward(dy)
        np.sum(dy, axis=0, out=first.db)
        dy = dy.reshape(batch, self.k * first.n_out)
        dW = (self.g.T @ dy).reshape(-1, self.k, first.n_out)                       # (d, k, H)
        first.dW.reshape(self.k, -1, first.n_out)[...] = dW.transpose(1, 0, 2)
        self.dg = dy @ self._weights().T
