"""7. The Bernoulli score and its gradient."""
from __future__ import annotations

import numpy as np
from scipy.special import expit

from checking.core import Task, same
from checking.problems import rows


def _images(B: int, D: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((B, D)) < 0.4).astype(float)


CASES = [{"x": np.array([[1.0, 0.0]]), "a": np.array([[0.5, -1.0], [2.0, 1.0]])},
         {"x": _images(2, 3, 1), "a": rows(2, 3, 2)}, {"x": _images(5, 7, 3), "a": rows(4, 7, 4, 2.0)},
         {"x": _images(3, 4, 5), "a": np.array([[1000.0, -1000.0, 3.0, 0.0], [-900.0, 0.5, 100.0, -100.0]])}]
BACK_CASES = [case | {"df": rows(len(case["x"]), len(case["a"]), 9 + place)} for place, case in enumerate(CASES)]


def _softplus(a):
    return np.logaddexp(0, a)


def score(x, a, softplus=_softplus):
    """Return the table f, (B, k).  `softplus` can be replaced to make a common mistake (a slip)."""
    return x @ a.T - softplus(a).sum(axis=1)


def back(x, a, df, sigmoid=expit):
    """Return da, (k, D).  `sigmoid` can be replaced to make a common mistake (a slip)."""
    return df.T @ x - df.sum(axis=0)[:, None] * sigmoid(a)


def _naive(a):
    return 1 / (1 + np.exp(-a))


SCORE = Task("score", score, CASES, {
    "e^a overflows where a is large: np.logaddexp(0, a) does not": lambda x, a: score(
        x, a, lambda a: np.log(1 + np.exp(a))),
    "it is log(1 + a), and must be log(1 + e^a)": lambda x, a: score(x, a, np.log1p),
    "log(1 + e^a) is taken of the sum over the pixels; it must be taken of each pixel": lambda x, a: (
        x @ a.T - _softplus(a.sum(axis=1))),
    "log(1 + e^a) as a + log(1 + e^-a) overflows where a is very negative: use np.logaddexp(0, a)":
        lambda x, a: score(x, a, lambda a: a + np.log(1 + np.exp(-a))),
    "log(sigmoid) and log(1 - sigmoid) are taken, of numbers that are rounded to 0: use x a - log(1 + e^a)":
        lambda x, a: x @ np.log(_naive(a)).T + (1 - x) @ np.log(1 - _naive(a)).T,
    "the term log(1 + e^a) is missing": lambda x, a: x @ a.T,
    "log(1 + e^a) has the wrong sign: it is subtracted": lambda x, a: score(x, a, lambda a: -_softplus(a)),
    "the sign is wrong: it is -f, the loss": lambda x, a: -score(x, a),
    "it is log(1 + e^-a), and must be log(1 + e^a)": lambda x, a: score(x, a, lambda a: _softplus(-a)),
    "log(1 + e^a) is counted only where a pixel is 1: it counts for every pixel": lambda x, a: x @ (a - _softplus(a)).T,
    "log(1 + e^a) is summed over the values z (axis=0), and must be summed over the pixels (axis=1)":
        lambda x, a: x @ a.T - _softplus(a).sum(axis=0),
    "log(1 + e^a) is summed over everything: axis=1 is missing": lambda x, a: x @ a.T - _softplus(a).sum(),
    "the mean of log(1 + e^a) over the pixels is taken, and must be the sum": lambda x, a: (
        x @ a.T - _softplus(a).mean(axis=1)),
    "it is the mean over the pixels, and must be the sum": lambda x, a: score(x, a) / x.shape[1],
    "the table is transposed: a row is an image, a column a value z": lambda x, a: score(x, a).T,
    "1 - x is used instead of x: ones and zeros are exchanged": lambda x, a: score(1 - x, a),
    "it is the score of each image under one value only; a table of all values is asked for": lambda x, a: (
        x * a[:len(x)] - _softplus(a[:len(x)])).sum(axis=1),
}, factors={"D": lambda x, a: x.shape[1]})

def _overflow(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if the results are right except for large logits, where infinity is divided by infinity."""
    good = [same(one, back(**case)) for case, one in zip(cases, mine)]
    if good != [True, True, True, False] or not np.isnan(mine[-1]).any():
        return None
    return "e^a (or e^-a) overflows to infinity and then gives NaN: write the sigmoid as (1 + np.tanh(a / 2)) / 2"


BACK = Task("score_backward", back, BACK_CASES, {
    "the sign is wrong: the derivative of f with respect to a is x - sigmoid(a)": lambda x, a, df: -back(x, a, df),
    "the sigmoid is missing: it is the derivative of x a alone": lambda x, a, df: df.T @ x,
    "the term of x is missing: it is -sigmoid(a) alone": lambda x, a, df: back(0 * x, a, df),
    "sigmoid(a) is not multiplied by df": lambda x, a, df: df.T @ x - expit(a),
    "sigmoid(a) is added, and must be subtracted": lambda x, a, df: back(x, a, df, lambda a: -expit(a)),
    "it is sigmoid(-a) instead of sigmoid(a)": lambda x, a, df: back(x, a, df, lambda a: expit(-a)),
    "it is x - a, without the sigmoid": lambda x, a, df: back(x, a, df, lambda a: a),
    "it is (1 + tanh(a)) / 2, which is sigmoid(2 a): a must be halved": lambda x, a, df: back(
        x, a, df, lambda a: expit(2 * a)),
    "it is tanh(a) instead of sigmoid(a)": lambda x, a, df: back(x, a, df, np.tanh),
    "the derivative of the sigmoid, s (1 - s), is taken; x - sigmoid(a) is the whole derivative":
        lambda x, a, df: back(x, a, df, lambda a: expit(a) * expit(-a)),
    "df is not summed over the batch before it multiplies sigmoid(a): it is the mean": lambda x, a, df: (
        df.T @ x - df.mean(axis=0)[:, None] * expit(a)),
    "df is summed over the values z (axis=1), and must be summed over the images (axis=0)": lambda x, a, df: (
        df.T @ x - df.sum(axis=1)[:, None] * expit(a)),
    "df is summed over everything: axis=0 is missing": lambda x, a, df: df.T @ x - df.sum() * expit(a),
    "df is left out: all images and values count equally": lambda x, a, df: back(x, a, np.ones_like(df)),
    "the result is transposed: it must have the shape of a": lambda x, a, df: back(x, a, df).T,
    "it is divided by B; a factor 1/B is in df already": lambda x, a, df: back(x, a, df) / len(x),
}, factors={"B": lambda x, **rest: len(x)}, explain=_overflow)

TASKS = SCORE, BACK
