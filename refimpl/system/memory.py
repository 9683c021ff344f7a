"""Find out how much memory this process may use."""
from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available() -> float:
    """Return the bytes of memory: those of the machine, or fewer if the process's group or address space is limited."""
    limits = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):          # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in CGROUPS:
        with contextlib.suppress(OSError, ValueError):                      # not there, or "max"
            limits.append(int(Path(path).read_text()))
    with contextlib.suppress(ImportError):
        import resource                                                     # not on Windows

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [] if soft == resource.RLIM_INFINITY else [soft]
    return min(limits)
