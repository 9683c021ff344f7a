"""9. Adam."""
from __future__ import annotations

import numpy as np

from checking.core import Task
from checking.problems import rows


def _case(shapes: list[tuple[int, int]], seed: int, t: int, started: bool) -> dict[str, object]:
    lists = {name: [rows(*shape, seed + 10 * place + i) for i, shape in enumerate(shapes)]
             for place, name in enumerate(("weights", "grads", "M"))}
    lists["V"] = [rows(*shape, seed + 30 + i) ** 2 for i, shape in enumerate(shapes)]
    if not started:
        lists |= {name: [np.zeros_like(each) for each in lists[name]] for name in ("M", "V")}
    return lists | {"t": t, "rate": 0.1}


CASES = [_case([(1, 2)], 41, 1, False), _case([(1, 2)], 44, 2, True), _case([(2, 3), (1, 3)], 47, 5, True),
         _case([(3, 2)], 51, 1000, True) | {"rate": 0.001},
         _case([(1, 3)], 53, 1, False) | {"grads": [np.array([[1e-8, -3e-8, 0.0]])]}]


def adam(weights, grads, M, V, t, rate, kept=(0.9, 0.999), beta=(0.9, 0.999), new=(0.1, 0.001), square=np.square,
         first=True, second=True, root=np.sqrt, tiny="outside", sign=-1.0, shift=0, keep=("weights", "M", "V")):
    """Take step t of Adam.  The keywords after `rate` serve to make common mistakes (slips)."""
    old = {"weights": weights, "M": M, "V": V}
    t = t + shift
    M = [kept[0] * m + new[0] * g for m, g in zip(M, grads)]
    V = [kept[1] * v + new[1] * square(g) for v, g in zip(V, grads)]
    made = []
    for w, m, v in zip(weights, M, V):
        m_hat = m / (1 - beta[0] ** t) if first else m
        v_hat = v / (1 - beta[1] ** t) if second else v
        below = {"outside": root(v_hat) + 1e-8, "inside": root(v_hat + 1e-8), "none": root(v_hat)}[tiny]
        made.append(w + sign * rate * m_hat / below)
    now = {"weights": made, "M": M, "V": V}
    return tuple((now if name in keep else old)[name] for name in now)


def _with(**keywords):
    return lambda **case: adam(**case, **keywords)


def _plain(weights, grads, M, V, t, rate):
    return ([w - rate * g for w, g in zip(weights, grads)], *adam(weights, grads, M, V, t, rate)[1:])


def _from(numerator, denominator=None):
    """Return a slip in which the numerator or the denominator of the step is wrong, while M and V are right."""
    def slip(weights, grads, M, V, t, rate):
        _, now_M, now_V = adam(weights, grads, M, V, t, rate)
        made = []
        for w, g, old_m, old_v, m, v in zip(weights, grads, M, V, now_M, now_V):
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            above = numerator(g, old_m, m, t) if numerator else m_hat
            below = denominator(g, old_v, v, t) if denominator else v_hat
            made.append(w - rate * above / (np.sqrt(below) + 1e-8))
        return made, now_M, now_V
    return slip


TASKS = (Task("adam", adam, CASES, {
    "the step goes along the gradient (+), and must go against it (-)": _with(sign=1.0),
    "both corrections with t are missing: M and V are used as they are": _with(first=False, second=False),
    "the correction 1 - 0.9^t of M is missing": _with(first=False),
    "the correction 1 - 0.999^t of V is missing": _with(second=False),
    "t is counted from 0 in the corrections: the exponent is t - 1": _with(shift=-1),
    "t is counted too far in the corrections: the exponent is t + 1, and must be t": _with(shift=1),
    "V has g instead of g^2": _with(square=lambda g: g),
    "V has |g| instead of g^2": _with(square=np.abs),
    "the root of V_hat is missing": _with(root=lambda v: v),
    "1e-8 is added under the root, and must be added to the root": _with(tiny="inside"),
    "1e-8 is missing: where the gradient is 0 it divides 0 by 0": _with(tiny="none"),
    "0.9 and 0.999 are exchanged": _with(kept=(0.999, 0.9), beta=(0.999, 0.9), new=(0.001, 0.1)),
    "0.9 and 0.999 are exchanged in M and V": _with(kept=(0.999, 0.9), new=(0.001, 0.1)),
    "0.9 and 0.999 are exchanged in the corrections": _with(beta=(0.999, 0.9)),
    "the correction of V has 0.9 instead of 0.999": _with(beta=(0.9, 0.9)),
    "M and V are the plain sums 0.9 M + g and 0.999 V + g^2: the factors 0.1 and 0.001 are missing":
        _with(new=(1.0, 1.0)),
    "the factor 0.1 of g is missing in M": _with(new=(1.0, 0.001)),
    "the factor 0.001 of g^2 is missing in V": _with(new=(0.1, 1.0)),
    "the factors are exchanged: it is 0.9 M + 0.1 g, and not 0.1 M + 0.9 g; V likewise": _with(
        kept=(0.1, 0.001), new=(0.9, 0.999)),
    "in M the factors are exchanged: it is 0.9 M + 0.1 g, and not 0.1 M + 0.9 g": _with(
        kept=(0.1, 0.999), new=(0.9, 0.001)),
    "V has the factors of M (0.9 and 0.1); it must have 0.999 and 0.001": _with(kept=(0.9, 0.9), new=(0.1, 0.1)),
    "V and its correction have 0.9 and 0.1; they must have 0.999 and 0.001": _with(
        kept=(0.9, 0.9), beta=(0.9, 0.9), new=(0.1, 0.1)),
    "V has the factor 0.01 instead of 0.001": _with(new=(0.1, 0.01)),
    "it is a plain gradient step, without M and V": _plain,
    "the step uses the M before this step, and must use the new one": _from(lambda g, old, m, t: old / (1 - 0.9**t)),
    "the step uses the V before this step, and must use the new one": _from(
        None, lambda g, old, v, t: old / (1 - 0.999**t)),
    "the step has the gradient instead of M_hat": _from(lambda g, old, m, t: g),
    "the step has the gradient, divided by 1 - 0.9^t, instead of M_hat": _from(
        lambda g, old, m, t: g / (1 - 0.9**t)),
    "M_hat is multiplied by 1 - 0.9^t, and must be divided": _from(lambda g, old, m, t: m * (1 - 0.9**t)),
    "V_hat is multiplied by 1 - 0.999^t, and must be divided": _from(None, lambda g, old, v, t: v * (1 - 0.999**t)),
    "the corrections are 1 - 0.9 t and 1 - 0.999 t: a product where a power belongs": _from(
        lambda g, old, m, t: m / (1 - 0.9 * t), lambda g, old, v, t: v / (1 - 0.999 * t)),
    "the old weights are returned": _with(keep=("M", "V")),
    "the old M is returned, and must be the new one": _with(keep=("weights", "V")),
    "the old V is returned, and must be the new one": _with(keep=("weights", "M")),
    "M_hat, corrected, is returned instead of M: the next step would correct it again": lambda **case: (
        adam(**case)[0], [m / (1 - 0.9 ** case["t"]) for m in adam(**case)[1]], adam(**case)[2]),
    "V_hat, corrected, is returned instead of V: the next step would correct it again": lambda **case: (
        *adam(**case)[:2], [v / (1 - 0.999 ** case["t"]) for v in adam(**case)[2]]),
}, outputs=("weights", "M", "V")),)
