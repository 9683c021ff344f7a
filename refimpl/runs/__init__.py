"""Training runs: the protocol of a run, one file a kind, and what all kinds share: the loop, checkpoints, schedules."""
from __future__ import annotations

from refimpl.runs.mixture import MixtureRun
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun

KINDS: dict[str, type[Run]] = {kind.COMMAND: kind for kind in (VAERun, MixtureRun)}
"""The kinds of run, by their command.  A new kind is one file and its name here."""


def kind_of(settings: RunSettings) -> type[Run]:
    """The kind of run that these settings are for."""
    return next(kind for kind in KINDS.values() if kind.SETTINGS is type(settings))
