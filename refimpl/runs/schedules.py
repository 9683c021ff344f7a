"""Schedules of eps of direct optimisation, or tau of Gumbel-softmax, during training."""
from __future__ import annotations

import math

RELEASED_REFRESH = {"eps": 500, "tau": 1_000}


def released(setting: str, step: int) -> float:
    """Return eps or tau at step t by the released code: max(0.1, exp(-1e-5 t)), updated every 500 or 1,000 steps.

    It starts at 1 and reaches its floor after 230,000 steps, 460 epochs of 500 steps.
    """
    refresh = RELEASED_REFRESH[setting]
    return max(0.1, math.exp(-1e-5 * (step // refresh * refresh)))
