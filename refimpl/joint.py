"""List the joint values of n variables with k values each, and compute exact expectations over all of them.

A joint value z = (z_1 ... z_n) has an index from 0 to K - 1, where K = k^n.  The first variable varies slowest.  h
has shape (..., n, k) and holds the scores of a factorised law, q(z) = prod_i softmax(h_i)(z_i).  f has shape (..., K)
and holds a number for every joint value.  The batch axes of h and f broadcast.
"""
from __future__ import annotations

import math

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import arguments
from refimpl.arguments import InputError

TRAINABLE = 4_096       # the largest number of joint values that a training step may enumerate
COUNTABLE = 65_536      # the largest number of joint values over which an exact likelihood is summed
LISTED = 10**9          # the largest number of entries in an array of all one-hot joint values, which takes 8 GB


def count(n: int, k: int) -> int:
    """Return k^n, the number of joint values.  n and k must be from 1 to 1,000,000."""
    return arguments.integer("k", k, 1, most=10**6) ** arguments.integer("n", n, 1, most=10**6)


def _listable(n: int, k: int, name: str) -> tuple[int, int, int]:
    """Return n, k and k^n.  Raise ValueError, with `name` in the message, if there are too many values to list."""
    K = count(n, k)
    n, k = int(n), int(k)
    if n * k * K > LISTED:
        raise ValueError(f"{name} must have so few variables that n k k^n is at most {LISTED:,}: got n = {n}, k = {k}")
    return n, k, K


def require(n: int, k: int, most: int, what: str, instead: str) -> None:
    """Raise InputError if the number of joint values, k^n, is above the limit `most`.

    The message begins with `what`, which names the computation that enumerates all joint values.  It ends with
    `instead`, a hint for the user.
    """
    most = arguments.integer("most", most, 1)
    if count(n, k) > most:
        size = f"{count(n, k):,}" if count(n, k) < 10**15 else f"about 10^{n * math.log10(k):.0f}"
        raise InputError(f"{what} enumerates all {k}^{n} = {size} joint values, "
                         f"and at most {most:,} are allowed; {instead}")


def values(n: int, k: int) -> np.ndarray:
    """Return an integer array of shape (K, n): all joint values, in the order of their indices."""
    n, k, K = _listable(n, k, "n")
    return np.arange(K)[:, None] // k ** np.arange(n - 1, -1, -1) % k            # the n digits of z in base k


def one_hots(n: int, k: int, dtype: np.dtype = np.float64) -> np.ndarray:
    """Return an array of shape (K, n k).  Each row contains the n one-hot vectors of a joint value."""
    n, k, _ = _listable(n, k, "n")
    dtype = arguments.dtype(dtype)
    if dtype.kind not in "fiub":
        raise TypeError(f"dtype must be a type of real numbers, got {dtype}")
    return (values(n, k)[:, :, None] == np.arange(k)).reshape(-1, n * k).astype(dtype)


def index(z: np.ndarray) -> np.ndarray:
    """Return the index of each joint value in z.

    z has shape (..., n, k) and contains one-hot vectors.  The result has shape (...).  Raises ValueError if z is not
    one-hot, or if k^n is 2^63 or more.
    """
    z = _variables("z", z)
    n, k = z.shape[-2:]
    if n * math.log2(k) >= 63:
        raise ValueError(f"z must have so few variables that k^n is below 2^63: got n = {n}, k = {k}")
    if not (((z == 0) | (z == 1)).all() and (z.sum(axis=-1) == 1).all()):
        raise ValueError("z must hold one-hot vectors on its last axis: one 1, and 0 elsewhere")
    return (z.argmax(axis=-1) * k ** np.arange(n - 1, -1, -1)).sum(axis=-1)


def _variables(name: str, value: np.ndarray) -> np.ndarray:
    (scores,) = arguments.scores(**{name: value})
    if scores.ndim < 2 or scores.shape[-2] == 0:
        raise ValueError(f"{name} must have shape (..., n, k) with n >= 1, got shape {scores.shape}")
    return scores


def log_q(h: np.ndarray) -> np.ndarray:
    """Return an array of shape (..., K): log q(z) for every joint value z.  h has shape (..., n, k)."""
    h = _variables("h", h)
    n, k, _ = _listable(*h.shape[-2:], "h")
    return log_softmax(h, axis=-1).reshape(h.shape[:-2] + (n * k,)) @ one_hots(n, k).T


def _check(h: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, (f,) = _variables("h", h), arguments.scores(f=f)
    _, _, K = _listable(*h.shape[-2:], "h")
    if f.shape[-1] != K:
        raise ValueError(f"f must hold all k^n = {K} joint values of h (..., n, k) on its last axis: "
                         f"got shapes {f.shape} and {h.shape}")
    arguments.broadcast(("f", "h in its batch axes"), (f.shape[:-1], h.shape[:-2]))
    return h, f


def expectation(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return an array of shape (...): the mean E_q f = sum_z q(z) f(z)."""
    h, f = _check(h, f)
    return (np.exp(log_q(h)) * f).sum(axis=-1)


def gradient(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return an array of shape (..., n, k): the gradient grad_h E_q f.

    The entry for value c of variable i is q_i(c) (m(c) - sum_c' q_i(c') m(c')), where m(c) is the mean of f given
    z_i = c.  The code first subtracts f(z') from f(z), where z' is z with the likeliest value in place of z_i.  This
    changes all m(c) by the same number, so the gradient is unchanged.  But its small entries stay accurate if a q_i(c)
    is near 1 (see exact.from_likeliest).
    """
    h, f = _check(h, f)
    n, k = h.shape[-2:]
    batch = np.broadcast_shapes(h.shape[:-2], f.shape[:-1])
    h, f = np.broadcast_to(h, batch + (n, k)), np.broadcast_to(f, batch + (k**n,))
    q = softmax(h, axis=-1)
    # before[i] is the law of the variables before i, (..., k^i), in the order of `values`.
    # behind[m] is the law of the last m variables, (..., k^m).
    before, behind = [np.ones(batch + (1,))], [np.ones(batch + (1,))]
    for i in range(n - 1):
        before.append(_joined(before[i], q[..., i, :]))
        behind.append(_joined(q[..., n - 1 - i, :], behind[i]))
    result = np.empty(batch + (n, k))
    for i in range(n):
        table = f.reshape(batch + (k**i, k, k ** (n - 1 - i)))                  # (..., before, z_i, behind)
        likeliest = h[..., i, :].argmax(axis=-1)[..., None, None, None]
        table = table - np.take_along_axis(table, likeliest, axis=-2)
        table = (table @ behind[n - 1 - i][..., None, :, None])[..., 0]          # (..., before, z_i)
        m = (before[i][..., None, :] @ table)[..., 0, :]                         # (..., k)
        q_i = q[..., i, :]
        result[..., i, :] = q_i * (m - (q_i * m).sum(axis=-1, keepdims=True))
    return result


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the joint law of two independent variables with the laws `one` and `other`."""
    return (one[..., :, None] * other[..., None, :]).reshape(one.shape[:-1] + (one.shape[-1] * other.shape[-1],))
