"""9. Adam.

The gradients of different weights differ in size by orders of magnitude, but all weights have the same learning rate.
So Adam keeps a running mean M of the gradients and a running mean V of their squares, and divides M by the root of V.
Both means start at zero, so they are too small at first.  The factors that contain t correct this.

    M <- 0.9 M + 0.1 g                      M_hat = M / (1 - 0.9^t)
    V <- 0.999 V + 0.001 g^2                V_hat = V / (1 - 0.999^t)
    w <- w - rate M_hat / (sqrt(V_hat) + 1e-8)

weights, grads, M and V are lists of arrays, in the same order and with the same shapes, and t is 1 in the first step.
Adam lowers the loss, so the step goes against the gradient.  Return new lists, and do not change the arrays that are
passed to the function.
"""
import numpy as np


def adam(weights: list[np.ndarray], grads: list[np.ndarray], M: list[np.ndarray], V: list[np.ndarray], t: int,
         rate: float) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Take step t of Adam, and return three lists: the new weights, the new M and the new V."""
    ...
