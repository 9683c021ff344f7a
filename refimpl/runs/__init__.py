"""Training runs: the interface of a run, one file per kind of run, and the loop, checkpoints and schedules of all."""
from __future__ import annotations

from refimpl.runs.mixture import MixtureRun
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun

KINDS: dict[str, type[Run]] = {kind.COMMAND: kind for kind in (VAERun, MixtureRun)}
"""The kinds of run by their command.  A new kind needs one file, and its name in this table."""


def kind_of(settings: RunSettings) -> type[Run]:
    """Return the kind of run that these settings are for."""
    return next(kind for kind in KINDS.values() if kind.SETTINGS is type(settings))
