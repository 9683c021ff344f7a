"""6. Two linear layers with a ReLU between them, forward and backward."""
from __future__ import annotations

import numpy as np

from checking.core import Task
from checking.problems import rows


def weights(I: int, H: int, O: int, seed: int, spread: float = 1.0) -> dict[str, np.ndarray]:
    """Return random weights W1, b1, W2 and b2 by name."""
    return {"W1": rows(I, H, seed, spread), "b1": rows(1, H, seed + 1, spread)[0],
            "W2": rows(H, O, seed + 2, spread), "b2": rows(1, O, seed + 3, spread)[0]}


def network(x, W1, b1, W2, b2, relu=lambda v: np.maximum(v, 0), out=lambda v: v) -> tuple[np.ndarray, np.ndarray]:
    """Return r and out.  `relu` and `out` can be replaced to make common mistakes (slips)."""
    r = relu(x @ W1 + b1)
    return r, out(r @ W2 + b2)


def backward(x, r, W2, dout, mask=lambda r: r > 0, total=lambda d: d.sum(axis=0), of_W=lambda d: d):
    """Return dW1, db1, dW2 and db2.  The keywords after `dout` can be replaced to make common mistakes (slips)."""
    dr = dout @ W2.T * mask(r)
    return of_W(x.T @ dr), total(dr), of_W(r.T @ dout), total(dout)


def _before(x, r, W2, dout):
    """Return the results of a slip: the mask of the ReLU is applied to dout.  This is possible only for some sizes."""
    dr = (dout * (r > 0)) @ W2.T
    return x.T @ dr, dr.sum(axis=0), r.T @ dout, dout.sum(axis=0)


def _of_dr(dr_of):
    def slip(x, r, W2, dout):
        dr = dr_of(x, r, W2, dout)
        return x.T @ dr, dr.sum(axis=0), r.T @ dout, dout.sum(axis=0)
    return slip


FORWARD_CASES = [{"x": np.array([[1.0, -0.5]]), "W1": np.array([[1.0, -2.0], [0.5, 3.0]]), "b1": np.array([0.5, 1.0]),
                  "W2": np.array([[2.0, -1.0], [1.0, 0.5]]), "b2": np.array([0.25, -2.0])},
                 {"x": rows(3, 4, 11)} | weights(4, 5, 2, 12), {"x": rows(6, 3, 16)} | weights(3, 4, 5, 17)]
CASES = [{"x": case["x"], "r": network(**case)[0], "W2": case["W2"],
          "dout": rows(len(case["x"]), len(case["b2"]), 21 + place)} for place, case in enumerate(FORWARD_CASES)]
FACTORS = {"B": lambda x, **rest: len(x)}

NETWORK = Task("network", network, FORWARD_CASES, {
    "the ReLU is missing": lambda **case: network(**case, relu=lambda v: v),
    "the output has a ReLU too; only the first layer has one": lambda **case: network(
        **case, out=lambda v: np.maximum(v, 0)),
    "b1 is missing": lambda x, W1, b1, W2, b2: network(x, W1, 0 * b1, W2, b2),
    "b2 is missing": lambda x, W1, b1, W2, b2: network(x, W1, b1, W2, 0 * b2),
    "b1 is added after the ReLU, and must be added before it": lambda x, W1, b1, W2, b2: network(
        x, W1, 0 * b1, W2, b2, relu=lambda v: np.maximum(v, 0) + b1),
    "b1 is subtracted": lambda x, W1, b1, W2, b2: network(x, W1, -b1, W2, b2),
    "W1 is transposed": lambda x, W1, b1, W2, b2: network(x, W1.T, b1, W2, b2),
    "W2 is transposed": lambda x, W1, b1, W2, b2: network(x, W1, b1, W2.T, b2),
    "the ReLU takes the minimum, and must take the maximum with 0": lambda **case: network(
        **case, relu=lambda v: np.minimum(v, 0)),
    "it is the absolute value instead of the ReLU": lambda **case: network(**case, relu=np.abs),
    "it is the step function (v > 0) instead of the ReLU": lambda **case: network(
        **case, relu=lambda v: (v > 0) * 1.0),
    "the product is taken number by number (*), and must be a matrix product (@)": lambda x, W1, b1, W2, b2: network(
        x, W1, b1, W2, b2, relu=lambda v: np.maximum(x * W1 + b1, 0)),
}, outputs=("r", "out"))

BACKWARD = Task("network_backward", backward, CASES, {
    "the ReLU's mask is missing, or always true (r >= 0): dr must be 0 where r = 0": lambda **case: backward(
        **case, mask=np.ones_like),
    "the ReLU's mask is the wrong way round: dr must be 0 where r = 0, not where r > 0": lambda **case: backward(
        **case, mask=lambda r: r <= 0),
    "dr is multiplied by r itself, and must be multiplied by (r > 0)": lambda **case: backward(
        **case, mask=lambda r: r),
    "the ReLU's mask is taken of dout > 0, and must be taken of r > 0": _of_dr(
        lambda x, r, W2, dout: dout @ W2.T * (dout > 0)),
    "the ReLU's mask is taken of dr > 0, and must be taken of r > 0": _of_dr(
        lambda x, r, W2, dout: np.maximum(dout @ W2.T, 0)),
    "the ReLU's mask is applied to dout, and must be applied to dr = dout W2^T": _before,
    "the bias gradient lacks the sum over the batch": lambda **case: backward(**case, total=lambda d: d),
    "the bias gradient is the mean over the batch, and must be the sum": lambda **case: backward(
        **case, total=lambda d: d.mean(axis=0)),
    "the bias gradient is summed over the wrong axis: axis=0 is the batch": lambda **case: backward(
        **case, total=lambda d: d.sum(axis=1)),
    "the bias gradient is summed over everything: axis=0 is missing": lambda **case: backward(
        **case, total=lambda d: d.sum()),
    "the bias gradient keeps an axis of length 1: it must have the shape of the bias (no keepdims)":
        lambda **case: backward(**case, total=lambda d: d.sum(axis=0, keepdims=True)),
    "the weight gradients are divided by B; the factor 1/B is in dout already": lambda x, r, W2, dout: backward(
        x, r, W2, dout, of_W=lambda d: d / len(x)),
    "the weight gradients are transposed: dW1 is x^T dr, and not dr^T x": lambda **case: backward(
        **case, of_W=lambda d: d.T),
    "W2 is not transposed in dr = dout W2^T": _of_dr(lambda x, r, W2, dout: dout @ W2 * (r > 0)),
    "the factor W2^T is missing in dr = dout W2^T": _of_dr(lambda x, r, W2, dout: dout * (r > 0)),
    "dW2 has dr instead of dout": lambda x, r, W2, dout: (
        *backward(x, r, W2, dout)[:2], r.T @ (dout @ W2.T * (r > 0)), dout.sum(axis=0)),
    "dW2 has x instead of r": lambda x, r, W2, dout: (
        *backward(x, r, W2, dout)[:2], x.T @ dout, dout.sum(axis=0)),
    "dW1 has r instead of x": lambda x, r, W2, dout: (
        r.T @ (dout @ W2.T * (r > 0)), *backward(x, r, W2, dout)[1:]),
}, outputs=("dW1", "db1", "dW2", "db2"), factors=FACTORS)

TASKS = NETWORK, BACKWARD
