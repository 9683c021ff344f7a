"""Save and load a run: weights, Adam's moments, the estimator's memory, the generator's state, settings and metrics.

A checkpoint is a single file that is written in one step, so its parts always belong together.
"""
from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from refimpl.arguments import InputError
from refimpl.runs import KINDS, kind_of
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings, unregistered
from refimpl.system.files import read_arrays, write_whole

FILE = "checkpoint.npz"
FOREIGN = "is truncated, damaged, or not a checkpoint of this program"
EARLIER = ("refimpl run 1", "refimpl run 2", "refimpl run 3", "refimpl semi-supervised run 1",
           "refimpl semi-supervised run 2")       # formats of earlier versions
MEMORY = "memory_"
LARGEST = 1e12                      # all metrics in nats or seconds, and all counts, are below this
RISING = ("step", "seconds", "evaluations")


def save(path: Path, run: Run, history: np.ndarray) -> None:
    """Save a run and its metrics in the file `path`.  The array `history` has one row of metrics per epoch."""
    content = {"format": run.FORMAT, "settings": json.dumps(run.settings.as_dict()),
               "values": run.model.parameters.values,
               "adam_M": run.adam.M, "adam_V": run.adam.V, "adam_t": run.adam.t,
               "rng": json.dumps(run.rng.bit_generator.state), "history": history,
               **{MEMORY + name: array for name, array in run.memory.items()}}
    write_whole(path, lambda stream: np.savez(stream, **content))


def load(path: Path, settings: RunSettings | None = None, kind: type[Run] | None = None,
         missing: str = "is missing: there is no run to continue here") -> tuple[Run, np.ndarray]:
    """Return the run in a checkpoint, and an array of shape (epochs, columns): its metrics after each epoch.

    Raises InputError if the file is missing, is damaged, is not a checkpoint, or was written by an earlier version.
    Raises InputError also if the run does not have the settings `settings`, or is not of the kind `kind`.  By default,
    neither is checked.  `missing` is the end of the error message for a missing file.
    """
    kind = kind_of(settings) if settings is not None else kind
    content = read_arrays(path, missing=missing, damaged=FOREIGN)
    with _parsing(path):
        name = str(content["format"])
        if name in EARLIER:
            raise InputError(f"{path} was made by an earlier version of this program, in another format; "
                             "train it again in another folder")
        saved_kind = {made.FORMAT: made for made in KINDS.values()}[name]
        if kind is not None and saved_kind is not kind:
            raise InputError(f"{path} is a run of the command {saved_kind.COMMAND}; "
                             f"a run of {kind.COMMAND} is needed here")
        saved = _settings(saved_kind.SETTINGS, str(content["settings"]), path)
        state = json.loads(str(content["rng"]))
    if settings is not None and settings.file_sha256 == saved.file_sha256 is not None:
        saved = replace(saved, dataset=settings.dataset)            # the same file, perhaps moved
    if settings is not None and settings != saved:
        differing = [f"{name} is {old}, not {new}" for (name, old), new
                     in zip(saved.as_dict().items(), settings.as_dict().values()) if old != new]
        raise InputError(f"{path} was made with other settings: {'; '.join(differing)}")
    run = saved_kind.create(saved, np.random.default_rng(0))        # may show the error of a user's estimator
    with _parsing(path):
        for name, target in (("values", run.model.parameters.values), ("adam_M", run.adam.M), ("adam_V", run.adam.V),
                             *((MEMORY + name, array) for name, array in run.memory.items())):
            _require(content[name].shape == target.shape and content[name].dtype == target.dtype
                     and np.isfinite(content[name]).all())
            target[...] = content[name]
        _require((run.adam.V >= 0).all())
        run.adam.t = int(content["adam_t"])
        # Some versions of NumPy silently reduce these numbers modulo 2^128.
        _require(all(0 <= number < 2**128 for number in state["state"].values()))
        run.rng.bit_generator.state = state
        _require(run.rng.bit_generator.state == state)
        history = content["history"]
        _check_history(run, history)
    return run, history


@contextlib.contextmanager
def _parsing(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{path} {FOREIGN}") from None


def _require(right: bool) -> None:
    if not right:
        raise ValueError


def _check_history(run: Run, history: np.ndarray) -> None:
    _require(history.shape[1:] == (len(run.columns),) and history.dtype == np.float64)
    column = dict(zip(run.columns, history.T))
    _require((column["epoch"] == run.FIRST_EPOCH + np.arange(len(history))).all())
    _require((column["step"][-1] if len(history) else 0) == run.adam.t)
    for name, values in column.items():
        known = values[~np.isnan(values)] if name in run.may_be_missing else values
        _require((np.abs(known) <= LARGEST).all())
        if name in RISING:
            _require((np.diff(known, prepend=0.0) >= 0).all() and (name == "seconds" or (known % 1 == 0).all()))
        elif "accuracy" in name:
            _require(((known >= 0) & (known <= 1)).all())


def _settings(kind: type[RunSettings], text: str, path: Path) -> RunSettings:
    values = json.loads(text)
    made, problem = kind.from_dict(values), unregistered(values)
    if problem:
        raise InputError(f"{path} {problem}")
    try:
        return made.resolved()
    except InputError:
        raise InputError(f"{path} {FOREIGN}") from None
