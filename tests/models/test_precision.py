"""A float32 model computes in float32 even if an estimator returns float64; reported numbers are float64."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import estimators
from refimpl.latent import solvers
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.models import last_layer, tables
from refimpl.models.inputs import ClassRow
from refimpl.models.inputs import OneHots
from refimpl.models.mixture import MixtureVAE
from refimpl.models.neighbours import neighbour_scores
from refimpl.models.vae import VAE
from refimpl.nn.layers import Linear
from refimpl.nn.losses import gaussian_kl

PIXELS, BATCH = 12, 5
MODELS = {"one variable": lambda: VAE(Independent(1, 4), 7, PIXELS),
          "several": lambda: VAE(Independent(3, 2), 7, PIXELS),
          "pairs": lambda: VAE(Pairwise(3, solvers.get("enumeration"), True), 7, PIXELS),
          "mixture": lambda: MixtureVAE(3, (6, 8), PIXELS, (8, 7), 5, 4),
          "attributes": lambda: MixtureVAE(3, (6, 8), PIXELS, (8, 7), 5, 2, n=3)}


class Few:
    """Images with the methods of data.Part that the model uses."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def blocks(self, size, dtype):
        return (self.x[start:start + size].astype(dtype) for start in range(0, len(self.x), size))


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(np.float32)


@pytest.fixture
def dtypes(monkeypatch):
    """Record the dtypes of all arrays that functions of layers and scores receive, by the name of the function."""
    dtypes = {}

    def watch(owner, name):
        right = getattr(owner, name)

        def watched(*arguments, **more):
            kinds = dtypes.setdefault(name, set())
            kinds.update(a.dtype for a in arguments if isinstance(a, np.ndarray))
            return right(*arguments, **more)
        monkeypatch.setattr(owner, name, watched)

    for name in ("forward", "backward", "accumulate", "add"):
        watch(Linear, name)
    watch(last_layer, "scores")
    watch(tables, "bernoulli_score_table_backward")
    return dtypes


@pytest.mark.parametrize("estimator", ["exact", "direct", "direct-joint", "gumbel-softmax"])
@pytest.mark.parametrize("name", MODELS)
def test_layers_and_scores_receive_float32_only(name, estimator, x, dtypes, rng):
    model, entry = MODELS[name](), estimators.get(estimator)
    if not entry.serves(getattr(model, "family")):
        pytest.skip("needs independent variables")
    model.initialise(rng)
    model.backward(x, entry, rng, name != "pairs", **({entry.temperature: 0.5} if entry.temperature else {}))
    assert {"forward", "backward", "accumulate"} <= set(dtypes)
    assert {kind for kinds in dtypes.values() for kind in kinds} == {np.dtype(np.float32)}, dtypes
    assert model.parameters.grads.dtype == np.float32


def test_scores_and_gradients_are_float32(x, rng):
    model = MODELS["several"]()
    model.initialise(rng)
    z = np.eye(2)[rng.integers(2, size=(BATCH, 3))]                          # float64, as returned by estimators
    objective = model.objective(x)
    run = objective.run(z)
    assert {a.dtype for a in (run.z, run.f, run.df_dz(), objective.table(z).f, objective.joint_table().f)} == {x.dtype}
    neighbours, f = neighbour_scores(model.decoder, OneHots(model.n, 2), x, z.argmax(axis=-1))
    assert f.dtype == np.float32 and neighbours.dtype.kind == "i"
    mixture = MODELS["mixture"]()
    mixture.initialise(rng)
    draw = mixture.encode(x, rng)
    assert {a.dtype for a in draw[3:] + (draw.h, draw.mu)} == {x.dtype}
    assert mixture.objective(x, draw.g).joint_table().f.dtype == ClassRow(4, draw.g).dg.dtype == np.float32


def test_reported_numbers_are_summed_in_float64(rng):
    """The sums agree to 1e-12; sums in float32 would only agree to 1e-7."""
    x = (rng.random((90, PIXELS)) < 0.4).astype(np.float32)
    model = MODELS["several"]()
    model.initialise(rng)
    theta, f = model.score_all(x)                                           # for exact expectations
    assert theta.dtype == f.dtype == np.float64
    a = model.decode_all().astype(float)
    np.testing.assert_allclose(f, x.astype(float) @ a.T - np.logaddexp(0, a).sum(axis=1), rtol=1e-12)
    noise = np.random.default_rng(3)
    h = model.encode(x)
    values = model.objective(x).run(model.family.sample(h, noise)).f - model.family.unary_kl(h)
    elbo = model.sampled_elbo(Few(x), np.random.default_rng(3))
    assert elbo == pytest.approx(values.astype(float).mean(), rel=1e-12)
    mixture = MODELS["mixture"]()
    mixture.initialise(rng)
    draw, bound = mixture.encode(x, np.random.default_rng(3)), mixture.bound(Few(x), np.random.default_rng(3))
    gaussian, q = gaussian_kl(draw.mu, draw.log_var)[0], softmax(draw.h[:, 0].astype(float), axis=1)
    assert bound.gaussian_kl == pytest.approx(gaussian.astype(float).mean(), rel=1e-12)
    assert bound.class_kl == pytest.approx((q * np.log(4 * q)).sum(axis=1).mean(), rel=1e-9)
