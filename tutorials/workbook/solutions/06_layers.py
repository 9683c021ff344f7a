"""6. Two linear layers with a ReLU between them, forward and backward.

The encoder and the decoder are two such networks of different sizes.
The backward pass starts from dout, the derivative of the loss with respect to the output, and differentiates the lines
of the forward pass in reverse order.  dout contains the factor 1/B of the loss already, so do not divide by B here.

    r    = relu(x W1 + b1)                dW2 = r^T dout          db2 = sum of dout over the rows
    out  = r W2 + b2                      dr  = dout W2^T         but dr = 0 where the ReLU is off (r = 0)
                                          dW1 = x^T dr            db1 = sum of dr over the rows

Shapes: x is (B, I), W1 is (I, H), b1 is (H,), r is (B, H), W2 is (H, O), b2 is (O,), and out and dout are (B, O).  The
derivative of the loss with respect to an array has the shape of this array.  Units: out is a pure number, and the loss
is in nats.
"""
import numpy as np


def network(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray,
            b2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the network forward, and return two arrays: r has the shape (B, H), and `out` has the shape (B, O)."""
    r = np.maximum(x @ W1 + b1, 0)
    return r, r @ W2 + b2


def network_backward(x: np.ndarray, r: np.ndarray, W2: np.ndarray,
                     dout: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run the backward pass, and return dW1, db1, dW2 and db2, with the shapes of W1, b1, W2 and b2."""
    dr = dout @ W2.T * (r > 0)
    return x.T @ dr, dr.sum(axis=0), r.T @ dout, dout.sum(axis=0)
