"""12. The table of single changes, for n binary variables.

With n binary variables there are 2^n values, and the arg max with f over all of them is out of reach.
So each variable moves as if the others stayed as in z*.  This needs f with one variable changed at a time.
The table contains f with variable i set to 0 and with variable i set to 1.  The difference of the two is called gain.

    table_i(c)  = f(z_1, ..., z_i = c, ..., z_n)        the other variables as in z
    gain_i      = table_i(1) - table_i(0)               table at z = z*
    z*_i        = 1 where l_i + gamma_i > 0, else 0
    z_i(eps)    = 1 where l_i + gamma_i + eps gain_i > 0, else 0
    g_i         = (z_i(eps) - z*_i) / eps

f is a function.  It takes an array (..., n) of zeros and ones, with any axes before the last, and returns the f of each
vector, an array (...).  Shapes: z, gamma, g (B, n), l (n,), the table (B, n, 2).  Units: the logits l and the logistic
noise gamma are pure numbers; f, gain and g are in nats, eps in 1/nat.
"""
from collections.abc import Callable

import numpy as np


def flip_table(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """The table (B, n, 2): entry [b, i, c] is f of z[b] with its variable i set to c."""
    ...


def direct_flips(f: Callable[[np.ndarray], np.ndarray], l: np.ndarray, noise: np.ndarray, eps: float) -> np.ndarray:
    """One estimate g of the gradient of E f with respect to l, for each row of the noise: (B, n)."""
    ...
