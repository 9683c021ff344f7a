"""The gradient estimators, by name.  base.py describes the signature of all estimators."""
from __future__ import annotations

from refimpl.arguments import COUNTS, InputError, Setting, temperature, unknown
from refimpl.estimators import (arm, bias_halves, direct, exact, gumbel_rao, gumbel_softmax, imle, local_expectation,
                                local_tilted, noisy_exact, perturbed, rebar, reinforce, reinmax, relax, tilted)
from refimpl.estimators.base import (DecoderTerm, Estimate, Estimator, JointTable, Memory, Objective, Pass, Table,
                                     binary, every_family, noise_on_every_score, relaxable)

__all__ = ["REGISTRY", "DecoderTerm", "Estimate", "Estimator", "JointTable", "Memory", "Objective", "Pass", "Setting",
           "Table", "get"]

EPS = {"eps": Setting(float, 0.1, "strength of the perturbation by f, 1/nat", within=temperature)}
RAO = {"samples": Setting(int, gumbel_rao.SAMPLES, "number of draws of the noise given the arg max", least=1,
                         most=COUNTS)}
NO_KL = {"kl_grad": False}              # the paper's released code trains direct without the gradient of the KL term
SIGNAL = {"batch_mean": Setting(bool, False, "use the sum of the batch's scores as the learning signal of every image")}
BATCH_MEAN = {"batch_mean": True}       # as in the paper's released code for its baselines


def tau(default: float) -> dict[str, Setting]:
    """Return the setting for the temperature of a relaxed arg max."""
    return {"tau": Setting(float, default, "temperature of the relaxed arg max", within=temperature)}


# The colours are those of Okabe and Ito (Color Universal Design, 2008) and similar ones, safe for the colour-blind.
REGISTRY: dict[str, Estimator] = {entry.name: entry for entry in (
    Estimator("exact", exact.estimate, "enumeration of all joint values, without noise", unbiased=True, enumerates=True,
              colour="#000000"),
    Estimator("direct", direct.estimate, "difference of two arg maxes (Theorem 1)", unbiased=False, bias_order=1,
              hyperparameters=EPS, serves=every_family, released=NO_KL, colour="#D55E00"),
    Estimator("two-sided", direct.two_sided_estimate, "direct gradient with both signs of eps", unbiased=False,
              bias_order=2, hyperparameters=EPS, serves=every_family, released=NO_KL, colour="#E69F00"),
    Estimator("direct-joint", direct.joint_estimate, "direct gradient with the exact joint arg max (slide 29)",
              unbiased=False, bias_order=1, hyperparameters=EPS, serves=every_family, enumerates=True, released=NO_KL,
              colour="#8C3B00"),
    Estimator("tilted", tilted.estimate, "mean of the direct gradient at finite eps, by enumeration", unbiased=False,
              bias_order=1, hyperparameters=EPS, enumerates=True, released=NO_KL, colour="#B8860B"),
    Estimator("capped", bias_halves.capped_estimate, "exact, with the half of direct's bias that limits worse values",
              unbiased=False, bias_order=1, hyperparameters=EPS, enumerates=True, released=NO_KL, colour="#1B7837"),
    Estimator("amplified", bias_halves.amplified_estimate,
              "exact, with the half of direct's bias that enlarges better values", unbiased=False, bias_order=1,
              hyperparameters=EPS, enumerates=True, released=NO_KL, colour="#762A83"),
    Estimator("noisy-exact", noisy_exact.estimate, "exact gradient plus the noise of the direct gradient",
              unbiased=True, hyperparameters=EPS, enumerates=True, released=NO_KL, colour="#6A51A3"),
    Estimator("imle", imle.estimate, "direct gradient with f linearised at z*, from one evaluation", unbiased=False,
              hyperparameters=EPS, serves=every_family, released=NO_KL, colour="#A6761D"),
    Estimator("gumbel-softmax", gumbel_softmax.estimate, "the arg max relaxed to a softmax", unbiased=False,
              hyperparameters=tau(0.5), serves=relaxable, colour="#0072B2"),
    Estimator("straight-through-gumbel-softmax", gumbel_softmax.straight_through_estimate,
              "one-hot sample forward, relaxed sample backward", unbiased=False, hyperparameters=tau(0.5),
              colour="#56B4E9"),
    Estimator("gumbel-rao", gumbel_rao.estimate, "straight-through, averaged over the noise given the arg max",
              unbiased=False, hyperparameters=tau(0.5) | RAO, colour="#88CCEE"),
    Estimator("reinmax", reinmax.estimate, "straight-through with a second-order correction", unbiased=False,
              hyperparameters=tau(1.0), colour="#003F5C"),
    Estimator("local-expectation", local_expectation.estimate, "enumerates one variable at a time, samples the others",
              unbiased=True, colour="#7F7F7F"),
    Estimator("local-tilted", local_tilted.estimate, "local expectation with the mean of the direct gradient",
              unbiased=False, bias_order=1, hyperparameters=EPS, released=NO_KL, colour="#D4A017"),
    Estimator("reinforce", reinforce.estimate, "score function with a moving-average baseline", unbiased=True,
              memory=reinforce.memory, colour="#BFBFBF"),
    Estimator("reinforce-loo", reinforce.leave_one_out_estimate,
              "score function with two samples, each the baseline of the other", unbiased=True, colour="#999933"),
    Estimator("perturbed", perturbed.estimate, "score function of the noise with a moving-average baseline",
              unbiased=True, serves=noise_on_every_score, memory=perturbed.memory, colour="#EE3377"),
    Estimator("rebar", rebar.estimate, "score function with a relaxed control variate", unbiased=True,
              hyperparameters=tau(0.5) | SIGNAL, memory=rebar.memory, released=BATCH_MEAN, colour="#CC79A7"),
    Estimator("relax", relax.estimate, "REBAR with a learnt control variate", unbiased=True,
              hyperparameters=tau(0.5) | SIGNAL, memory=relax.memory, released=BATCH_MEAN, colour="#882255"),
    Estimator("arm", arm.estimate, "pairs of binary samples from opposite noise", unbiased=True, serves=binary,
              colour="#009E73"),
    Estimator("disarm", arm.disarm_estimate, "ARM, averaged over the noise given the pair", unbiased=True,
              serves=binary, colour="#44AA99"),
)}


def get(name: str) -> Estimator:
    """Return the estimator with this name.  If the name is unknown, raises InputError with a list of all names."""
    if name not in REGISTRY:
        raise InputError(unknown("estimator", name, REGISTRY))
    return REGISTRY[name]
