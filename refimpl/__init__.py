"""Direct optimisation through arg max, in NumPy: every gradient by hand, every estimate beside its exact value.

The ground floor is the paper (Lorberbom, Gane, Jaakkola and Hazan, NeurIPS 2019; arXiv 1806.02867) as pure functions:

    gumbel    the Gumbel-max trick                                        Theorem 2
    danskin   the proof of Theorem 1, step by step                        equations 2 to 4
    direct    the finite-eps gradient, its mean, variance and coupling    Theorem 1, equation 1
    exact     the truth by enumeration

Above it: nn (hand-written networks), estimators, models, data, training, experiments, and the command line,
`python -m refimpl`.
"""
from __future__ import annotations

__version__ = "1.0.0"
