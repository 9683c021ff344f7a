"""8. The KL term.

The second term of the bound is the divergence of q from the prior.  The prior is uniform over the k values.
The KL term prevents q from concentrating on one value too early in training.
There is a formula for its gradient with respect to the scores h, so this gradient need not be estimated.

    KL         = sum_z q(z) log q(z) + log k
    dKL/dh(z)  = q(z) (log q(z) - sum_z' q(z') log q(z'))

Shapes: q, log_q and the gradient are (B, k), and KL is (B,).  Unit: nats.  Even where q is rounded to 0, log_q is a
finite number.  So use log_q and not np.log(q).
"""
import numpy as np


def kl(q: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Return an array of shape (B,): the KL term of each row."""
    ...


def kl_gradient(q: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, k): for each row, the gradient of the KL term with respect to the scores h."""
    ...
