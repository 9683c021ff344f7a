"""Relax a matching to a matrix by Gumbel-Sinkhorn (Mena et al., ICLR 2018).  All rows and columns sum to about one.

    P = S(scores / tau)

S takes exp of each entry.  In each of `rounds` rounds, S divides each row by its sum, and then each column by its sum.
With infinitely many rounds, P would tend to the matching with the largest score as tau -> 0.  The code works with
L = log P, so that nothing overflows.  To divide P by a sum, the code replaces L by L - log sum exp L.
"""
from __future__ import annotations

import numpy as np

ROUNDS = 20
ROWS, COLUMNS = 1, 0                                    # the axis of (N, N, B) over which a sum is taken


def forward(scores: np.ndarray, tau: float, rounds: int = ROUNDS) -> list[np.ndarray]:
    """Return a list with the matrices P after each division.  `scores` has shape (B, N, N), and P has shape (N, N, B).

    The batch is the last axis of P.  This makes the sums over rows and columns fast.
    """
    L, made = np.ascontiguousarray(scores.transpose(1, 2, 0)) / tau, []
    for _ in range(rounds):
        for axis in (ROWS, COLUMNS):
            L = L - L.max(axis=axis, keepdims=True)
            P = np.exp(L)
            total = P.sum(axis=axis, keepdims=True)
            L = L - np.log(total)                                           # L' = L - log sum exp L
            made.append(P / total)                                          # P = exp(L')
    return made


def result(made: list[np.ndarray]) -> np.ndarray:
    """Return the relaxed matching, an array of shape (B, N, N)."""
    return made[-1].transpose(2, 0, 1)


def backward(made: list[np.ndarray], dP: np.ndarray, tau: float) -> np.ndarray:
    """Return d loss / d scores for dP = d loss / d result.  Both have shape (B, N, N)."""
    dL = made[-1] * dP.transpose(1, 2, 0)                                   # P = exp(L')
    for place in reversed(range(len(made))):
        axis = (ROWS, COLUMNS)[place % 2]
        dL = dL - made[place] * dL.sum(axis=axis, keepdims=True)            # dL = dL' - P sum dL'
    return dL.transpose(2, 0, 1) / tau
