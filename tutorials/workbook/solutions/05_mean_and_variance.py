"""5. The exact mean, bias and variance of the estimate.

Theorem 2 gives the law of each of the two arg maxes.  So the mean of the estimate g of file 4 is known for every eps.
The bias is this mean minus the gradient of E f(z*).  As eps goes to 0, the bias goes to 0, but the variance grows.
For the variance we need P_ii, the probability that both arg maxes are i.

    E g_i    = (q_eps(i) - q(i)) / eps                       q = softmax(h),  q_eps = softmax(h + eps f)
    bias_i   = E g_i - q(i) (f(i) - sum_z q(z) f(z))
    1 / P_ii = sum_j exp( h_j - h_i + max(0, eps (f_j - f_i)) )
    Var g_i  = (q_eps(i) + q(i) - 2 P_ii) / eps^2 - (E g_i)^2

Shapes: h, f and all results are (B, k), and eps > 0 is one number.  Units: mean and bias are in nats, and the variance
is in nats squared.  In the sum for P_ii, j runs over all k values, including i: the section "The variance, derived" of
chapter 4 explains why.
"""
from importlib import import_module

import numpy as np

law = import_module("02_arg_max").law


def mean_and_bias(h: np.ndarray, f: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of shape (B, k): the mean E g and the bias."""
    q, q_eps = law(h)[0], law(h + eps * f)[0]
    mean = (q_eps - q) / eps
    return mean, mean - q * (f - (q * f).sum(axis=1, keepdims=True))


def variance(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return an array of shape (B, k): the variance of each component of g."""
    gap_h, gap_f = h[:, None, :] - h[:, :, None], f[:, None, :] - f[:, :, None]     # [b, i, j]: j minus i
    both = 1 / np.exp(gap_h + np.maximum(0, eps * gap_f)).sum(axis=2)
    q, q_eps = law(h)[0], law(h + eps * f)[0]
    return (q_eps + q - 2 * both) / eps**2 - mean_and_bias(h, f, eps)[0] ** 2
