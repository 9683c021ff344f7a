"""5. The exact mean, bias and variance of the estimate."""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from checking.core import Task
from checking.problems import rows
from refimpl import direct, exact

CASES = [{"h": np.array([[0.5, 0.0]]), "f": np.array([[-1.0, 2.0]]), "eps": 0.5},
         {"h": rows(2, 3, 1), "f": rows(2, 3, 2, 2.0), "eps": 0.8},
         {"h": rows(5, 4, 4), "f": rows(5, 4, 5), "eps": 2.0}]
FACTORS = {"eps": lambda eps, **rest: eps}


def _q(h):
    return softmax(h, axis=1)


def _total(values):
    return values.sum(axis=1, keepdims=True)


def _with_mean(mean):
    """Return a slip in which the mean is wrong, and the bias follows from the wrong mean."""
    return lambda h, f, eps: (mean(h, f, eps), mean(h, f, eps) - exact.gradient(h, f))


def _with_bias(bias):
    """Return a slip in which only the bias is wrong.  `bias` takes the right mean as a further argument."""
    return lambda h, f, eps: (direct.expected_gradient(h, f, eps),
                              bias(h, f, eps, direct.expected_gradient(h, f, eps)))


MEAN = Task("mean_and_bias", lambda h, f, eps: (direct.expected_gradient(h, f, eps), direct.bias(h, f, eps)), CASES, {
    "the division by eps is missing": _with_mean(lambda h, f, eps: _q(h + eps * f) - _q(h)),
    "q and q_eps are in the wrong order (q_eps comes first)": _with_mean(
        lambda h, f, eps: (_q(h) - _q(h + eps * f)) / eps),
    "q_eps has f without eps: it must be softmax(h + eps f)": _with_mean(lambda h, f, eps: (_q(h + f) - _q(h)) / eps),
    "eps f enters with the wrong sign": _with_mean(lambda h, f, eps: (_q(h - eps * f) - _q(h)) / eps),
    "it is the two-sided mean, (q_eps - q_-eps) / 2 eps": _with_mean(
        lambda h, f, eps: (_q(h + eps * f) - _q(h - eps * f)) / (2 * eps)),
    "q_eps is softmax(eps f), without h": _with_mean(lambda h, f, eps: (_q(eps * f) - _q(h)) / eps),
    "q_eps is the tilted law q e^(eps f) without the division by its sum": _with_mean(
        lambda h, f, eps: (_q(h) * np.exp(eps * f) - _q(h)) / eps),
    "it is the gradient itself, q (f - E f), which is the limit for eps to 0; at this eps the mean is different":
        _with_mean(lambda h, f, eps: exact.gradient(h, f)),
    "it is the gradient of E f; the bias is the mean minus this gradient": _with_bias(
        lambda h, f, eps, mean: exact.gradient(h, f)),
    "it has the wrong sign: the bias is the mean minus the gradient": _with_bias(
        lambda h, f, eps, mean: exact.gradient(h, f) - mean),
    "the gradient is added, and must be subtracted from the mean": _with_bias(
        lambda h, f, eps, mean: mean + exact.gradient(h, f)),
    "in the gradient q f the term - q E f is missing": _with_bias(lambda h, f, eps, mean: mean - _q(h) * f),
    "in the gradient the factor q is missing: it is q (f - E f)": _with_bias(
        lambda h, f, eps, mean: mean - (f - _total(_q(h) * f))),
    "the gradient has E f under q_eps; it must be taken under q": _with_bias(
        lambda h, f, eps, mean: mean - _q(h) * (f - _total(_q(h + eps * f) * f))),
    "the gradient has q_eps instead of q": _with_bias(
        lambda h, f, eps, mean: mean - exact.gradient(h + eps * f, f)),
    "the gradient has the plain mean of f over z; it must be weighted by q": _with_bias(
        lambda h, f, eps, mean: mean - _q(h) * (f - f.mean(axis=1, keepdims=True))),
    "the mean over z of q f is taken in E f, and must be the sum": _with_bias(
        lambda h, f, eps, mean: mean - _q(h) * (f - (_q(h) * f).mean(axis=1, keepdims=True))),
    "E f is summed over the whole batch: axis=1 is missing": _with_bias(
        lambda h, f, eps, mean: mean - _q(h) * (f - (_q(h) * f).sum())),
    "it is the leading term (eps/2) grad Var f alone, and must be the whole bias": _with_bias(
        lambda h, f, eps, mean: eps / 2 * exact.gradient(h, (f - _total(_q(h) * f)) ** 2)),
}, outputs=("mean", "bias"), factors=FACTORS)


def _both(h, f, eps, outside=False, sign=1, eps_f=True):
    """Return P_ii.  The keywords serve to make common mistakes (slips)."""
    gap_h, gap_f = sign * (h[:, None, :] - h[:, :, None]), f[:, None, :] - f[:, :, None]
    tilt = eps * gap_f if eps_f else gap_f
    return 1 / np.exp(np.maximum(0, gap_h + tilt) if outside else gap_h + np.maximum(0, tilt)).sum(axis=2)


def _variance(h, f, eps, both=_both, twice=2.0, mean=1.0, power=2):
    return ((_q(h + eps * f) + _q(h) - twice * both(h, f, eps)) / eps**power
            - mean * direct.expected_gradient(h, f, eps) ** 2)


VARIANCE = Task("variance", direct.variance, CASES, {
    "the square of the mean is not subtracted: it is E g^2": lambda h, f, eps: _variance(h, f, eps, mean=0),
    "the mean is subtracted, and must be squared first": lambda h, f, eps: (
        _variance(h, f, eps, mean=0) - direct.expected_gradient(h, f, eps)),
    "the bias is squared and subtracted, and must be the mean": lambda h, f, eps: (
        _variance(h, f, eps, mean=0) - direct.bias(h, f, eps) ** 2),
    "P_ii is missing": lambda h, f, eps: _variance(h, f, eps, twice=0),
    "P_ii counts twice: both one-hot vectors lose it": lambda h, f, eps: _variance(h, f, eps, twice=1),
    "the division is by eps, and must be by eps squared": lambda h, f, eps: _variance(h, f, eps, power=1),
    "P_ii is taken as q q_eps, as if the two arg maxes had noise of their own": lambda h, f, eps: _variance(
        h, f, eps, both=lambda h, f, eps: _q(h) * _q(h + eps * f)),
    "P_ii is taken as the smaller one of q and q_eps, which is too large": lambda h, f, eps: _variance(
        h, f, eps, both=lambda h, f, eps: np.minimum(_q(h), _q(h + eps * f))),
    "in P_ii the maximum is taken of the whole exponent, and must be taken of eps (f_j - f_i) alone":
        lambda h, f, eps: _variance(h, f, eps, both=lambda *case: _both(*case, outside=True)),
    "in P_ii the differences of h have the wrong sign: h_j - h_i, summed over j": lambda h, f, eps: _variance(
        h, f, eps, both=lambda *case: _both(*case, sign=-1)),
    "in P_ii the differences have the wrong sign, or the sum runs over i instead of j": lambda h, f, eps: _variance(
        h, f, eps, both=lambda h, f, eps: _both(-h, -f, eps)),
    "in P_ii f enters without eps": lambda h, f, eps: _variance(
        h, f, eps, both=lambda *case: _both(*case, eps_f=False)),
    "it is the inverse of P_ii that is subtracted": lambda h, f, eps: _variance(
        h, f, eps, both=lambda *case: 1 / _both(*case)),
    "it is the standard deviation, the root of the variance": lambda h, f, eps: np.sqrt(direct.variance(h, f, eps)),
    "it is the sum over the components, and must be one number for each": lambda h, f, eps: direct.variance(
        h, f, eps).sum(axis=1),
}, factors=FACTORS)

TASKS = MEAN, VARIANCE
