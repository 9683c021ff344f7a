"""Define how eps or tau changes during training."""
from __future__ import annotations

import math

RELEASED_REFRESH = {"eps": 500, "tau": 1_000}


def released(setting: str, step: int) -> float:
    """Return the value that `setting`, "eps" or "tau", has at this step in the authors' code.

    The value starts at 1.  It reaches 0.1 after about 230,000 steps, which are 460 epochs of 500 steps.
    """
    refresh = RELEASED_REFRESH[setting]
    return max(0.1, math.exp(-1e-5 * (step // refresh * refresh)))
