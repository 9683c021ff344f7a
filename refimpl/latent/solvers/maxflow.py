"""Find the arg max by a maximum flow.  The method is exact for w >= 0.

For w >= 0, the score S is supermodular, so a minimum cut gives the arg max (Hammer 1965).  Because
-w z_i z_j = -(w/2) (z_i + z_j) + (w/2) |z_i - z_j|, the value of a cut equals -S(z) up to a constant:

    -S(z) = sum_i t_i z_i + sum_{i<j} (w_ij / 2) |z_i - z_j|,     t_i = -u_i - (1/2) sum_j w_ij

The variables on the source's side of the cut have z_i = 1.  The network has these edges:

    source -> i             of capacity -t_i, if t_i < 0
    i -> sink               of capacity t_i, if t_i > 0
    i -> j and j -> i       of capacity w_ij / 2 each

The flow is found by pushing a preflow (Goldberg and Tarjan 1988), for all images at once.  Two arrays hold the preflow:

    excess (B, n)     if positive, the flow that waits at i; if negative, -excess is the flow that i can still send to
                      the sink.  At the start, all edges from the source are full, and all edges to the sink are
                      empty, so excess starts as -t.
    room (B, n, n)    how much more flow the edge i -> j can take.  Flow over i -> j is added to the room of j -> i.

A sweep first computes the distance of each variable, using only edges that have room.  The distance is the number of
edges on the shortest way to a variable that can still send flow to the sink.  Variables at the same distance form a
layer.  Then the sweep goes from the farthest layer to the nearest one (as in Karzanov 1974).  Each variable sends as
much of its excess as possible to the next layer, and distributes it over the edges in proportion to their room.

The algorithm ends when no excess can reach the sink.  The variables that can still reach the sink form the sink's side
of the cut, with z_i = 0.  All edges into this side are full, and no variable on this side has excess.  So the flow
equals the value of the cut.  Therefore the flow is a maximum and the cut is a minimum.

The algorithm always ends.  A push adds room only to an edge that leads away from the sink, so no distance decreases.
A variable that keeps some excess has filled all its edges to the next layer or to the sink, so its distance increases.
Distances are below n or infinite, so there are at most n^2 sweeps.  In practice, about ten sweeps are enough.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix

ROOMS = 50_000              # the number of edges at a time: this many fit into the processor's cache


def _network(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the initial values of `excess` and `room`.

    For each image, u and w are first divided by a power of two near their largest absolute value.  This division is
    exact.  So sums of huge scores stay finite, and quotients of tiny scores stay accurate.
    """
    largest = np.maximum(np.abs(u).max(axis=1, initial=0), w.max(axis=1, initial=0))[:, None]
    unit = np.frexp(largest)[1]
    u, w = np.ldexp(u, -unit), np.ldexp(w, -unit)
    room = matrix(w, u.shape[1]) / 2
    return u + room.sum(axis=2), room


def _distances(excess: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each variable, return its distance and the total room of its edges to the next layer, as defined above.

    A variable that cannot reach the sink has the distance n.
    """
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
    """Push flow from every layer to the next one, and change `excess` and `room` in place."""
    n = excess.shape[1]
    for layer in range(distance[distance < n].max(), 0, -1):
        pushing = (distance == layer) & (excess > 0)
        if not pushing.any():
            continue
        leaving = np.where(pushing, np.minimum(excess, onward), 0)
        share = leaving / np.where(pushing, onward, 1)                  # exactly 1 if the excess fills all edges
        push = room * share[:, :, None]
        push *= (distance == layer - 1)[:, None, :]
        room -= push
        room += push.transpose(0, 2, 1)
        excess -= leaving                                               # exactly 0 if the edges could take all
        excess += push.sum(axis=1)


def _minimum_cut(excess: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return whether each variable is on the source's side of the cut.  `excess` and `room` are overwritten."""
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
    """Return an array of shape (B, n): for each image, a z with the largest S(z), up to rounding.

    Because of rounding, S may be larger at another z, by at most about 1e-15 times the sum of the image's |u_i| and
    w_ij.  Raises ValueError if u or w has the wrong shape, if a number in u or w is not finite, or if w_ij is negative.
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
