"""The gradient estimators, by name.  One file an idea, one signature (see base.py), one entry here."""
from __future__ import annotations

from refimpl.checks import InputError
from refimpl.estimators import (arm, direct, exact, gumbel_softmax, halves, imle, local_expectation, local_tilted,
                                noisy_exact, perturbed, rebar, reinforce, reinmax, relax, tilted)
from refimpl.estimators.base import Estimate, Estimator, JointTable, Latent, Memory, Objective, Pass, Table

__all__ = ["REGISTRY", "Estimate", "Estimator", "JointTable", "Latent", "Memory", "Objective", "Pass", "Table", "get"]

NO_KL = {"kl_grad": False}              # the released code trains direct without the gradient of the KL term
BATCH_MEAN = {"batch_mean": True}       # and its baselines on the batch's mean score

# Colours: Okabe and Ito's palette (Color Universal Design, 2008) and neighbours of it, safe for the colour-blind.
REGISTRY: dict[str, Estimator] = {entry.name: entry for entry in (
    Estimator("exact", exact.estimate, "enumeration of all joint values; no noise", unbiased=True, colour="#000000",
              enumerates=True),
    Estimator("direct", direct.estimate, "difference of two arg maxes (Theorem 1)", unbiased=False, colour="#D55E00",
              setting="eps", default=0.1, any_family=True, released=NO_KL),
    Estimator("two-sided", direct.two_sided_estimate, "direct with both signs of eps", unbiased=False,
              colour="#E69F00", setting="eps", default=0.1, any_family=True, released=NO_KL),
    Estimator("direct-joint", direct.joint_estimate, "direct with the exact joint arg max (slide 29)", unbiased=False,
              colour="#8C3B00", setting="eps", default=0.1, any_family=True, enumerates=True, released=NO_KL),
    Estimator("tilted", tilted.estimate, "direct's mean at finite eps by enumeration; no noise", unbiased=False,
              colour="#B8860B", setting="eps", default=0.1, enumerates=True, released=NO_KL),
    Estimator("capped", halves.capped_estimate, "the half of the tilt that bounds the push on worse values; no noise",
              unbiased=False, colour="#1B7837", setting="eps", default=0.1, enumerates=True, released=NO_KL),
    Estimator("amplified", halves.amplified_estimate,
              "the half of the tilt that magnifies the pull of better values; no noise", unbiased=False,
              colour="#762A83", setting="eps", default=0.1, enumerates=True, released=NO_KL),
    Estimator("noisy-exact", noisy_exact.estimate, "exact, plus direct's noise without its mean", unbiased=True,
              colour="#6A51A3", setting="eps", default=0.1, enumerates=True, released=NO_KL),
    Estimator("imle", imle.estimate, "direct with f linearised at z*: one evaluation", unbiased=False,
              colour="#A6761D", setting="eps", default=0.1, any_family=True, released=NO_KL),
    Estimator("gumbel-softmax", gumbel_softmax.estimate, "the arg max relaxed to a softmax", unbiased=False,
              colour="#0072B2", setting="tau", default=0.5, any_family=True),
    Estimator("straight-through-gumbel-softmax", gumbel_softmax.straight_through_estimate,
              "hard sample forward, relaxed sample backward", unbiased=False, colour="#56B4E9", setting="tau",
              default=0.5),
    Estimator("reinmax", reinmax.estimate, "straight-through with a second-order correction", unbiased=False,
              colour="#003F5C", setting="tau", default=1.0),
    Estimator("local-expectation", local_expectation.estimate, "one coordinate enumerated, the others sampled",
              unbiased=True, colour="#7F7F7F"),
    Estimator("local-tilted", local_tilted.estimate, "local expectation at finite eps: direct, its noise averaged out",
              unbiased=False, colour="#D4A017", setting="eps", default=0.1, released=NO_KL),
    Estimator("reinforce", reinforce.estimate, "score function, moving-average baseline", unbiased=True,
              colour="#BFBFBF", memory=reinforce.memory),
    Estimator("reinforce-loo", reinforce.leave_one_out_estimate,
              "score function, two samples, each the other's baseline", unbiased=True, colour="#999933"),
    Estimator("perturbed", perturbed.estimate, "score function of the noise, moving-average baseline", unbiased=True,
              colour="#EE3377", memory=perturbed.memory),
    Estimator("rebar", rebar.estimate, "score function, relaxed control variate", unbiased=True, colour="#CC79A7",
              setting="tau", default=0.5, memory=rebar.memory, released=BATCH_MEAN),
    Estimator("relax", relax.estimate, "REBAR with a learnt control variate", unbiased=True, colour="#882255",
              setting="tau", default=0.5, memory=relax.memory, released=BATCH_MEAN),
    Estimator("arm", arm.estimate, "opposed pairs of binary samples", unbiased=True, colour="#009E73", binary=True),
    Estimator("disarm", arm.disarm_estimate, "ARM averaged over what the pair leaves open", unbiased=True,
              colour="#44AA99", binary=True),
)}


def get(name: str) -> Estimator:
    """The estimator of this name; InputError, listing the names, if there is none."""
    if name not in REGISTRY:
        raise InputError(f"unknown estimator {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name]
