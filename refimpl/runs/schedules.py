"""How eps of direct optimisation, or tau of Gumbel-softmax, moves during training."""
from __future__ import annotations

import math

RELEASED_REFRESH = {"eps": 500, "tau": 1_000}


def released(setting: str, step: int) -> float:
    """The released code's schedule: max(0.1, exp(-1e-5 t)), t counting steps, refreshed every 500 (eps) or 1,000 (tau).

    It starts at 1 and takes 230,000 steps, 460 epochs of 500, to reach its floor.
    """
    refresh = RELEASED_REFRESH[setting]
    return max(0.1, math.exp(-1e-5 * (step // refresh * refresh)))
