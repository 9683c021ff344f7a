"""11. The direct training step, compared with refimpl.one_page."""
from __future__ import annotations

from types import ModuleType

import numpy as np
from scipy.special import softmax

from checking import adam, loading
from checking.arg_max import one_hot
from checking.auto_encoder import forward, images, model
from checking.bernoulli import back
from checking.core import Task
from checking.loading import Problem
from checking.kl import kl_gradient
from checking.layers import backward
from checking.problems import noise
from refimpl import one_page

NAMES = "dW1", "db1", "dW2", "db2", "dV1", "dc1", "dV2", "dc2"


def _case(D: int, H: int, k: int, B: int, eps: float, seed: int) -> dict[str, object]:
    weights = model(D, H, k, seed, 0.5)
    return {"weights": weights, "x": images(B, D, seed + 1), "noise": noise(B, k, seed + 2), "eps": eps}


CASES = [_case(3, 3, 3, 2, 2.0, 105), _case(6, 5, 4, 20, 1.5, 110), _case(5, 4, 3, 100, 3.0, 120)]


def gradients(weights, x, noise, eps, df=None, dh=None, B_df=None, B_dh=None, of_x=2,
              of_z=6) -> list[np.ndarray]:
    """Return the eight gradients.  The keywords after `eps` serve to make common mistakes (slips).

    df, dh         functions that replace the right df and dh, before the division by B
    B_df, B_dh     numbers that replace B
    of_x, of_z     the places in `weights` of the W2 in the encoder's and in the decoder's backward pass
    """
    r, h, s, a, f, q, log_q = forward(weights, x)
    z_star, z_eps = one_hot(h + noise), one_hot(h + eps * f + noise)
    KL, g = kl_gradient(q, log_q), (z_eps - z_star) / eps
    df = (df(z_star, z_eps, q) if df else -z_star) / (B_df or len(x))
    dh = (dh(KL, g, q, f, h) if dh else KL - g) / (B_dh or len(x))
    da = back(x, a, df)
    return [*backward(x, r, weights[of_x], dh), *backward(np.eye(len(a)), s, weights[of_z], da)]


def _df(df, **more):
    return lambda **case: gradients(**case, df=df, **more)


def _dh(dh, **more):
    return lambda **case: gradients(**case, dh=dh, **more)


SLIPS = {
    "the factor 1/B is missing, in df and in dh": lambda **case: gradients(**case, B_df=1, B_dh=1),
    "the factor 1/B is missing in df": lambda **case: gradients(**case, B_df=1),
    "the factor 1/B is missing in dh": lambda **case: gradients(**case, B_dh=1),
    "in dh only the KL gradient is divided by B: brackets are missing": lambda **case: gradients(
        **case, B_dh=1, dh=lambda KL, g, q, f, h: KL / len(h) - g),
    "in dh only g is divided by B: the KL gradient must be, too": lambda **case: gradients(
        **case, B_dh=1, dh=lambda KL, g, q, f, h: KL - g / len(h)),
    "the sign of all gradients is wrong: they are those of the ELBO, and the loss is -ELBO": lambda **case: [
        -each for each in gradients(**case)],
    "g has the wrong sign in dh: the loss contains -E f, so dh has -g": _dh(lambda KL, g, q, f, h: KL + g),
    "KL has the wrong sign in dh: the loss contains +KL": _dh(lambda KL, g, q, f, h: -KL - g),
    "dh has the wrong sign": _dh(lambda KL, g, q, f, h: g - KL),
    "the KL gradient is missing in dh": _dh(lambda KL, g, q, f, h: -g),
    "g is missing in dh: the encoder learns from KL alone": _dh(lambda KL, g, q, f, h: KL),
    "dh is divided by eps once more: g is divided by eps already": lambda eps, **case: gradients(
        eps=eps, **case, dh=lambda KL, g, q, f, h: KL - g / eps),
    "dh has the exact gradient q (f - E f) instead of the difference of two arg maxes": _dh(
        lambda KL, g, q, f, h: KL - q * (f - (q * f).sum(axis=1, keepdims=True))),
    "dh has the exact mean (q_eps - q) / eps instead of the difference of two arg maxes": lambda eps, **case:
        gradients(eps=eps, **case, dh=lambda KL, g, q, f, h: KL - (softmax(h + eps * f, axis=1) - q) / eps),
    "h and f are exchanged in direct_gradient(h, f, eps, noise)": lambda noise, eps, **case: gradients(
        noise=noise, eps=eps, **case, dh=lambda KL, g, q, f, h: (
            KL - (one_hot(f + eps * h + noise) - one_hot(f + noise)) / eps)),
    "the sign of df is wrong: the loss contains -f(z*)": _df(lambda z_star, z_eps, q: z_star),
    "the decoder learns from z(eps), and must learn from z*": _df(lambda z_star, z_eps, q: -z_eps),
    "the decoder learns from all z with the weight q; here it learns from z* alone": _df(lambda z_star, z_eps, q: -q),
    "the decoder learns from the difference z(eps) - z*; that is the encoder's": _df(
        lambda z_star, z_eps, q: z_eps - z_star),
    "the decoder learns from all z equally": _df(lambda z_star, z_eps, q: -np.ones_like(q)),
    "the gradients of encoder and decoder are in the wrong order: the encoder's four come first": lambda **case: (
        gradients(**case)[4:] + gradients(**case)[:4]),
    "the noise is left out of the z* from which the decoder learns": lambda weights, x, noise, eps: (
        gradients(weights, x, noise, eps)[:4] + gradients(weights, x, 0 * noise, eps)[4:]),
    "the noise is left out of the encoder's arg maxes": lambda weights, x, noise, eps: (
        gradients(weights, x, 0 * noise, eps)[:4] + gradients(weights, x, noise, eps)[4:]),
}
for _name, _place in (("W1", 0), ("V1", 4), ("V2", 6)):
    SLIPS[f"the encoder's backward pass has {_name} instead of W2"] = (
        lambda _place=_place, **case: gradients(**case, of_x=_place))
for _name, _place in (("V1", 4), ("W1", 0), ("W2", 2)):
    SLIPS[f"the decoder's backward pass has {_name} instead of V2"] = (
        lambda _place=_place, **case: gradients(**case, of_z=_place))


def _single(value: object) -> object:
    if isinstance(value, list):
        return [_single(each) for each in value]
    return value.astype(np.float32) if isinstance(value, np.ndarray) else value


class Gradients(Task):
    """A Task that also checks that the gradients have the precision of x, because training uses float32."""

    def judge(self, module: ModuleType) -> None:
        super().judge(module)
        case = {name: _single(value) if name in ("weights", "x") else value for name, value in self.cases[0].items()}
        made = loading.call(module, self.name, case)
        double = [name for name, each in zip(NAMES, made) if np.asarray(each).dtype != np.float32]
        if double:
            raise Problem("`gradients` is wrong.  Likely slip: the gradients became float64: dh or da is missing "
                          ".astype(x.dtype).", f"With float32 weights and images, {', '.join(double)} "
                          f"{'are' if len(double) > 1 else 'is'} not float32.  The table np.eye(k, dtype=x.dtype) has "
                          "to be float32, here and in your 10_encoder_decoder.py.")


GRADIENTS = Gradients("gradients", one_page.gradients, CASES, SLIPS, outputs=NAMES, factors={
    "B": lambda x, **rest: len(x), "eps": lambda eps, **rest: eps})


def step(weights, M, V, t, x, noise, eps, rate, sign=1.0, **keywords) -> tuple[list, list, list]:
    """Return the weights, M and V after the step.  `sign` and the keywords of adam.adam make slips."""
    grads = [sign * each for each in one_page.gradients(weights, x, noise, eps)]
    return adam.adam(weights, grads, M, V, t, rate, **keywords)


def _step_case(case: dict[str, object], t: int) -> dict[str, object]:
    M = [0.1 * np.roll(each, 1) for each in case["weights"]]
    V = [0.01 * each**2 + 0.001 for each in case["weights"]]
    rest = {name: case[name] for name in ("x", "noise", "eps")}
    return {"weights": case["weights"], "M": M, "V": V, "t": t} | rest | {"rate": 0.05}


STEP = Task("step", step, [_step_case(CASES[0], 1), _step_case(CASES[1], 3)], {
    "eps and rate are exchanged": lambda eps, rate, **case: step(eps=rate, rate=eps, **case),
    "eps is used as the learning rate": lambda eps, rate, **case: step(eps=eps, rate=eps, **case),
    "t is 1 in every step; the t that is given must go to adam": lambda t, **case: step(t=1, **case),
    "adam gets t + 1; t counts from 1 already": lambda t, **case: step(t=t + 1, **case),
    "adam gets M and V in the wrong order": lambda M, V, **case: step(M=V, V=M, **case),
    "the step goes along the gradient: its sign was changed before adam, which changes it again": lambda **case: step(
        **case, sign=-1.0),
    "M and V are forgotten: adam gets zeros instead of them": lambda M, V, **case: step(
        M=[0 * each for each in M], V=[0 * each for each in V], **case),
    "the old M and V are returned, and must be those of adam": lambda **case: step(**case, keep=("weights",)),
    "the old weights are returned, and must be those of adam": lambda **case: step(**case, keep=("M", "V")),
    "the noise is left out": lambda noise, **case: step(noise=0 * noise, **case),
}, outputs=("weights", "M", "V"))

TASKS = GRADIENTS, STEP
