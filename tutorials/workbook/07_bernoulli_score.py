"""7. The Bernoulli score and its gradient.

The decoder turns each value z into the logits a of D pixels, and the score f says how well z explains an image x of
zeros and ones.
We need f for each image and each value.  This is a table, and one matrix product computes most of it.
The backward pass gets df, the derivative of the loss with respect to this table.

    f(x, z) = log p(x given z) = sum_d  x_d a_zd - log(1 + e^a_zd)
    da_zd   = sum_b  df_bz (x_bd - sigmoid(a_zd)),        sigmoid(a) = 1 / (1 + e^-a)

Shapes: x (B, D), a and da (k, D), f and df (B, k).  Units: a is a pure number, f is in nats.  Logits may be as large as
1,000 in absolute value, where e^a overflows: np.logaddexp(0, a) is log(1 + e^a) without overflow, and
(1 + np.tanh(a / 2)) / 2 is sigmoid(a), without overflow and without a warning.
"""
import numpy as np


def score(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """f (B, k), of images x (B, D) and logits a (k, D)."""
    ...


def score_backward(x: np.ndarray, a: np.ndarray, df: np.ndarray) -> np.ndarray:
    """da (k, D), for images x (B, D), logits a (k, D) and the derivative df (B, k) of the loss."""
    ...
