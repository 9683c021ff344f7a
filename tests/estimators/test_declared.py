"""What estimators declare: the order of their bias in eps, and the families that they serve."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refimpl import direct, estimators, exact, latent
from refimpl.arguments import InputError
from refimpl.estimators.base import independent
from refimpl.models.toy import Toy
from tests.estimators import laws
from tests.settings import vae

EPSILONS = np.geomspace(1e-3, 1e-2, 4)      # small enough for the leading order, large enough for rounding
IMAGES, K = 6, 4                            # one variable: then the table of single changes contains all values
OF_EPS = [name for name, entry in estimators.REGISTRY.items() if "eps" in entry.hyperparameters]


def problem() -> tuple[np.ndarray, Toy]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(IMAGES, 1, K)), Toy(IMAGES, 1, K, rng)


def mean(name: str, eps: float) -> np.ndarray:
    """Return the exact mean of the estimate, (IMAGES, K).

    test_laws.py compares the estimators with these laws.  Without noise the mean is the estimate itself.
    """
    h, toy = problem()
    f = toy.joint_table().f
    if name in ("direct", "direct-joint", "local-tilted"):
        return direct.expected_gradient(h[:, 0], f, eps)
    if name == "two-sided":
        return (direct.expected_gradient(h[:, 0], f, eps) - direct.expected_gradient(h[:, 0], -f, eps)) / 2
    if name in ("tilted", "capped", "amplified"):
        return estimators.get(name).estimate(h, toy, np.random.default_rng(0), eps=eps).grad[:, 0]
    if name == "imle":
        return np.stack([laws.imle(h[image], toy.repeated(image, 1), eps)[0] for image in range(IMAGES)])
    raise KeyError(f"{name} has eps, but this function does not compute its exact mean yet")


def biases(name: str) -> np.ndarray:
    """Return the norm of the bias over all images, for each of EPSILONS."""
    h, toy = problem()
    truth = exact.gradient(h[:, 0], toy.joint_table().f)
    return np.array([np.linalg.norm(mean(name, eps) - truth) for eps in EPSILONS])


def check_order(name: str) -> None:
    """Check that the slope of log |bias| against log eps is the declared order to 3 per cent.

    If no order is declared, the bias must not depend on eps.
    """
    declared, measured = estimators.get(name).bias_order, biases(name)
    slope = np.polyfit(np.log(EPSILONS), np.log(measured), 1)[0]
    if declared is None:
        assert measured.min() > 0.1 and abs(slope) < 0.03
    else:
        assert slope == pytest.approx(declared, rel=0.03) and measured.max() < 0.1


@pytest.mark.parametrize("name", [name for name in OF_EPS if not estimators.get(name).unbiased])
def test_bias_has_the_declared_order_in_eps(name):
    check_order(name)


@pytest.mark.parametrize("name, order", [("direct", 2), ("direct", None), ("two-sided", 1), ("tilted", 2), ("imle", 1),
                                         ("local-tilted", None), ("capped", 2), ("amplified", None)])
def test_wrong_declared_order_of_the_bias_is_detected(monkeypatch, name, order):
    monkeypatch.setitem(estimators.REGISTRY, name, replace(estimators.get(name), bias_order=order))
    with pytest.raises(AssertionError):
        check_order(name)


@pytest.mark.parametrize("eps", [0.05, 1.0])
def test_noisy_exact_has_no_bias(eps):
    """With the same noise it differs from direct by a constant, which is minus the bias of direct."""
    h, toy = problem()
    noisy_exact, of_direct = (estimators.get(name).estimate(h, toy, np.random.default_rng(4), eps=eps).grad[:, 0]
                              for name in ("noisy-exact", "direct"))
    truth = exact.gradient(h[:, 0], toy.joint_table().f)
    np.testing.assert_allclose(noisy_exact - of_direct, truth - mean("direct", eps), rtol=0, atol=1e-12)
    assert np.abs(mean("direct", eps) - truth).max() > 0.01


def test_only_biased_estimators_with_eps_declare_an_order_of_the_bias():
    assert all(entry.bias_order is None or name in OF_EPS and not entry.unbiased
               for name, entry in estimators.REGISTRY.items())


# --- families ---------------------------------------------------------------------------------------------------------

FAMILIES = {"two values": dict(n=4, k=2), "three values": dict(n=2, k=3), "one variable": dict(n=1, k=4),
            "pairs": dict(n=3, k=2, family="pairwise"),
            "pairs of any sign": dict(n=3, k=2, family="pairwise", solver="enumeration", non_negative=False),
            "paths": dict(n=6, k=2, family="paths", rows=2)}


def test_cases_include_every_family():
    assert {settings.get("family", "independent") for settings in FAMILIES.values()} == set(latent.REGISTRY)


def check_serves(name: str, settings: dict[str, object]) -> None:
    """Check that an estimator works with a family that it serves, and that the settings of a run accept it.

    Otherwise the error must be one line that names the estimators that serve the family.
    """
    entry, rng = estimators.get(name), np.random.default_rng(3)
    family = vae(**settings).resolved().make_family()
    if not entry.serves(family):
        serving = [other for other, each in estimators.REGISTRY.items() if each.serves(family)]
        with pytest.raises(InputError) as problem:
            vae(estimator=name, **settings).resolved()
        message = str(problem.value)
        assert message.startswith(f"--estimator {name} does not work with --family") and "\n" not in message
        assert message.endswith("Use one of: " + ", ".join(serving)) and "direct" in serving
        return
    assert vae(estimator=name, **settings).resolved().estimator == name
    theta = family.theta(rng.normal(size=(5, family.outputs)))
    memory = {"memory": entry.memory(family.n, family.k)} if entry.memory else {}
    grad, decoder_term = entry.estimate(theta, Toy(5, family.n, family.k, rng), rng, **entry.defaults, **memory,
                                        **entry.keywords(family))
    assert grad.shape == theta.shape and np.isfinite(grad).all()
    decoder_term.accumulate()


@pytest.mark.parametrize("settings", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("name", list(estimators.REGISTRY))
def test_estimator_works_with_the_families_that_it_serves_and_rejects_the_others(name, settings):
    check_serves(name, settings)


@pytest.mark.parametrize("name, serves, case", [
    ("arm", independent, "three values"), ("gumbel-softmax", lambda family: True, "paths"),
    ("perturbed", lambda family: True, "pairs"), ("rebar", lambda family: True, "pairs")])
def test_estimator_that_declares_too_many_families_is_detected(monkeypatch, name, serves, case):
    monkeypatch.setitem(estimators.REGISTRY, name, replace(estimators.get(name), serves=serves))
    with pytest.raises((TypeError, ValueError)):
        check_serves(name, FAMILIES[case])
