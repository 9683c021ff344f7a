"""Train models.

A run trains one model.  There is one file for each kind of run: vae.py and mixture.py.  All kinds share the training
loop, the checkpoints, the settings, the schedules and the random streams.
"""
from __future__ import annotations

from refimpl.runs.mixture import MixtureRun
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun

KINDS: dict[str, type[Run]] = {kind.COMMAND: kind for kind in (VAERun, MixtureRun)}
"""The classes of runs, by command.  To add a kind of run, write a file with a class, and add the class here."""


def kind_of(settings: RunSettings) -> type[Run]:
    return next(kind for kind in KINDS.values() if kind.SETTINGS is type(settings))
