"""6. Two linear layers with a ReLU between them, forward and backward.

Encoder and decoder are both such a network; only their sizes differ.
The backward pass gets dout, the derivative of the loss with respect to the output, and goes from the last line to the
first.  The factor 1/B of the loss is contained in dout already, so nothing is divided by B here.

    r    = relu(x W1 + b1)                dW2 = r^T dout          db2 = sum of dout over the rows
    out  = r W2 + b2                      dr  = dout W2^T         and 0 where the ReLU is off, r = 0
                                          dW1 = x^T dr            db1 = sum of dr over the rows

Shapes: x (B, I), W1 (I, H), b1 (H,), r (B, H), W2 (H, O), b2 (O,), out and dout (B, O).  A derivative
has the shape of the array with respect to which it is taken.  Units: out is a pure number, the loss is in nats.
"""
import numpy as np


def network(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray,
            b2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """r (B, H) and out (B, O)."""
    ...


def network_backward(x: np.ndarray, r: np.ndarray, W2: np.ndarray,
                     dout: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """dW1 (I, H), db1 (H,), dW2 (H, O) and db2 (O,)."""
    ...
