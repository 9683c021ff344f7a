"""The optimiser Adam (Kingma and Ba, ICLR 2015, algorithm 1), which updates one flat vector of parameters in place."""
from __future__ import annotations

import math

import numpy as np

from refimpl.arguments import learning_rate
from refimpl.nn.parameters import Parameters

# The update makes ten passes over four arrays, in blocks of this many entries, which stay in the core's cache.
BLOCK = 32_768

# Every FLUSH_EVERY steps, very small moments are set to 0.  If a gradient stays 0, its moments decay by a constant
# factor in each step.  Below 1.2e-38 they would become "denormal" float32 numbers, which processors handle slowly.
# This can double the time of an epoch.  (In float64 the denormal numbers are below 2.2e-308.)
#
# A moment below TINY is set to 0 at a flush.  With beta1 = 0.9, a moment of 1e-30 falls to about 1e-33 in FLUSH_EVERY
# steps.  Therefore no moment becomes denormal between two flushes.  A moment below TINY is negligible compared with the
# eps in Adam's division.  If eps is smaller than USUAL_EPS, smaller moments matter, and the limit is smaller too.
FLUSH_EVERY = 64
TINY = {np.dtype(np.float32): 1e-30, np.dtype(np.float64): 1e-290}
USUAL_EPS = 1e-8


class Adam:
    """The optimiser Adam with bias correction.  step() reads the gradients of `parameters` and updates their values.

    The usual moments are m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2.  Instead, this class stores
    M = m / (1 - beta1) and V = v / (1 - beta2), because the updates M <- beta1 M + g and V <- beta2 V + g^2 take
    fewer passes over the arrays.  The factors 1 - beta1 and 1 - beta2 are absorbed into the numbers `rate` and `floor`:

        values -= lr  m_hat / (sqrt(v_hat) + eps),     m_hat = m / (1 - beta1^t),   v_hat = v / (1 - beta2^t)
                = rate M / (sqrt(V) + floor)

    If `momentum_only` is True, the step is values -= lr m_hat, which is gradient descent with momentum.

    Raises ValueError if lr, beta1, beta2 or eps is out of range.
    """

    def __init__(self, parameters: Parameters, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999,
                 eps: float = USUAL_EPS, momentum_only: bool = False) -> None:
        lr = learning_rate("Adam: lr", lr)
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise ValueError(f"Adam: beta1 and beta2 must lie in [0, 1), got {beta1} and {beta2}")
        if not eps > 0:
            raise ValueError(f"Adam: eps must be positive, got {eps}")
        self.parameters, values = parameters, parameters.values
        self.lr, self.beta1, self.beta2, self.eps, self.momentum_only = lr, beta1, beta2, eps, momentum_only
        self.M, self.V = np.zeros_like(values), np.zeros_like(values)
        self.t = 0
        tiny = TINY.get(values.dtype, 0.0)
        share = min(1.0, eps / USUAL_EPS)
        self._tiny_M, self._tiny_V = tiny * share, tiny * share**2
        self._scratch = np.empty(min(BLOCK, len(values)), values.dtype)

    def step(self) -> None:
        """Update the values once.  Afterwards, forward passes that were computed with the old values are stale."""
        values, grads = self.parameters.values, self.parameters.grads
        self.parameters.version += 1
        self.t += 1
        root = math.sqrt((1 - self.beta2 ** self.t) / (1 - self.beta2))
        rate = self.lr * (1 - self.beta1) / (1 - self.beta1 ** self.t) * (1 if self.momentum_only else root)
        floor = self.eps * root
        flush = self.t % FLUSH_EVERY == 0
        for start in range(0, len(values), BLOCK):
            block = slice(start, start + BLOCK)
            w, g, M, V = values[block], grads[block], self.M[block], self.V[block]
            u = self._scratch[: len(g)]
            M *= self.beta1
            M += g                                      # M = beta1 M + g
            if self.momentum_only:
                np.multiply(M, rate, out=u)
            else:
                np.multiply(g, g, out=u)
                V *= self.beta2
                V += u                                  # V = beta2 V + g^2
                np.sqrt(V, out=u)
                u += floor
                np.divide(M, u, out=u)
                u *= rate
            w -= u                                      # w -= rate M / (sqrt(V) + floor)
            if flush:
                M[np.abs(M) < self._tiny_M] = 0
                V[V < self._tiny_V] = 0
