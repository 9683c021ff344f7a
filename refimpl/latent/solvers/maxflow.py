"""Maximum flow, which is exact for w >= 0: the score is supermodular, and its maximum a minimum cut (Hammer 1965).

Because -w z_i z_j = -(w/2) (z_i + z_j) + (w/2) |z_i - z_j|,

    -S(z) = sum_i t_i z_i + sum_{i<j} (w_ij / 2) |z_i - z_j|,     t_i = -u_i - (1/2) sum_j w_ij

is the value of a cut, up to a constant.  t_i < 0 is an edge source -> i of capacity -t_i, t_i > 0 is an edge i -> sink
of capacity t_i, and there is an edge of capacity w_ij / 2 each way between i and j.  z_i = 1 on the source's side.

The flow is found by pushing a preflow (Goldberg and Tarjan 1988), for all images at once:

    excess (B, n)     the flow that has arrived at i and not yet left.  If it is negative, i can still send so much to
                      the sink.  All edges from the source are filled at the start, so excess starts as -t.
    room (B, n, n)    how much more flow the edge i -> j can take.  A push along i -> j adds as much room on j -> i.

A sweep first computes each variable's distance: the number of edges with room to the nearest variable that can still
send to the sink.  Then, from the farthest layer to the nearest (as in Karzanov 1974), each variable distributes its
excess over its edges to the next layer, in proportion to their room: all of the excess, or as much as the edges take.

The algorithm ends when no excess can reach the sink.  The variables that can still reach it are the sink's side,
z_i = 0.  All edges into that side are full, and there is no excess on it.  So the flow equals the cut, which makes the
flow a maximum and the cut a minimum.

It always ends.  A push adds room only on an edge that leads away from the sink, so no distance decreases.  If excess is
left at a variable, all its edges to the next layer (or, at distance 0, its edge to the sink) are full, so its distance
increases.  Distances are below n or infinite, so there are at most n^2 sweeps.  In practice there are about ten.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix

ROOMS = 50_000              # number of edges at a time, which fit into the processor's cache



def _network(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return excess, (B, n), and room, (B, n, n), before the first push.

    Their unit is a power of two near the image's largest score.  It keeps sums of huge scores finite and quotients of
    tiny ones accurate, and division by a power of two causes no rounding.
    """
    largest = np.maximum(np.abs(u).max(axis=1, initial=0), w.max(axis=1, initial=0))[:, None]
    unit = np.frexp(largest)[1]
    u, w = np.ldexp(u, -unit), np.ldexp(w, -unit)
    room = matrix(w, u.shape[1]) / 2
    return u + room.sum(axis=2), room


def _distances(excess: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each variable's distance, n if it cannot reach the sink, and the room on its edges to the next layer."""
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
    """Push from every layer to the next one, and change excess and room in place."""
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
        excess -= leaving                                               # exactly 0 is left otherwise
        excess += push.sum(axis=1)


def _minimum_cut(excess: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return whether each variable is on the source's side, (B, n) bool; excess and room are overwritten."""
    source_side = np.zeros(excess.shape, bool)
    image = np.arange(len(excess))                                      # images that are not finished yet
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
    """Return a maximiser z, (B, n) int8, up to the rounding of float64, for u (B, n) and w (B, n (n-1)/2).

    S(z) is below the maximum by at most about 1e-15 times the sum of the image's |u| and w.  Raises ValueError if a
    shape is wrong, a score is not finite or a pair score is negative.
    """
    u, w = (scores.astype(np.float64) for scores in check(u, w))
    if (w < 0).any():
        raise ValueError(f"w must not be negative for max-flow, got {w.min():g}: "
                         "use the integer program or enumeration")
    z = np.zeros(u.shape, np.int8)
    block = max(1, ROOMS // u.shape[1]**2)
    for start in range(0, len(u), block):
        rows = slice(start, start + block)
        z[rows] = _minimum_cut(*_network(u[rows], w[rows]))
    return z
