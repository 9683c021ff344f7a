"""7. The Bernoulli score and its gradient.

The decoder maps each value z to the logits a of D pixels.  The score f measures how well z explains an image x of zeros
and ones.
We need a table of f for each image and each value z.  One matrix product computes most of it.
The backward pass starts from df, the derivative of the loss with respect to this table.

    f(x, z) = log p(x given z) = sum_d  x_d a_zd - log(1 + e^a_zd)
    da_zd   = sum_b  df_bz (x_bd - sigmoid(a_zd)),        sigmoid(a) = 1 / (1 + e^-a)

Shapes: x is (B, D), a and da are (k, D), and f and df are (B, k).  Units: a is a pure number, and f is in nats.  Logits
can be as large as 1,000 in absolute value, and then e^a overflows.  np.logaddexp(0, a) computes log(1 + e^a) without
overflow, and (1 + np.tanh(a / 2)) / 2 computes sigmoid(a) without overflow and without a warning.
"""
import numpy as np


def score(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the table f of shape (B, k) for images x of shape (B, D) and logits a of shape (k, D)."""
    ...


def score_backward(x: np.ndarray, a: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return da, the gradient of the loss with respect to a.  df is the gradient of the loss with respect to f."""
    ...
