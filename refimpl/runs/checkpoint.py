"""One file that holds a run: weights, Adam's moments, the estimator's memory, the generator's state, settings, metrics.

Being one file, written in one step, it cannot disagree with itself: metrics.csv and the pictures are made from it.
"""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from refimpl.checks import InputError
from refimpl.runs import KINDS, kind_of
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings, unregistered
from refimpl.system.files import read_arrays, write_whole

FILE = "checkpoint.npz"
FOREIGN = "is truncated, damaged, or not a checkpoint of this program"
EARLIER = ("refimpl run 1", "refimpl run 2", "refimpl run 3", "refimpl semi-supervised run 1",
           "refimpl semi-supervised run 2")       # what earlier versions wrote
MEMORY = "memory_"


def save(path: Path, run: Run, history: np.ndarray) -> None:
    """Write everything that the next epoch depends on, whole or not at all."""
    content = {"format": run.FORMAT, "settings": json.dumps(run.settings.as_dict()),
               "values": run.model.parameters.values,
               "adam_M": run.adam.M, "adam_V": run.adam.V, "adam_t": run.adam.t,
               "rng": json.dumps(run.rng.bit_generator.state), "history": history,
               **{MEMORY + name: array for name, array in run.memory.items()}}
    write_whole(path, lambda stream: np.savez(stream, **content))


def load(path: Path, settings: RunSettings | None = None, kind: type[Run] | None = None,
         missing: str = "is missing: there is no run to continue here") -> tuple[Run, np.ndarray]:
    """The run and its history, (epochs, columns).

    Raises InputError, one line, if the file is missing, truncated, foreign, of an earlier version, or, where `settings`
    are given, was made with others, or, where `kind` is given, is a run of another kind.
    """
    kind = kind_of(settings) if settings is not None else kind
    foreign = InputError(f"{path} {FOREIGN}")
    content = read_arrays(path, missing=missing, damaged=FOREIGN)
    try:
        name = str(content["format"])
        if name in EARLIER:
            raise InputError(f"{path} was made by an earlier version of this program, which kept runs otherwise; "
                             "train it again in another folder")
        saved_kind = {made.FORMAT: made for made in KINDS.values()}.get(name)
        if saved_kind is None:
            raise foreign
        if kind is not None and saved_kind is not kind:
            raise InputError(f"{path} is a run of the command {saved_kind.COMMAND}; "
                             f"one of {kind.COMMAND} is needed here")
        saved = _settings(saved_kind.SETTINGS, str(content["settings"]), path)
        if settings is not None and settings != saved:
            differing = [f"{name} is {old}, not {new}" for (name, old), new
                         in zip(saved.as_dict().items(), settings.as_dict().values()) if old != new]
            raise InputError(f"{path} was made with other settings: {'; '.join(differing)}")
        run = saved_kind.blank(saved, np.random.default_rng(0))
        for name, target in (("values", run.model.parameters.values), ("adam_M", run.adam.M), ("adam_V", run.adam.V),
                             *((MEMORY + name, array) for name, array in run.memory.items())):
            if content[name].shape != target.shape or content[name].dtype != target.dtype \
                    or not np.isfinite(content[name]).all():
                raise foreign
            target[...] = content[name]
        run.adam.t = int(content["adam_t"])
        state = json.loads(str(content["rng"]))
        if not all(0 <= number < 2**128 for number in state["state"].values()):
            raise foreign                               # some versions of NumPy take them modulo 2^128
        run.rng.bit_generator.state = state
        if run.rng.bit_generator.state != state:
            raise foreign
        history = content["history"]
        width = len(run.columns)
        epochs, steps = run.FIRST_EPOCH + np.arange(len(history)), history[-1, 1] if len(history) else 0
        if history.shape[1:] != (width,) or history.dtype != np.float64 or (history[:, 0] != epochs).any() \
                or steps != run.adam.t or (run.adam.V < 0).any():
            raise foreign
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
        raise foreign from None
    return run, history


def _settings(kind: type[RunSettings], text: str, path: Path) -> RunSettings:
    """Settings from their JSON.

    InputError where they are none that this program would have written, or of an estimator or a family that is
    somebody's own and not registered here.
    """
    values = json.loads(text)
    made, problem = kind.from_dict(values), unregistered(values)
    if problem:
        raise InputError(f"{path} {problem}")
    try:
        return made.resolved()
    except InputError:
        raise InputError(f"{path} {FOREIGN}") from None
