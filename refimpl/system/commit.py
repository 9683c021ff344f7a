"""Find the version of this program and the number of threads, which are recorded in the files that it writes."""
from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from refimpl import __version__

ROOT = Path(__file__).resolve().parent.parent.parent            # of the checkout, if it is one


@cache
def commit() -> str:
    """Return the checked-out commit, twelve digits, followed by -dirty if files have been changed since.

    Returns the version if the package is not in its own checkout, or git is not installed.
    """
    version = f"version {__version__}"
    if not (ROOT / ".git").exists():                            # a checkout above it would be another project's
        return version
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    # GIT_DIR and similar variables, which a git hook sets for example, may refer to another project.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, env={**ours, "GIT_OPTIONAL_LOCKS": "0"}, capture_output=True, text=True)
    except OSError:
        return version
    return done.stdout.strip() or version


def threads() -> int:
    """Return the number of threads of a matrix product: from the environment, or the number of processors.

    With another number of threads the rounding differs, so a run with the same seed gives slightly other results.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
