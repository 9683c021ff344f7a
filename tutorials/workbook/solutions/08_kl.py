"""8. The KL term.

The second term of the bound is the divergence of q from the prior, which is uniform over the k values.
This term keeps q from giving all its weight to one value too early.
Its gradient with respect to the scores h has a formula, so no estimate is needed.

    KL         = sum_z q(z) log q(z) + log k
    dKL/dh(z)  = q(z) (log q(z) - sum_z' q(z') log q(z'))

Shapes: q, log_q and the gradient (B, k), KL (B,).  Unit: nats.  Where q is rounded to 0, log_q is still a finite
number, so use log_q and not np.log(q).
"""
import numpy as np


def kl(q: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """KL of each row, (B,)."""
    return (q * log_q).sum(axis=1) + np.log(q.shape[1])


def kl_gradient(q: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """The gradient of each row's KL with respect to the scores h of this row, (B, k)."""
    return q * (log_q - (q * log_q).sum(axis=1, keepdims=True))
