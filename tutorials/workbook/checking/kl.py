"""8. The KL term and its gradient."""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from checking.core import Task
from checking.problems import rows

H = [np.array([[1.0, 0.0], [0.0, 2.0]]), rows(2, 2, 34), rows(2, 3, 31), rows(4, 5, 32, 2.0),
     np.array([[900.0, 0.0, 0.0, 1.0]])]
CASES = [{"q": softmax(h, axis=1), "log_q": log_softmax(h, axis=1)} for h in H]


def _mean(q, log_q):
    return (q * log_q).sum(axis=1, keepdims=True)


def kl(q, log_q):
    """Return the KL of each row, (B,)."""
    return (q * log_q).sum(axis=1) + np.log(q.shape[1])


def kl_gradient(q, log_q):
    """Return the gradient of the KL of each row, (B, k)."""
    return q * (log_q - _mean(q, log_q))


def _one_number(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if the result is a single number instead of a number for each row, otherwise None."""
    if at_random or any(each.ndim for each in mine):
        return None
    return "it is one number for the whole batch: axis=1 is missing, or there is a mean over the images"


FACTORS = {"B": lambda q, log_q: len(q), "k": lambda q, log_q: q.shape[1]}
KL = Task("kl", kl, CASES, {
    "np.log(q) is minus infinity where q is rounded to 0, and 0 times infinity is NaN: use log_q":
        lambda q, log_q: kl(q, np.log(q)),
    "log k is missing: it is minus the entropy": lambda q, log_q: kl(q, log_q) - np.log(q.shape[1]),
    "log k is subtracted, and must be added": lambda q, log_q: kl(q, log_q) - 2 * np.log(q.shape[1]),
    "k is added instead of log k": lambda q, log_q: kl(q, log_q) - np.log(q.shape[1]) + q.shape[1],
    "the sign is wrong: it is -KL": lambda q, log_q: -kl(q, log_q),
    "sum q log q has the wrong sign: it is the entropy plus log k": lambda q, log_q: (
        2 * np.log(q.shape[1]) - kl(q, log_q)),
    "log k is added to every entry before the sum, and so counts k times": lambda q, log_q: (
        q * log_q + np.log(q.shape[1])).sum(axis=1),
    "log_q is summed without the weight q": lambda q, log_q: log_q.sum(axis=1) + np.log(q.shape[1]),
    "it is the other divergence, KL(uniform || q)": lambda q, log_q: -log_q.mean(axis=1) - np.log(q.shape[1]),
    "it is the sum over the whole batch: axis=1 is missing": lambda q, log_q: (q * log_q).sum() + np.log(q.shape[1]),
    "the sum runs over the rows (axis=0), and must run over the values of z (axis=1)": lambda q, log_q: (
        (q * log_q).sum(axis=0) + np.log(q.shape[1])),
    "it is the mean over the values of z, and must be the sum": lambda q, log_q: (
        (q * log_q).mean(axis=1) + np.log(q.shape[1])),
    "log k has the number of rows instead of k": lambda q, log_q: (q * log_q).sum(axis=1) + np.log(len(q)),
    "the sum over z is missing": lambda q, log_q: q * log_q + np.log(q.shape[1]),
    "the logarithm of k has the base 2": lambda q, log_q: (q * log_q).sum(axis=1) + np.log2(q.shape[1]),
}, factors=FACTORS, explain=_one_number)

GRADIENT = Task("kl_gradient", kl_gradient, CASES, {
    "np.log(q) is minus infinity where q is rounded to 0, and 0 times infinity is NaN: use log_q":
        lambda q, log_q: kl_gradient(q, np.log(q)),
    "the sum over z' is not subtracted: it is q log q": lambda q, log_q: q * log_q,
    "it is q (log q + 1), the derivative in q; the derivative in h is asked for": lambda q, log_q: q * (log_q + 1),
    "it is log q + 1, the derivative in q; the derivative in h is asked for": lambda q, log_q: log_q + 1,
    "the factor q before the bracket is missing": lambda q, log_q: log_q - _mean(q, log_q),
    "the sum over z' is added, and must be subtracted": lambda q, log_q: q * (log_q + _mean(q, log_q)),
    "the sign is wrong": lambda q, log_q: -kl_gradient(q, log_q),
    "the sum over z' lacks the weight q: it is the sum of log q": lambda q, log_q: (
        q * (log_q - log_q.sum(axis=1, keepdims=True))),
    "the plain mean of log q is subtracted; it must be weighted by q": lambda q, log_q: (
        q * (log_q - log_q.mean(axis=1, keepdims=True))),
    "the mean over z' of q log q is taken, and must be the sum": lambda q, log_q: (
        q * (log_q - (q * log_q).mean(axis=1, keepdims=True))),
    "the sum over z' is not multiplied by q": lambda q, log_q: q * log_q - _mean(q, log_q),
    "the sum runs over the whole batch: axis=1 is missing": lambda q, log_q: q * (log_q - (q * log_q).sum()),
    "the sum runs over the rows (axis=0), and must run over the values of z (axis=1)": lambda q, log_q: (
        q * (log_q - (q * log_q).sum(axis=0))),
    "the sum lacks keepdims=True: row b's sum is subtracted in column b": lambda q, log_q: (
        q * (log_q - (q * log_q).sum(axis=1))),
    "it is the gradient of the mean over the batch, divided by B; here each row has its own": lambda q, log_q: (
        kl_gradient(q, log_q) / len(q)),
    "the KL with its log k is subtracted, and must be the sum without log k": lambda q, log_q: (
        q * (log_q - _mean(q, log_q) - np.log(q.shape[1]))),
}, factors=FACTORS)

TASKS = KL, GRADIENT
