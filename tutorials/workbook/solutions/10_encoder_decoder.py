"""10. The encoder-decoder, and its bound by enumeration.

The encoder maps an image x to the scores h of the k values, and the decoder maps each value z to the logits a of all
pixels.
The decoder does not use x, so one run for all k values is enough.  The input of this run is the table of the k one-hot
vectors, np.eye(k, dtype=x.dtype), in the precision of x.
Since f is known for all values, the bound is computed as a sum over z, which is exact and has no noise.

    r, h = network(x, W1, b1, W2, b2)            encoder
    s, a = network(one-hot z, V1, c1, V2, c2)    decoder, with a row for each z
    f    = score(x, a)                           log p(x given z)
    -log p(x) <= -ELBO = -sum_z q(z) f(z) + KL

weights is the list [W1, b1, W2, b2, V1, c1, V2, c2].  Shapes: x is (B, D), r is (B, H), s is (k, H), a is (k, D), and
each of h, f, q and log_q is (B, k).  Units: h and a are pure numbers, and f and the bound are in nats.  The bound is a
mean over the images.
"""
from importlib import import_module

import numpy as np

law = import_module("02_arg_max").law
network = import_module("06_layers").network
score = import_module("07_bernoulli_score").score
kl = import_module("08_kl").kl


def forward(weights: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return r, h, s, a, f, q and log_q for the images x.  x has shape (B, D)."""
    W1, b1, W2, b2, V1, c1, V2, c2 = weights
    r, h = network(x, W1, b1, W2, b2)
    s, a = network(np.eye(len(V1), dtype=x.dtype), V1, c1, V2, c2)
    return r, h, s, a, score(x, a), *law(h)


def bound(weights: list[np.ndarray], x: np.ndarray) -> float:
    """Return the mean of -ELBO over the images x, as one number.  x has shape (B, D)."""
    *_, f, q, log_q = forward(weights, x)
    return float((-(q * f).sum(axis=1) + kl(q, log_q)).mean(dtype=np.float64))
