"""One file that holds a run: weights, Adam's moments, the generator's state, the settings and the metrics so far.

Being one file, written in one step, it cannot disagree with itself: metrics.csv and the pictures are made from it.
"""
from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from refimpl.checks import InputError
from refimpl.files import read_arrays, write_whole
from refimpl.models.categorical import CategoricalVAE
from refimpl.nn.adam import Adam
from refimpl.settings import Settings

FORMAT = "refimpl categorical 1"
FOREIGN = "is truncated, damaged, or not a checkpoint of this program"
COLUMNS = ("epoch", "step", "train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap", "epsilon", "seconds")


def save(path: Path, settings: Settings, model: CategoricalVAE, adam: Adam, rng: np.random.Generator,
         history: np.ndarray) -> None:
    """Write everything that the next epoch depends on, whole or not at all."""
    content = {"format": FORMAT, "settings": json.dumps(asdict(settings)), "values": model.values, "adam_M": adam.M,
               "adam_V": adam.V, "adam_t": adam.t, "rng": json.dumps(rng.bit_generator.state), "history": history}
    write_whole(path, lambda stream: np.savez(stream, **content))


def read_settings(path: Path) -> Settings:
    """The settings that a checkpoint was made with."""
    return _settings(_read(path), path)


def load(path: Path, settings: Settings | None = None) -> tuple[Settings, CategoricalVAE, Adam, np.random.Generator,
                                                                np.ndarray]:
    """(settings, model, Adam, generator, history) of a checkpoint.

    Raises InputError, one line, if the file is missing, truncated, foreign, or, where `settings` are given, was made
    with others.
    """
    content = _read(path)
    saved = _settings(content, path)
    if settings is not None and settings != saved:
        differing = [f"{name} is {old}, not {new}" for (name, old), new
                     in zip(asdict(saved).items(), asdict(settings).values()) if old != new]
        raise InputError(f"{path} was made with other settings: {'; '.join(differing)}")
    model = CategoricalVAE(saved.k, saved.hidden)
    adam = Adam(model.values, model.grads, saved.lr)
    for name, target in (("values", model.values), ("adam_M", adam.M), ("adam_V", adam.V)):
        if content[name].shape != target.shape or content[name].dtype != target.dtype:
            raise _foreign(path)
        target[...] = content[name]
    history = content["history"]
    if history.ndim != 2 or history.shape[1] != len(COLUMNS) or history.dtype != np.float64:
        raise _foreign(path)
    rng = np.random.default_rng(0)
    try:
        adam.t = int(content["adam_t"])
        rng.bit_generator.state = json.loads(str(content["rng"]))
    except (ValueError, TypeError, KeyError):
        raise _foreign(path) from None
    return saved, model, adam, rng, history


def _foreign(path: Path) -> InputError:
    return InputError(f"{path} {FOREIGN}")


def _read(path: Path) -> dict[str, np.ndarray]:
    content = read_arrays(path, missing="is missing: there is no run to continue here", damaged=FOREIGN)
    expected = {"format", "settings", "values", "adam_M", "adam_V", "adam_t", "rng", "history"}
    if set(content) != expected or str(content["format"]) != FORMAT:
        raise _foreign(path)
    return content


def _settings(content: dict[str, np.ndarray], path: Path) -> Settings:
    try:
        return Settings(**json.loads(str(content["settings"]))).resolved()
    except (ValueError, TypeError):
        raise _foreign(path) from None
