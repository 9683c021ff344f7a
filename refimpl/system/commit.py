"""Find the version of this program and the number of threads.  Both are recorded in the output files."""
from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from refimpl import __version__

ROOT = Path(__file__).resolve().parent.parent.parent            # the root of the checkout, if there is one


@cache
def commit() -> str:
    """Return the first twelve digits of the checked-out commit, followed by "-dirty" if a tracked file has changed.

    If the package is not in its own git checkout, or git is not installed, return the version of the package instead.
    """
    version = f"version {__version__}"
    if not (ROOT / ".git").exists():                            # a checkout further up is another project's
        return version
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    # A git hook, for example, sets GIT_DIR and similar variables, which may refer to another project.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, env={**ours, "GIT_OPTIONAL_LOCKS": "0"}, capture_output=True, text=True)
    except OSError:
        return version
    return done.stdout.strip() or version


def threads() -> int:
    """Return the number of threads for matrix products.  This number slightly changes the rounding of results."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
