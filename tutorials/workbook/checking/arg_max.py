"""2. The arg max and its law."""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from checking.core import Task, same
from checking.problems import perturbed, rows


def one_hot(scores: np.ndarray) -> np.ndarray:
    """Return the one-hot vector of the largest score in each row of the scores, (B, k)."""
    return np.eye(scores.shape[1])[scores.argmax(axis=1)]


def law(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of shape (B, k): q and log q."""
    return softmax(h, axis=1), log_softmax(h, axis=1)


def _law_of(q, log_q=None):
    """Return a slip, a function of h that returns q(h) and log_q(h).  Without `log_q`, it takes the logarithm of q."""
    return lambda h: (q(h), np.log(q(h)) if log_q is None else log_q(h))


def _g(h: np.ndarray) -> np.ndarray:
    return h - h.max(axis=1, keepdims=True)


ARG_MAX = Task("arg_max", lambda h, noise: one_hot(h + noise), perturbed("h", "noise"), {
    "the noise is not added": lambda h, noise: one_hot(h),
    "h is not added: it is the arg max of the noise alone": lambda h, noise: one_hot(noise),
    "the noise is subtracted, and must be added": lambda h, noise: one_hot(h - noise),
    "it is the arg min: the smallest score wins instead of the largest": lambda h, noise: one_hot(-h - noise),
    "it is the index of z*, and must be a one-hot vector (np.eye(k)[index])":
        lambda h, noise: (h + noise).argmax(axis=1),
    "the maximum is taken over the rows (axis=0), and must be taken over the values of z (axis=1)":
        lambda h, noise: np.eye(len(h))[(h + noise).argmax(axis=0)].T,
    "one arg max for all rows together (axis=1 is missing)":
        lambda h, noise: np.eye(h.size)[(h + noise).argmax()].reshape(h.shape),
    "the noise is added to the probabilities softmax(h), and must be added to the scores h":
        lambda h, noise: one_hot(softmax(h, axis=1) + noise),
    "it is the largest score itself, and must be a one-hot vector": lambda h, noise: (h + noise).max(axis=1),
    "it is softmax(h + noise), a relaxed sample, and must be a one-hot vector":
        lambda h, noise: softmax(h + noise, axis=1)})

H = [{"h": np.array([[1.0, 0.0]])}, {"h": rows(2, 3, 7)}, {"h": np.array([[1000.0, 0.0, -1000.0]])},
     {"h": np.array([[1000.0, 0.0], [0.0, 0.0]])}, {"h": rows(4, 5, 8, 3.0)}]


def _of_g(g, of_q=lambda g, e, total: np.exp(g - np.log(total)), total=lambda e: e.sum(axis=1, keepdims=True)):
    """Return a slip that has an error in g, in the sum of e^g, or in how q is computed from them."""
    def slip(h):
        e = np.exp(g(h))
        return of_q(g(h), e, total(e)), g(h) - np.log(total(e))
    return slip


def _divided(g, e, total):
    return e / total


def _clipped(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if log q stops at a lower limit where q is rounded to 0, otherwise None."""
    if at_random or len(mine) < 3 or mine[2].shape != (1, 3) or same(mine[2], cases[2]["h"]):
        return None
    small, right = mine[2][0, 1:], [log_softmax(case["h"], axis=1) for case in cases[:2]]
    if np.isfinite(small).all() and small[0] == small[1] < -2 and all(
            one.shape == other.shape and np.allclose(one, other, rtol=0, atol=0.01) for one, other in zip(mine, right)):
        return (f"it is the logarithm of a clipped q (or of q and a small number), and stops at {small[0]:.4g} where q "
                "is rounded to 0: use g - log(sum of e^g)")
    return None


LAW = Task("law", law, H, {
    "e^h overflows, because max h is not subtracted from h first": _law_of(
        lambda h: np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)),
    "e^h overflows, because max h is not subtracted from h first, and log q is -infinity": _law_of(
        lambda h: np.exp(h - np.log(np.exp(h).sum(axis=1, keepdims=True))),
        lambda h: h - np.log(np.exp(h).sum(axis=1, keepdims=True))),
    "e^h overflows in log q, because max h is not subtracted from h first":
        _law_of(lambda h: softmax(h, axis=1), lambda h: h - np.log(np.exp(h).sum(axis=1, keepdims=True))),
    "the maximum is taken over the whole batch: axis=1, keepdims=True is missing": _of_g(lambda h: h - h.max()),
    "the maximum is taken over the whole batch: axis=1, keepdims=True is missing, and 0 is divided by 0":
        _of_g(lambda h: h - h.max(), _divided),
    "the maximum is taken over the rows (axis=0), and must be taken over the values of z (axis=1, keepdims=True)":
        _of_g(lambda h: h - h.max(axis=0)),
    "the mean of e^g is taken, and must be the sum": _of_g(_g, total=lambda e: e.mean(axis=1, keepdims=True)),
    "log q is computed as log(q), which is -infinity where q is rounded to 0: use g - log(sum of e^g)":
        _law_of(lambda h: softmax(h, axis=1)),
    "the sum runs over the rows (axis=0), and must run over the values of z (axis=1)": _law_of(
        lambda h: softmax(h, axis=0), lambda h: log_softmax(h, axis=0)),
    "the sum runs over the whole array: axis=1 is missing": _law_of(softmax, log_softmax),
    "the sum runs over the whole array: axis=1 is missing in it": _law_of(
        lambda h: np.exp(_g(h)) / np.exp(_g(h)).sum(), lambda h: _g(h) - np.log(np.exp(_g(h)).sum())),
    "the sum runs over the rows (axis=0) once the maximum is taken, and must run over the values of z": _law_of(
        lambda h: np.exp(_g(h)) / np.exp(_g(h)).sum(axis=0), lambda h: _g(h) - np.log(np.exp(_g(h)).sum(axis=0))),
    "the sum is missing: it is e^g, which is not divided by its sum": _law_of(
        lambda h: np.exp(_g(h)), _g),
    "in log q the sum is missing: it is g alone": _law_of(
        lambda h: softmax(h, axis=1), _g),
    "in log q the logarithm of the sum is missing: the sum itself is subtracted (and q is e^log q)": _law_of(
        lambda h: np.exp(_g(h) - np.exp(_g(h)).sum(axis=1, keepdims=True)),
        lambda h: _g(h) - np.exp(_g(h)).sum(axis=1, keepdims=True)),
    "in log q the logarithm of the sum is missing: the sum itself is subtracted": _law_of(
        lambda h: softmax(h, axis=1), lambda h: _g(h) - np.exp(_g(h)).sum(axis=1, keepdims=True)),
    "h has the wrong sign": _law_of(lambda h: softmax(-h, axis=1), lambda h: log_softmax(-h, axis=1)),
    "the logarithm has the base 2, and must be natural": _law_of(
        lambda h: softmax(h, axis=1), lambda h: log_softmax(h, axis=1) / np.log(2))},
    outputs=("q", "log_q"), explain=_clipped)

TASKS = ARG_MAX, LAW
