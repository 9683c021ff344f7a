"""The exact law of one draw of each estimator, by enumeration or quadrature.

Each function returns (mean (d,), covariance (d, d)) of the gradient of one image, h (n, k).  They follow from the
formula and from the law of the noise; no random number is drawn.  A binary variable has logistic noise L: its value
is 1 if l + L > 0, with l = h_1 - h_0.
"""
from __future__ import annotations

import numpy as np
from scipy.special import expit, logit, softmax

from refimpl import direct, joint

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)


def one_hot_values(n, k):
    return joint.one_hots(n, k).reshape(-1, n, k)


def f_at(toy, z):
    """Return f of the first image at many z, (m,), for z of shape (m, n, k)."""
    return toy.repeated(0, len(z)).run(z).f


def slope_at(toy, z):
    return toy.repeated(0, len(z)).run(z).df_dz()


def in_scores(g):
    """Turn a derivative with respect to l = h_1 - h_0 into one with respect to h."""
    return np.stack([-g, g], axis=-1)


def J(p, g):
    return p * (g - (p * g).sum(axis=-1, keepdims=True))


def summed(values, weights):
    """Return mean and covariance of a variable that takes these values (m, ...) with these probabilities (m,)."""
    assert abs(weights.sum() - 1) < 1e-9
    flat = values.reshape(len(weights), -1)
    mean = weights @ flat
    return mean, ((flat - mean).T * weights) @ (flat - mean)


# --- finitely many samples: sums --------------------------------------------------------------------------------------

def reinforce(h, toy, baseline):
    z, q = one_hot_values(*h.shape), np.exp(joint.log_q(h))
    return summed((f_at(toy, z) - baseline)[:, None, None] * (z - softmax(h, axis=-1)), q)


def perturbed(h, toy, baseline):
    """Use the law of the clocks X given z* = b.

    The first clock of a variable rings after an exponential time of rate S = sum r, and every other clock after an
    additional time that is independent: r_b X_b = q_b R and r_i X_i = q_i R + V_i, where R and V_i are standard
    exponentials.  So 1 - r X has mean b - q and covariance q q^T + diag(1 - b), for each variable.
    """
    n, k = h.shape
    z, weights, q = one_hot_values(n, k), np.exp(joint.log_q(h)), softmax(h, axis=-1)
    mean_of_score = (z - q).reshape(-1, n * k)
    second = mean_of_score[:, :, None] * mean_of_score[:, None, :]
    for i in range(n):
        at = slice(i * k, (i + 1) * k)
        second[:, at, at] += np.outer(q[i], q[i]) + np.eye(k) * (1 - z[:, i])[:, None, :]
    signal = f_at(toy, z) - baseline
    mean = (weights * signal) @ mean_of_score
    return mean, np.tensordot(weights * signal**2, second, 1) - np.outer(mean, mean)


def leave_one_out(h, toy):
    z, q = one_hot_values(*h.shape), np.exp(joint.log_q(h))
    f = f_at(toy, z)
    values = 0.5 * (f[:, None] - f)[..., None, None] * (z[:, None] - z)
    return summed(values.reshape(-1, *h.shape), np.outer(q, q).ravel())


def changes(h, toy, z):
    """Return f with z_i replaced by c, (m, n, k), from the table of all joint values."""
    n, k = h.shape
    f, table = f_at(toy, one_hot_values(n, k)), np.empty(z.shape)
    for i in range(n):
        for c in range(k):
            changed = z.copy()
            changed[:, i] = np.eye(k)[c]
            table[:, i, c] = f[joint.index(changed)]
    return table


def local_expectation(h, toy):
    z, q = one_hot_values(*h.shape), np.exp(joint.log_q(h))
    p, table = softmax(h, axis=-1), changes(h, toy, z)
    return summed(p * (table - (p * table).sum(axis=-1, keepdims=True)), q)


def local_tilted(h, toy, eps):
    z, q = one_hot_values(*h.shape), np.exp(joint.log_q(h))
    return summed((softmax(h + eps * changes(h, toy, z), axis=-1) - softmax(h, axis=-1)) / eps, q)


def reinmax(h, toy, tau):
    z, q = one_hot_values(*h.shape), np.exp(joint.log_q(h))
    g = slope_at(toy, z)
    return summed(2 * J((softmax(h / tau, axis=-1) + z) / 2, g) - J(softmax(h, axis=-1), g) / 2, q)


def coordinate_wise(h, toy, eps, table=None):
    """Use P(z*) prod_i P(z_i(eps) given z*_i); the second factor follows from direct.joint_law."""
    n, k = h.shape
    z, q = one_hot_values(n, k), np.exp(joint.log_q(h))
    table, chosen = changes(h, toy, z) if table is None else table, z.argmax(axis=-1)
    values, weights = [], []
    for star, f, index, chance in zip(z, table, chosen, q):
        given = [direct.joint_law(h[i], f[i], eps)[index[i]] / softmax(h[i])[index[i]] for i in range(n)]
        for moved in joint.values(n, k):
            values.append((np.eye(k)[moved] - star) / eps)
            weights.append(chance * np.prod([law[c] for law, c in zip(given, moved)]))
    return summed(np.array(values), np.array(weights))


def noisy_exact(h, toy, eps):
    """Return the true gradient, and the margins of the covariance of direct over joint values."""
    hots, f = joint.one_hots(*h.shape), f_at(toy, one_hot_values(*h.shape))
    return joint.gradient(h, f).ravel(), hots.T @ direct.covariance(joint.log_q(h), f, eps) @ hots


def imle(h, toy, eps):
    """Use the law of coordinate_wise, with the derivative at z* instead of the table around z*."""
    return coordinate_wise(h, toy, eps, slope_at(toy, one_hot_values(*h.shape)))


# --- binary variables: pieces of one uniform number -------------------------------------------------------------------

def pieces(cuts):
    """Return midpoints and lengths of the intervals into which the cuts divide [0, 1]."""
    edges = np.unique(np.concatenate([[0.0], np.ravel(cuts), [1.0]]))
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def grid(per_variable):
    """Return all combinations of the nodes of n variables, (m, n), and their weights, (m,)."""
    places = np.stack(np.meshgrid(*(places for places, _ in per_variable), indexing="ij"), axis=-1)
    weights = per_variable[0][1]
    for _, more in per_variable[1:]:
        weights = np.multiply.outer(weights, more)
    return places.reshape(-1, len(per_variable)), weights.ravel()


def gauss(cuts):
    """Return Gauss-Legendre nodes and weights on each of the intervals into which the cuts divide [0, 1]."""
    middles, lengths = pieces(cuts)
    return (middles[:, None] + lengths[:, None] / 2 * NODES).ravel(), (lengths[:, None] / 2 * WEIGHTS).ravel()


def ones(z1):
    return np.stack([~z1, z1], axis=-1).astype(float)


def two_sided(h, toy, eps):
    """Sum over pieces: three arg maxes of one logistic number are piecewise constant, with five cuts for n = 2."""
    l = h[:, 1] - h[:, 0]
    every = changes(h, toy, one_hot_values(*h.shape))
    gains = every[..., 1] - every[..., 0]                                           # (2^n, n)
    cuts = [expit(-np.concatenate([[l_i], l_i + eps * g, l_i - eps * g])) for l_i, g in zip(l, gains.T)]
    u, weights = grid([pieces(c) for c in cuts])
    score = l + logit(u)
    table = changes(h, toy, ones(score > 0))
    gain = table[..., 1] - table[..., 0]
    return summed((ones(score + eps * gain > 0) - ones(score - eps * gain > 0)) / (2 * eps), weights)


def direct_joint(h, toy, eps):
    """Sum over many values of the noise of the first of two variables; the sum over the second is exact."""
    l, steps = h[:, 1] - h[:, 0], 4_000
    first = pieces(np.concatenate([np.linspace(0, 1, steps + 1), expit(-l[:1])]))
    f = eps * f_at(toy, one_hot_values(2, 2)).reshape(2, 2)                                # f[z_1, z_2]
    values, weights = [], []
    s1 = l[0] + logit(first[0])
    best = np.maximum(f[0], f[1] + s1[:, None])                                     # over z_1, for z_2 = 0, 1
    cut = best[:, 0] - best[:, 1]                                                   # z_2(eps) = 1 where s2 is above
    for s, lower, part in zip(s1, cut, first[1]):
        u, length = pieces(expit(np.array([-l[1], lower - l[1]])))
        s2 = l[1] + logit(u)
        z2 = s2 > lower
        z1 = np.where(z2, s + f[1, 1] - f[0, 1], s + f[1, 0] - f[0, 0]) > 0
        moved = np.stack([z1, z2], axis=-1)
        star = np.stack([np.full(len(u), s > 0), s2 > 0], axis=-1)
        values.append((ones(moved) - ones(star)) / eps)
        weights.append(part * length)
    return summed(np.concatenate(values), np.concatenate(weights))


def gumbel_softmax(h, toy, tau, hard=False):
    l = h[:, 1] - h[:, 0]
    u, weights = grid([gauss(expit(-l_i)) for l_i in l])
    score = l + logit(u)
    soft = np.stack([expit(-score / tau), expit(score / tau)], axis=-1)
    return summed(J(soft, slope_at(toy, ones(score > 0) if hard else soft)) / tau, weights)


def gumbel_rao(h, toy, tau, m):
    """Return the mean of straight-through, Cov(E[g given b]) + E[Cov(g given b)] / m, with g its gradient."""
    l = h[:, 1] - h[:, 0]
    u, weights = grid([gauss(expit(-l_i)) for l_i in l])
    score = l + logit(u)
    soft, b = np.stack([expit(-score / tau), expit(score / tau)], axis=-1), ones(score > 0)
    values = J(soft, slope_at(toy, b)) / tau
    parts = []
    for value in one_hot_values(*h.shape):
        given = (b == value).all(axis=(1, 2))
        share = weights[given].sum()
        parts.append((share, *summed(values[given], weights[given] / share)))
    shares, means, covariances = (np.array(part) for part in zip(*parts))
    mean, between = summed(means, shares)
    return mean, between + np.tensordot(shares, covariances, 1) / m


def arm(h, toy):
    l = h[:, 1] - h[:, 0]
    u, weights = grid([gauss([expit(l_i), expit(-l_i)]) for l_i in l])
    gap = f_at(toy, ones(u > expit(-l))) - f_at(toy, ones(u < expit(l)))
    return summed(in_scores(gap[:, None] * (u - 0.5)), weights)


def disarm(h, toy):
    l = h[:, 1] - h[:, 0]
    u, weights = grid([pieces([expit(l_i), expit(-l_i)]) for l_i in l])
    b1, b2 = u > expit(-l), u < expit(l)
    gap = f_at(toy, ones(b1)) - f_at(toy, ones(b2))
    return summed(in_scores(0.5 * gap[:, None] * np.where(b2, -1, 1) * (b1 != b2) * expit(np.abs(l))), weights)


def rebar(h, toy, tau, eta):
    """Use z_1 - z_0 = l + L and, given b, z~_b - z~_o = log(1 + R / p_o), R = s / (1 - s), for one binary variable."""
    l, p = h[0, 1] - h[0, 0], softmax(h[0])
    places, weights = grid([gauss(expit(-l)), gauss([])])
    u, s = places.T
    score = l + logit(u)
    b = ones(score > 0)
    of_other = np.where(score > 0, p[0], p[1])
    lead = np.log1p(s / (1 - s) / of_other)
    slope = (s / (1 - s) / of_other) / (s / (1 - s) / of_other + 1)                 # d z~_o / d log p_o
    given = np.where(score > 0, lead, -lead)

    def relaxed(gap):
        soft = np.stack([expit(-gap / tau), expit(gap / tau)], axis=-1)
        return f_at(toy, soft[:, None]), J(soft, slope_at(toy, soft[:, None])[:, 0]) / tau

    _, grad_z = relaxed(score)
    c, grad_given = relaxed(given)
    in_log_p = ((f_at(toy, b[:, None]) - eta * c)[:, None] * b + eta * grad_z
                - eta * (1 - b) * slope[:, None] * grad_given)
    return summed(in_log_p - p * in_log_p.sum(axis=1, keepdims=True), weights)
