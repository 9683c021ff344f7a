"""Which version of this program is running, and with how many threads, for the files that it writes."""
from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from refimpl import __version__

ROOT = Path(__file__).resolve().parent.parent.parent            # of the checkout, if it is one


@cache
def commit() -> str:
    """The commit that is checked out, twelve digits, with -dirty behind it where files have been changed since.

    The version where the package lies in no checkout of its own, or git is not there.
    """
    version = f"version {__version__}"
    if not (ROOT / ".git").exists():                            # whatever checkout is above it, is another project's
        return version
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    # What GIT_DIR and its kin say, a hook of git for one, is of another project.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, env={**ours, "GIT_OPTIONAL_LOCKS": "0"}, capture_output=True, text=True)
    except OSError:
        return version
    return done.stdout.strip() or version


def threads() -> int:
    """The number of threads of a matrix product: what the environment says, or one for each processor.

    Another number rounds otherwise, so a run with the same seed then ends with other digits.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
