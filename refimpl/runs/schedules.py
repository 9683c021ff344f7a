"""Define how eps or tau changes during training."""
from __future__ import annotations

import math

RELEASED_REFRESH = {"eps": 500, "tau": 1_000}


def released(setting: str, step: int) -> float:
    """Return eps or tau at this step as in the authors' code; `setting` is "eps" or "tau".

    The value at step t is max(0.1, exp(-1e-5 t)).  It is updated only every 500 steps for eps, and every 1,000 steps
    for tau.  It starts at 1 and reaches its minimum after about 230,000 steps, which are 460 epochs of 500 steps.
    """
    refresh = RELEASED_REFRESH[setting]
    return max(0.1, math.exp(-1e-5 * (step // refresh * refresh)))
