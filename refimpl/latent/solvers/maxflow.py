"""Maximum flow: exact for w >= 0, where the score is supermodular and its maximum a minimum cut (Hammer 1965).

With -w z_i z_j = -(w/2) (z_i + z_j) + (w/2) |z_i - z_j|,

    -S(z) = sum_i t_i z_i + sum_{i<j} (w_ij / 2) |z_i - z_j|,     t_i = -u_i - (1/2) sum_j w_ij

is the value of a cut, up to a constant: t_i < 0 is an edge source -> i of capacity -t_i, t_i > 0 an edge i -> sink of
capacity t_i, and w_ij / 2 an edge each way between i and j.  z_i = 1 on the source's side.

The flow is found by pushing a preflow (Goldberg and Tarjan 1988), for all images at once:

    excess (B, n)     what has come to i and not yet left; where negative, what i can still send on to the sink.  All
                      edges from the source are filled at the outset, so that it begins as -t.
    room (B, n, n)    what the edge i -> j can still take.  A push along i -> j makes as much room on j -> i.

A sweep measures each variable's distance: the number of edges with room to the nearest variable that can still send to
the sink.  Then, from the farthest layer to the nearest (as Karzanov 1974), each variable spreads its excess over its
edges to the next layer, in proportion to their room: all of it, or as much as fills them.

It is over when no excess has a way to the sink.  The variables that still have one are the sink's side, z_i = 0.  All
edges into that side are full, and no excess is held up there: the flow is as large as the cut, the one a maximum and
the other a minimum.

It does end.  A push makes room only on an edge that leads away from the sink, so that no distance falls.  An excess
left behind has filled all edges to the next layer, or at distance 0 the one to the sink, so that its distance grows.
Distances are below n or infinite: there are at most n^2 sweeps.  In practice there are about ten.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix

ROOMS = 50_000              # edges at a time, so that they stay in the processor's cache


def _check(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, w = check(u, w)
    if (w < 0).any():
        raise ValueError(f"w must not be negative for max-flow, got {w.min():g}: "
                         "use the integer program or enumeration")
    return u.astype(np.float64), w.astype(np.float64)


def _network(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(excess (B, n), room (B, n, n)) before the first push, in units of a power of two near the image's largest score.

    The unit keeps sums of huge scores finite and quotients of tiny ones accurate.  A power of two rounds nothing.
    """
    largest = np.maximum(np.abs(u).max(axis=1, initial=0), w.max(axis=1, initial=0))[:, None]
    unit = np.frexp(largest)[1]
    u, w = np.ldexp(u, -unit), np.ldexp(w, -unit)
    room = matrix(w, u.shape[1]) / 2
    return u + room.sum(axis=2), room


def _distances(excess: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distance (B, n), n where no way leads to the sink; room on all edges to the next layer (B, n))."""
    n = excess.shape[1]
    distance = np.where(excess < 0, 0, n)
    onward = np.zeros(excess.shape)
    for layer in range(1, n):
        into = np.matmul(room, (distance == layer - 1)[:, :, None].astype(room.dtype))[:, :, 0]
        new = (into > 0) & (distance == n)
        if not new.any():
            break
        distance[new] = layer
        onward[new] = into[new]
    return distance, onward


def _sweep(excess: np.ndarray, room: np.ndarray, distance: np.ndarray, onward: np.ndarray) -> None:
    """Push from every layer to the next one; excess and room are changed in place."""
    n = excess.shape[1]
    for layer in range(distance[distance < n].max(), 0, -1):
        pushing = (distance == layer) & (excess > 0)
        if not pushing.any():
            continue
        leaving = np.where(pushing, np.minimum(excess, onward), 0)
        share = leaving / np.where(pushing, onward, 1)                  # exactly 1 where the excess fills all edges
        push = room * share[:, :, None]
        push *= (distance == layer - 1)[:, None, :]
        room -= push
        room += push.transpose(0, 2, 1)
        excess -= leaving                                               # exactly 0 is left where it does not
        excess += push.sum(axis=1)


def _minimum_cut(excess: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Whether each variable is on the source's side, (B, n) bool; excess and room are overwritten."""
    source_side = np.zeros(excess.shape, bool)
    image = np.arange(len(excess))                                      # those not yet finished
    while len(image):
        distance, onward = _distances(excess, room)
        cut_off = distance == excess.shape[1]
        busy = ((excess > 0) & ~cut_off).any(axis=1)
        if not busy.all():
            source_side[image[~busy]] = cut_off[~busy]
            image, excess, room, distance, onward = (a[busy] for a in (image, excess, room, distance, onward))
        if len(image):
            _sweep(excess, room, distance, onward)
    return source_side


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A maximiser, to the rounding of float64: z (B, n) int8 for u (B, n), w (B, n (n-1)/2).

    S(z) is below the maximum by at most about 1e-15 of the sum of the image's |u| and w.  Raises ValueError if shapes
    do not fit, a score is not finite or a pair score is negative.
    """
    u, w = _check(u, w)
    z = np.zeros(u.shape, np.int8)
    block = max(1, ROOMS // u.shape[1]**2)
    for start in range(0, len(u), block):
        rows = slice(start, start + block)
        z[rows] = _minimum_cut(*_network(u[rows], w[rows]))
    return z
