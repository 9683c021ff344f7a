"""Gumbel-Sinkhorn: the matching relaxed to a matrix whose rows and columns sum to one (Mena et al., ICLR 2018).

    P = S(scores / tau),   S: divide each row by its sum, then each column, and so on, `rounds` times

As tau falls to 0, S(scores / tau) goes to the matching of largest score.  All is done with L = log P, where a division
by a sum is L - log sum exp L, and nothing overflows.
"""
from __future__ import annotations

import numpy as np

ROUNDS = 20
ROWS, COLUMNS = 1, 0                                    # the axis of (N, N, B) that a division sums over


def forward(scores: np.ndarray, tau: float, rounds: int = ROUNDS) -> list[np.ndarray]:
    """P (N, N, B) after each division, of scores (B, N, N): by rows, by columns, by rows, ...; the last is the result.

    With the batch on the last axis, sums over so few rows or columns are fast.
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
    """The relaxed matching (B, N, N)."""
    return made[-1].transpose(2, 0, 1)


def backward(made: list[np.ndarray], dP: np.ndarray, tau: float) -> np.ndarray:
    """d loss / d scores (B, N, N), from dP (B, N, N) = d loss / d result."""
    dL = made[-1] * dP.transpose(1, 2, 0)                                   # P = exp(L')
    for place in reversed(range(len(made))):
        axis = (ROWS, COLUMNS)[place % 2]
        dL = dL - made[place] * dL.sum(axis=axis, keepdims=True)            # dL = dL' - P sum dL'
    return dL.transpose(2, 0, 1) / tau
