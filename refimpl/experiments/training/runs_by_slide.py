"""Define the labels and the settings of the runs for the paper's comparisons and for further comparisons.

    binary        slide 31, 15 binary variables: `direct`, the other estimators on the slide, and newer estimators
    joint         slides 29 and 30, n = 8 and 12: coordinate-wise and joint arg max, local expectation, exact gradient
    structured    slide 32: encoders without pair scores, with non-negative pair scores, and with scores of any sign
    latent_sizes  supplement, figure 1: k = 20, 30, 40, 50
    convergence   slides 23 and 24, k = 10 and 50: the bound against epochs and against wall-clock time
    plateau       four encoder gradients, each with two signals for the decoder, to find why `direct` leaves the plateau
    plateau_exits which part of the bias is enough to leave the plateau, with and without the KL gradient
    plateau_tests the runs of plateau_exits with other settings, for example another learning rate
    tuning        `direct`, `exact` and Gumbel-softmax, each with several settings, to find the best setting

The runs of slide 33 are in semi_supervised.py, and the runs on the faces are in experiments/faces/experiment.py.
"""
from __future__ import annotations

from refimpl.arguments import Options
from refimpl.experiments.training.cells import Cell
from refimpl.runs.vae import VAESettings


def _cell(label: str, dataset: str, seed: int, **settings) -> Cell:
    """Return a run.  The other keyword arguments are fields of VAESettings or hyperparameters of the estimator."""
    fields = VAESettings.__dataclass_fields__
    own = Options({name: value for name, value in settings.items() if name not in fields})
    settings = {name: value for name, value in settings.items() if name in fields}
    return Cell(label, VAESettings(dataset=dataset, seed=seed, exact_every=10, hyperparameters=own,
                                   **settings).resolved())


BINARY = ("direct", "local-expectation", "rebar", "relax", "arm", "disarm", "reinforce-loo", "gumbel-softmax",
          "reinmax", "imle", "local-tilted")


def binary(dataset: str, seed: int) -> list[Cell]:
    made = [_cell(name, dataset, seed, estimator=name, n=15, k=2) for name in BINARY]
    made.append(_cell("gumbel-softmax with tau 0.1", dataset, seed, estimator="gumbel-softmax", n=15, k=2, tau=0.1))
    made.append(_cell("direct, no KL", dataset, seed, estimator="direct", n=15, k=2, kl_grad=False))
    made.append(_cell("direct as released", dataset, seed, estimator="direct", n=15, k=2, as_released=True))
    for name in ("rebar", "relax"):                         # with one of the released settings, and with all
        made.append(_cell(f"{name}, batch mean", dataset, seed, estimator=name, n=15, k=2, batch_mean=True))
        made.append(_cell(f"{name} as released", dataset, seed, estimator=name, n=15, k=2, as_released=True))
    return made


def joint(dataset: str, seed: int) -> list[Cell]:
    return [_cell(f"{name}, n = {n}", dataset, seed, estimator=name, n=n, k=2)
            for n in (8, 12) for name in ("direct", "direct-joint", "local-expectation", "exact")]


def structured(dataset: str, seed: int) -> list[Cell]:
    def pairwise(label: str, **chosen) -> Cell:
        return _cell(label, dataset, seed, n=15, k=2, family="pairwise", family_options=Options(chosen))

    return [_cell("unstructured", dataset, seed, n=15, k=2),
            _cell("unstructured, no KL", dataset, seed, n=15, k=2, kl_grad=False),
            pairwise("pairwise, w >= 0", solver="persistency"),
            pairwise("pairwise, w >= 0, start 0", solver="persistency", pair_start=0.0),
            pairwise("pairwise, any sign", solver="enumeration", non_negative=False),
            pairwise("pairwise, any sign, start 0.05", solver="enumeration", non_negative=False, pair_start=0.05),
            pairwise("pairwise, w >= 0, start -1", solver="persistency", pair_start=-1.0),
            pairwise("pairwise, w >= 0, start -6", solver="persistency", pair_start=-6.0),
            pairwise("pairwise, w >= 0, absolute", solver="persistency", absolute=True)]


def latent_sizes(dataset: str, seed: int) -> list[Cell]:
    return [_cell(f"{name}, k = {k}", dataset, seed, estimator=name, k=k)
            for k in (20, 30, 40, 50) for name in ("direct", "exact", "gumbel-softmax")]


def convergence(dataset: str, seed: int) -> list[Cell]:
    made = []
    for k in (10, 50):
        made += [_cell(f"{name}, k = {k}", dataset, seed, estimator=name, k=k)
                 for name in ("direct", "exact", "gumbel-softmax")]
        made.append(_cell(f"gumbel-softmax with tau 0.1, k = {k}", dataset, seed, estimator="gumbel-softmax", k=k,
                          tau=0.1))
        # The Gumbel-softmax of the slides is the straight-through one of the released code.
        made += [_cell(f"{words} as released, k = {k}", dataset, seed, estimator=name, k=k, as_released=True)
                 for words, name in (("direct", "direct"), ("gumbel-softmax", "gumbel-softmax"),
                                     ("straight-through", "straight-through-gumbel-softmax"))]
        # The released direct differs from ours in two settings.  Each of these two runs has one released setting.
        made += [_cell(f"direct without KL, k = {k}", dataset, seed, estimator="direct", k=k, kl_grad=False),
                 _cell(f"direct with falling eps, k = {k}", dataset, seed, estimator="direct", k=k,
                       schedule="released")]
    return made


def plateau(dataset: str, seed: int) -> list[Cell]:
    """Return runs of four gradients: `exact`, `tilted` (biased), `noisy-exact` (noisy) and `direct` (biased and noisy).

    Each gradient has a run in which the decoder learns from q, and a run in which the decoder learns from z*.
    """
    own = {"exact": "q", "tilted": "q", "direct": "z_star", "noisy-exact": "z_star"}
    return [_cell(f"{name}, decoder {words}", dataset, seed, estimator=name, k=10,
                  learn_from=None if own[name] == signal else signal)
            for signal, words in (("q", "q"), ("z_star", "z*")) for name in own]


TILTS = ("tilted", "capped", "amplified", "noisy-exact", "direct")


def plateau_exits(dataset: str, seed: int) -> list[Cell]:
    """Return runs that differ only in the encoder's gradient.  In all these runs, the decoder learns from q."""
    cells = []
    for kl_grad, words in ((True, ""), (False, ", no KL")):
        cells.append(_cell(f"exact{words}", dataset, seed, estimator="exact", k=10, kl_grad=kl_grad))
        for eps in (0.1, 1.0):
            for name in TILTS:
                signal = "q" if name in ("noisy-exact", "direct") else None     # q is the default of the others
                cells.append(_cell(f"{name}, eps {eps:g}{words}", dataset, seed, estimator=name, k=10, eps=eps,
                                   kl_grad=kl_grad, learn_from=signal))
    return cells


KL_WEIGHTS = (0.1, 0.2, 0.4, 0.6, 0.8)
CHANGES = {"lr 0.0003": {"lr": 3e-4}, "lr 0.003": {"lr": 3e-3}, "k 50": {"k": 50},
           "decoder z*": {"learn_from": "z_star"}, **{f"momentum lr {lr:g}": {"optimiser": "momentum", "lr": lr}
                                                      for lr in (0.03, 0.1, 0.3, 1.0)}}


def plateau_tests(dataset: str, seed: int) -> list[Cell]:
    """Return three groups of runs: with the changes in CHANGES, with other KL weights, and with relaxed gradients.

    The relaxed gradients have tau = 1, as at the start of the released schedule.
    """
    cells = [_cell(f"{name}, {words}", dataset, seed, estimator=name, **{"k": 10} | changed,
                   **{} if name == "exact" else {"eps": 0.1})
             for words, changed in CHANGES.items() for name in ("exact", "capped", "amplified")]
    cells += [_cell(f"direct, {words}", dataset, seed, estimator="direct", k=10, eps=0.1, learn_from="q", **changed)
              for words, changed in CHANGES.items() if "optimiser" in changed]
    cells += [_cell(f"capped, KL weight {weight:g}", dataset, seed, estimator="capped", k=10, eps=0.1,
                    kl_weight=weight) for weight in KL_WEIGHTS]
    return cells + [_cell(f"{words} tau 1, {changed}", dataset, seed, estimator=name, k=10, tau=1.0, **settings)
                    for words, name in (("gumbel-softmax", "gumbel-softmax"),
                                        ("straight-through", "straight-through-gumbel-softmax"))
                    for changed, settings in (("Adam lr 0.001", {}), ("momentum lr 0.1", CHANGES["momentum lr 0.1"]))]


LEARNING_RATES = (3e-4, 1e-3, 3e-3)
TUNED = {"direct": [{"eps": eps} for eps in (0.03, 0.1, 0.3, 1.0)], "exact": [{}],
         "gumbel-softmax": [{"tau": tau} for tau in (0.25, 0.5, 1.0)]}


def tuning(dataset: str, seed: int) -> list[Cell]:
    made = []
    for k in (10, 50):
        for name, choices in TUNED.items():
            for chosen in choices:
                for lr in LEARNING_RATES:
                    words = [f"{setting} {value:g}" for setting, value in {**chosen, "lr": lr}.items()]
                    made.append(_cell(", ".join([name, f"k = {k}", *words]), dataset, seed, estimator=name, k=k, lr=lr,
                                      **chosen))
    return made
