"""10. The encoder-decoder, and its bound by enumeration."""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from checking.bernoulli import score
from checking.core import Task
from checking.layers import network, weights
from refimpl import exact


def model(D: int, H: int, k: int, seed: int, spread: float = 1.0) -> list[np.ndarray]:
    """Return random weights [W1, b1, W2, b2, V1, c1, V2, c2]."""
    return [*weights(D, H, k, seed, spread).values(), *weights(k, H, D, seed + 4, spread).values()]


def images(B: int, D: int, seed: int) -> np.ndarray:
    """Return random images of 0 and 1, (B, D)."""
    return (np.random.default_rng(seed).random((B, D)) < 0.5).astype(float)


CASES = [{"weights": model(2, 2, 2, 60), "x": np.array([[1.0, 0.0]])},
         {"weights": model(3, 3, 3, 70), "x": images(3, 3, 1)},
         {"weights": model(6, 5, 4, 80), "x": images(3, 6, 2)}]


def forward(weights, x, law_of=lambda h, f: h, of_h=lambda h: h, one_hot=np.eye, logits=lambda a: a,
            swap=False) -> tuple[np.ndarray, ...]:
    """Return r, h, s, a, f, q and log_q.  The keywords after `x` serve to make common mistakes (slips)."""
    encoder, decoder = (weights[4:], weights[:4]) if swap else (weights[:4], weights[4:])
    r, h = network(x, *encoder)
    h = of_h(h)
    s, a = network(one_hot(len(decoder[0])), *decoder)
    a = logits(a)
    f = score(x, a)
    scores = law_of(h, f)
    return r, h, s, a, f, softmax(scores, axis=1), log_softmax(scores, axis=1)


def _with(**keywords):
    return lambda weights, x: forward(weights, x, **keywords)


def _encoder_twice(weights, x):
    """Return the results of a slip: the decoder uses the encoder's weights.  This is possible only for some sizes."""
    r, h, *_, q, log_q = forward(weights, x)
    s, a = network(np.eye(len(weights[0])), *weights[:4])
    return r, h, s, a, score(x, a), q, log_q


def _last(weights, x, f_of=None, q_of=None):
    """Return the results of a slip: f is computed by `f_of`, or q and log q by `q_of`.  All other results are right."""
    r, h, s, a, f, q, log_q = forward(weights, x)
    return r, h, s, a, f_of(x, a, f) if f_of else f, *(q_of(h) if q_of else (q, log_q))


FORWARD = Task("forward", forward, CASES, {
    "the weights of encoder and decoder are exchanged: the first four belong to the encoder": _with(swap=True),
    "the decoder runs with the encoder's weights": _encoder_twice,
    "the decoder's input is all ones, and must be the one-hot vectors np.eye(k)": _with(
        one_hot=lambda k: np.ones((k, k))),
    "the decoder's one-hot vectors are in reversed order": _with(one_hot=lambda k: np.eye(k)[::-1]),
    "the decoder's input is 0, so every z gives the same image": _with(one_hot=lambda k: np.zeros((k, k))),
    "the sigmoid of the logits is returned as a, and must be the logits themselves": _with(
        logits=lambda a: 1 / (1 + np.exp(-a))),
    "h has a ReLU; only r has one": _with(of_h=lambda h: np.maximum(h, 0)),
    "h is q already: the softmax is applied to the scores before they are returned": _with(
        of_h=lambda h: softmax(h, axis=1)),
    "q is the softmax of f, the posterior, and must be the softmax of h": _with(law_of=lambda h, f: f),
    "q is the softmax of h + f, and must be the softmax of h": _with(law_of=lambda h, f: h + f),
    "f has the wrong sign": lambda weights, x: _last(weights, x, lambda x, a, f: -f),
    "f is the score of 1 - x: ones and zeros are exchanged": lambda weights, x: _last(
        weights, x, lambda x, a, f: score(1 - x, a)),
    "f is averaged over the pixels": lambda weights, x: _last(weights, x, lambda x, a, f: f / x.shape[1]),
    "f is transposed": lambda weights, x: _last(weights, x, lambda x, a, f: f.T),
    "q and log_q are exchanged": lambda weights, x: _last(weights, x, None, lambda h: (
        log_softmax(h, axis=1), softmax(h, axis=1))),
}, outputs=("r", "h", "s", "a", "f", "q", "log_q"))


def _parts(weights, x):
    *_, f, q, log_q = forward(weights, x)
    return f, q, log_q, (q * f).sum(axis=1), (q * log_q).sum(axis=1) + np.log(q.shape[1])


def _bound(of):
    return lambda weights, x: np.float64(of(*_parts(weights, x)))


def right(weights, x):
    """Return -ELBO, computed by refimpl.exact."""
    _, h, _, _, f, *_ = forward(weights, x)
    return np.float64(-exact.elbo(h, f).mean())


BOUND = Task("bound", right, CASES, {
    "it is the ELBO; -ELBO is asked for": _bound(lambda f, q, log_q, Ef, KL: (Ef - KL).mean()),
    "the KL term is missing": _bound(lambda f, q, log_q, Ef, KL: -Ef.mean()),
    "KL is subtracted, and must be added to -E f": _bound(lambda f, q, log_q, Ef, KL: (-Ef - KL).mean()),
    "E f has the wrong sign: it must be -E f + KL": _bound(lambda f, q, log_q, Ef, KL: (Ef + KL).mean()),
    "it is the sum over the images, and must be the mean": _bound(lambda f, q, log_q, Ef, KL: (KL - Ef).sum()),
    "f is averaged over z without the weight q": _bound(lambda f, q, log_q, Ef, KL: (KL - f.mean(axis=1)).mean()),
    "f is summed over z without the weight q": _bound(lambda f, q, log_q, Ef, KL: (KL - f.sum(axis=1)).mean()),
    "q f is averaged over z, and must be summed": _bound(lambda f, q, log_q, Ef, KL: (
        KL - (q * f).mean(axis=1)).mean()),
    "it takes the largest f instead of the mean E f": _bound(lambda f, q, log_q, Ef, KL: (
        KL - f.max(axis=1)).mean()),
    "it takes f of the most likely z instead of the mean E f": _bound(lambda f, q, log_q, Ef, KL: (
        KL - (f * (q == q.max(axis=1, keepdims=True))).sum(axis=1)).mean()),
    "it is -log p(x), the exact likelihood, and not the bound": _bound(lambda f, q, log_q, Ef, KL: -(
        exact.log_likelihood(f)).mean()),
    "log k is missing in KL": _bound(lambda f, q, log_q, Ef, KL: (KL - Ef).mean() - np.log(q.shape[1])),
    "it is a number for each image: the mean over the images is missing": lambda weights, x: (
        lambda f, q, log_q, Ef, KL: KL - Ef)(*_parts(weights, x)),
    "it is divided by the number of pixels": lambda weights, x: right(weights, x) / x.shape[1],
}, factors={"B": lambda weights, x: len(x), "D": lambda weights, x: x.shape[1]})

TASKS = FORWARD, BOUND
