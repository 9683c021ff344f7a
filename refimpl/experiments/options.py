"""Define the numeric options of the experiments, with their defaults, help texts and ranges.

The command line is built from these definitions, and each run() checks its arguments against them.
"""
from __future__ import annotations

from refimpl.arguments import Setting, in_range
from refimpl.runs.settings import WIDEST


def _seed(of: str, most: int | None = None) -> Setting:
    return Setting(int, 0, f"seed of {of}", 0, most)


def _samples(default: int, least: int, most: int, each: str = "") -> Setting:
    return Setting(int, default, f"number of draws of the noise{each}", least, most)


def _batch(most: int | None, default: int = 100, words: str = "images per step") -> Setting:
    return Setting(int, default, words, 1, most)


OPTIONS: dict[str, dict[str, Setting]] = {
    "verify": {"k": Setting(int, 6, "number of values of z", 2, 50),
               "eps": Setting(float, 0.5, "strength of the perturbation by f in the sampled claims, 1/nat", 1e-3, 1e3),
               "seed": _seed("the problem and of the noise"), "samples": _samples(200_000, 1_000, 100_000_000)},
    "explore": {"eps": Setting(float, 0.3, "strength of the perturbation by f at the start, 1/nat", 0.01, 10),
                "seed": _seed("the noise"), "samples": _samples(2_000, 10, 20_000)},
    "experiment": {"epochs": Setting(int, 10, "epochs of each run", 1, 100_000),
                   "seeds": Setting(int, 1, "number of seeds (0, 1, 2, ...) of each run", 1, 100),
                   "jobs": Setting(int, 1, "number of runs to train at the same time, each in one thread", 1, 64)},
    "variance": {"k": Setting(int, 10, "without --run: number of values of z", 2, WIDEST),
                 "seed": _seed("the noise and, without --run, of the model"),
                 "samples": _samples(100, 5, 1_000, " per point"), "batch": _batch(None, words="images in the batch")},
    "estimators": {"n": Setting(int, 4, "number of latent variables", 1, 12),
                   "k": Setting(int, 2, "number of values of each latent variable", 2, 64),
                   "samples": _samples(400_000, 1_000, 100_000_000, " for each estimator"),
                   "seed": _seed("the toy problem and of the noise")},
    "choose-eps": {"average": Setting(int, 1_000, "number of estimates that are averaged", 2, 100_000),
                   "problems": Setting(int, 50, "number of random problems of each kind", 1, 1_000),
                   "seed": _seed("the problems", 10**9)},
    "joint-argmax": {"n": Setting(int, 8, "number of binary latent variables", 2, 12),
                     "seed": _seed("the model and of the noise"), "samples": _samples(400, 2, 100_000, " at each eps"),
                     "batch": _batch(1_000, 50, "images in the batch")},
    "structured-timing": {"batch": _batch(1_000), "largest": Setting(
        int, 40, "largest n for solvers of polynomial cost (all other solvers stop at 15)", 5, 40)},
    "plateau-steps": {"seeds": Setting(int, 5, "number of seeds (0, 1, 2, ...) of each run", 1, 100),
                      "steps": Setting(int, 1_000, "training steps of 100 images", 1, 100_000)},
    "plateau-forces": {"seeds": Setting(int, 3, "number of seeds (0, 1, 2, ...) of each run", 1, 100),
                       "steps": Setting(int, 1_000, "training steps of 100 images", 1, 100_000)},
    "relaxation": {"epochs": Setting(int, 60, "epochs of each run", 1, 100_000),
                   "seeds": Setting(int, 1, "number of seeds (0, 1, 2, ...) of each run", 1, 100)},
    "yardsticks": {"repetitions": Setting(int, 10, "number of repetitions of each sampled bound", 2, 1_000),
                   "images": Setting(int, 2_000, "number of test images", 1, 10_000)},
    "subset": {"k": Setting(int, 10, "number of pixels that are chosen per image", 1, 784),
               "steps": Setting(int, 300, "training steps of 50 images", 1, 100_000),
               "seeds": Setting(int, 3, "number of seeds (0, 1, 2, ...) of each method", 1, 100)},
    "codes": {"images": Setting(int, 2_000, "number of test images for which a z is drawn", 1)},
    "benchmark": {"batch": _batch(10_000), "steps": Setting(int, 30, "training steps per round", 1),
                  "rounds": Setting(int, 7, "number of rounds over which the median is taken", 1)},
    "faces-sheet": {"faces": Setting(int, 8, "number of faces, one per row", 1, 100)}}


def check(command: str, **values: float) -> None:
    """Raise InputError if the value of an option of `command` is out of range."""
    for name, value in values.items():
        declared = OPTIONS[command][name]
        in_range(f"--{name}", value, declared.least, declared.most)
