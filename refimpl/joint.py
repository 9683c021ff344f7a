"""All joint values of n variables with k values each, and exact expectations over them while there are few enough.

A joint value z = (z_1 ... z_n) is an index 0 ... k^n - 1, the first variable counting slowest, or a row of one_hots.
Shapes: h (..., n, k) the scores of a factorised q(z) = prod_i softmax(h_i)(z_i); f (..., K), K = k^n, of every joint value.
"""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import checks
from refimpl.checks import InputError

TRAINABLE = 4_096       # joint values that a training step may enumerate
COUNTABLE = 65_536      # joint values over which an exact likelihood is summed


def count(n: int, k: int) -> int:
    """k^n."""
    return k**n


def require(n: int, k: int, most: int, what: str, instead: str) -> None:
    """InputError, one line, if there are more than `most` joint values for `what`; `instead` says what to use."""
    if count(n, k) > most:
        size = f"{count(n, k):,}" if count(n, k) < 10**15 else f"about 10^{n * np.log10(k):.0f}"
        raise InputError(f"{what} enumerates all {k}^{n} = {size} joint values, and at most {most:,} are allowed; {instead}")


def values(n: int, k: int) -> np.ndarray:
    """(K, n) integers: the joint values in order."""
    return np.stack(np.unravel_index(np.arange(count(n, k)), (k,) * n), axis=-1)


def one_hots(n: int, k: int, dtype: np.dtype = np.float64) -> np.ndarray:
    """(K, n k): row z holds the one-hot vectors of z_1 ... z_n one after the other, as a decoder takes them."""
    return (values(n, k)[:, :, None] == np.arange(k)).reshape(-1, n * k).astype(dtype)


def index(z: np.ndarray) -> np.ndarray:
    """Index (...) of the one-hot joint values z (..., n, k)."""
    n, k = z.shape[-2:]
    return (z.argmax(axis=-1) * k ** np.arange(n - 1, -1, -1)).sum(axis=-1)


def log_q(h: np.ndarray) -> np.ndarray:
    """log q(z) of every joint value: (..., n, k) -> (..., K)."""
    n, k = h.shape[-2:]
    return log_softmax(h, axis=-1).reshape(h.shape[:-2] + (n * k,)) @ one_hots(n, k).T


def _check(h: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    (h,), (f,) = checks.scores(h=h), checks.scores(f=f)
    if h.ndim < 2 or f.shape[-1] != count(*h.shape[-2:]):
        raise ValueError(f"f must hold all k^n joint values of h (..., n, k) on its last axis: got shapes {f.shape} and {h.shape}")
    return h, f


def expectation(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """E_q f = sum_z q(z) f(z).  Returns (...)."""
    h, f = _check(h, f)
    return (np.exp(log_q(h)) * f).sum(axis=-1)


def gradient(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """grad_h E_q f, (..., n, k): entry (i, c) is the sum over all z with z_i = c of q(z) f(z), less q_i(c) E_q f."""
    h, f = _check(h, f)
    n, k = h.shape[-2:]
    f = f - f.max(axis=-1, keepdims=True)                           # a constant changes no gradient
    weighted = np.exp(log_q(h)) * f
    through = (weighted @ one_hots(n, k)).reshape(weighted.shape[:-1] + (n, k))
    return through - softmax(h, axis=-1) * weighted.sum(axis=-1)[..., None, None]
