"""11. The direct training step.

The loss is -ELBO, averaged over the batch.  Its gradient has two parts, one for the decoder and one for the encoder.
The decoder learns as if z* were given: its part of the loss is -f(z*).
The encoder learns from the difference of two arg maxes, which estimates the gradient of E f(z*), and from the KL term.

    df   = -onehot z* / B                            run it backward through score and decoder
    dh   = (dKL/dh - g) / B                          run it backward through the encoder; g is from 04_two_arg_maxes.py
    step                                             compute the gradients, then call adam

The decoder's input is the table np.eye(k, dtype=x.dtype), as in file 10.  So the decoder's backward pass needs this
table instead of x.

weights is [W1, b1, W2, b2, V1, c1, V2, c2], and the gradients are a list in the same order and with the same shapes.
Shapes: x is (B, D), the noise is (B, k), and eps is one number.  Units: eps is in 1/nat, and the loss is in nats per
image.  The gradients must have the precision of x: .astype(x.dtype) converts a float64 gradient to float32.
"""
from importlib import import_module

import numpy as np

arg_max = import_module("02_arg_max").arg_max
direct_gradient = import_module("04_two_arg_maxes").direct_gradient
network_backward = import_module("06_layers").network_backward
score_backward = import_module("07_bernoulli_score").score_backward
kl_gradient = import_module("08_kl").kl_gradient
adam = import_module("09_adam").adam
forward = import_module("10_encoder_decoder").forward


def gradients(weights: list[np.ndarray], x: np.ndarray, noise: np.ndarray, eps: float) -> list[np.ndarray]:
    """Return [dW1, db1, dW2, db2, dV1, dc1, dV2, dc2], computed from the images x and the Gumbel noise."""
    W2, V2 = weights[2], weights[6]
    r, h, s, a, f, q, log_q = forward(weights, x)
    df = (-arg_max(h, noise) / len(x)).astype(x.dtype)
    dh = ((kl_gradient(q, log_q) - direct_gradient(h, f, eps, noise)) / len(x)).astype(x.dtype)
    da = score_backward(x, a, df)
    return [*network_backward(x, r, W2, dh), *network_backward(np.eye(len(a), dtype=x.dtype), s, V2, da)]


def step(weights: list[np.ndarray], M: list[np.ndarray], V: list[np.ndarray], t: int, x: np.ndarray, noise: np.ndarray,
         eps: float, rate: float) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Take step t of Adam (t = 1 is the first), and return three lists: the new weights, the new M and the new V."""
    return adam(weights, gradients(weights, x, noise, eps), M, V, t, rate)
