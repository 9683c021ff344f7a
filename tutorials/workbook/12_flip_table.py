"""12. The table of single changes, for n binary variables.

With n binary variables, z has 2^n values.  These are too many for an arg max that needs f at every value.
So the value of each variable is chosen as if the other variables stayed as in z*.  This choice needs f at z* and at
the n vectors that differ from z* in exactly one variable.  For each variable i, the table contains f with z_i = 0 and
f with z_i = 1.  The gain of variable i is the difference: f with z_i = 1, minus f with z_i = 0.

    table_i(c)  = f(z_1, ..., z_i = c, ..., z_n)        the other variables are as in z
    gain_i      = table_i(1) - table_i(0)               from the table at z = z*
    z*_i        = 1 where l_i + gamma_i > 0, else 0
    z_i(eps)    = 1 where l_i + gamma_i + eps gain_i > 0, else 0
    g_i         = (z_i(eps) - z*_i) / eps

f is a function.  It takes an array (..., n) of zeros and ones, with any number of axes before the last, and returns an
array (...) with one value for each vector.  Shapes: z, gamma and g are (B, n), l is (n,), and the table is (B, n, 2).
Units: the logits l and the logistic noise gamma are pure numbers; f, gain and g are in nats, and eps is in 1/nat.
"""
from collections.abc import Callable

import numpy as np


def flip_table(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> np.ndarray:
    """Return a table of shape (B, n, 2).  Its entry [b, i, c] is f of z[b] after variable i of z[b] is set to c."""
    ...


def direct_flips(f: Callable[[np.ndarray], np.ndarray], l: np.ndarray, noise: np.ndarray, eps: float) -> np.ndarray:
    """Return g of shape (B, n).  Each row of noise gives one estimate of the gradient of E f with respect to l."""
    ...
