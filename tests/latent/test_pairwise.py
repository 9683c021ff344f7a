"""The structured encoder: the gradient through its solver, Gumbel-softmax over joint values, and the whole model."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import gumbel
from refimpl.latent import solvers
from refimpl.latent.solvers import base, enumeration
from refimpl.estimators import structured
from refimpl.models.structured import StructuredVAE
from refimpl.models.toy import Toy
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import z_scores

N, PIXELS, BATCH = 4, 12, 6


@pytest.fixture(params=["enumeration", "maxflow", "persistency"])
def model(request, rng):
    model = StructuredVAE(N, solvers.get(request.param), True, 7, PIXELS, np.float64)
    model.initialise(rng)
    model.values *= 3
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def test_without_pair_scores_it_is_the_coordinate_wise_direct_gradient(rng):
    """w = 0: the same noise gives the same gradient as the factorised estimator on h = (0, u)."""
    from refimpl import estimators

    u, toy = rng.normal(size=(50, N)), Toy(50, N, 2, rng)
    w = np.zeros((50, N * (N - 1) // 2))
    ours = structured.direct_estimate(u, w, toy, np.random.default_rng(3), eps=0.4, argmax=enumeration.argmax)
    h = np.stack([np.zeros_like(u), u], axis=-1)
    theirs = estimators.get("direct").estimate(h, toy, np.random.default_rng(3), eps=0.4)
    assert np.allclose(ours.grad_u, theirs.grad_h[..., 1])
    assert (ours.latent.z == theirs.latent.z).all()


def linear_objective(c):
    """f(z) = c . z: single changes around z* then say all there is to know, and coordinate-wise and joint agree."""
    class Linear(Toy):
        def __init__(self):
            self.n, self.k, self.evaluations = c.shape[1], 2, 0

        def table(self, z=None):
            base_f = (c * z[..., 1]).sum(axis=1)[:, None]
            off = base_f - c * z[..., 1]
            return np.stack([off, off + c], axis=-1)

        def joint_table(self):
            return c @ enumeration.all_values(self.n).T

    return Linear()


def test_joint_and_coordinate_wise_agree_for_linear_f(rng):
    u, w, c = rng.normal(size=(40, N)), rng.normal(size=(40, 6)), rng.normal(size=(40, N))
    one, other = (function(u, w, linear_objective(c), np.random.default_rng(1), eps=0.5, argmax=enumeration.argmax)
                  for function in (structured.direct_estimate, structured.direct_joint_estimate))
    assert (one.grad_u == other.grad_u).all() and (one.grad_w == other.grad_w).all()


def test_mean_gradient_is_that_of_the_tilted_objective(rng):
    """T(u, w) = (E max(S + eps f) - E max S) / eps for linear f; by differences with common noise against sampled gradients."""
    n, times, eps = 3, 400_000, 0.5
    u, w, c = rng.normal(size=(1, n)), rng.normal(size=(1, 3)), rng.normal(size=(1, n))
    many = lambda a: np.broadcast_to(a, (times, a.shape[1]))
    estimate = structured.direct_estimate(many(u), many(w), linear_objective(many(c)), np.random.default_rng(0), eps=eps,
                                          argmax=enumeration.argmax)
    perturbed = structured.perturb(np.zeros((times, n)), np.random.default_rng(0))

    def tilted(u, w):
        top = lambda v: enumeration.all_scores(many(v) + perturbed, many(w)).max(axis=1).mean()
        return (top(u + eps * c) - top(u)) / eps

    for array, grads in ((u, estimate.grad_u), (w, estimate.grad_w)):
        for place in range(array.shape[1]):
            step = np.zeros_like(array)
            step[0, place] = 1e-4
            difference = (tilted(u + step, w) - tilted(u - step, w)) / 2e-4 if array is u else \
                (tilted(u, w + step) - tilted(u, w - step)) / 2e-4
            assert abs(grads[:, place].mean() - difference) < 0.02 * np.abs(grads.mean(axis=0)).max() + 1e-3


def test_gumbel_softmax_over_joint_values_is_the_derivative_of_its_score(rng):
    u, w, toy = rng.normal(size=(5, N)), rng.normal(size=(5, 6)), Toy(5, N, 2, rng)

    def loss():
        scores = enumeration.all_scores(u, w)
        weights = softmax((scores + gumbel.sample(scores.shape, np.random.default_rng(2))) / 0.7, axis=1)
        return toy.score(structured.to_one_hot(weights @ enumeration.all_values(N))).sum()

    estimate = structured.gumbel_softmax_estimate(u, w, toy, np.random.default_rng(2), tau=0.7)
    assert worst(gradcheck(loss, u, estimate.grad_u, rng)) < 1e-7
    assert worst(gradcheck(loss, w, estimate.grad_w, rng)) < 1e-7


def test_whole_model_with_gumbel_softmax(x, rng):
    """Encoder, softplus, joint softmax, decoder: all of it against differences of the loss, with the noise fixed."""
    model = StructuredVAE(N, solvers.get("enumeration"), True, 7, PIXELS, np.float64)
    model.initialise(rng)
    model.values *= 3

    def loss():
        u, w, _ = model.encode(x)
        scores = enumeration.all_scores(u, w)
        weights = softmax((scores + gumbel.sample(scores.shape, np.random.default_rng(2))) / 0.7, axis=1)
        return -model.objective(x).score(structured.to_one_hot(weights @ enumeration.all_values(N))).mean()

    model.backward(x, structured.gumbel_softmax_estimate, np.random.default_rng(2), tau=0.7)
    assert worst(gradcheck(loss, model.values, model.grads, rng)) < 1e-7


def test_encoder_gradient_is_the_chain_rule_from_the_estimate(model, x, rng):
    """Fixed grad_u, grad_w: the encoder's gradient is that of -1/B sum (grad_u . u + grad_w . w)."""
    fixed = structured.StructuredEstimate(rng.normal(size=(BATCH, N)), rng.normal(size=(BATCH, 6)), None)

    def estimate(u, w, objective, rng, argmax):
        z = structured.to_one_hot(argmax(u, w))
        objective.score(z)
        return fixed._replace(latent=structured.Point(z))

    model.backward(x, estimate, rng)

    def loss():
        u, w, _ = model.encode(x)
        return -((fixed.grad_u * u).sum() + (fixed.grad_w * w).sum()) / BATCH

    values = model.values[: model.encoder.n_parameters]
    assert worst(gradcheck(loss, values, model.encoder_grads.copy(), rng)) < 1e-7


def test_all_solvers_train_the_same_model(x):
    """Same noise, same maximiser, same gradient."""
    grads = []
    for name in ("enumeration", "maxflow", "persistency", "milp"):
        model = StructuredVAE(N, solvers.get(name), True, 7, PIXELS, np.float64)
        model.initialise(np.random.default_rng(0))
        model.backward(x, structured.direct_estimate, np.random.default_rng(1), eps=0.3)
        grads.append(model.grads.copy())
    for other in grads[1:]:
        assert np.allclose(other, grads[0], atol=1e-12)


def test_released_loss_is_a_mean_over_images(model, rng):
    x = (rng.random((50, PIXELS)) < 0.4).astype(float)

    class Images:
        def __len__(self):
            return 50

        def images(self, rows, dtype):
            return x[rows].astype(dtype)

    draws = np.array([model.released_loss(Images(), np.random.default_rng(seed), block) for seed in range(40)
                      for block in (7, 50)]).reshape(40, 2)
    assert abs(z_scores(draws[:, 0] - draws[:, 1], 0.0)) < 4


def test_bad_arguments():
    for arguments in ((1, solvers.get("enumeration"), True), (21, solvers.get("enumeration"), True),
                      (5, solvers.get("maxflow"), False)):
        with pytest.raises(ValueError):
            StructuredVAE(*arguments)
    assert base.pairs(3)[0].tolist() == [0, 0, 1]
