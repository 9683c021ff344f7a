"""Find out how much memory this process may use."""
from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available() -> float:
    """Return the memory that this process may use, in bytes, or infinity if it is unknown.

    This is the memory of the machine, or a smaller limit on the process's control group or address space.
    """
    limits = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):          # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in CGROUPS:
        with contextlib.suppress(OSError, ValueError):                      # no such file, or its content is "max"
            limits.append(int(Path(path).read_text()))
    with contextlib.suppress(ImportError):
        import resource                                                     # does not exist on Windows

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [] if soft == resource.RLIM_INFINITY else [soft]
    return min(limits)
