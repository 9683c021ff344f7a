"""Reference for all estimators: plain loops over images, variables and values, in scalar arithmetic.

The loops share nothing with the package except the state of the generator, from which they draw one number at a time.
So the number and the order of the draws are compared too.  Arrays are nested lists: h[b][i][c], z[b][i][c].
"""
from __future__ import annotations

import cmath
import itertools
import math

import numpy as np

from refimpl import estimators
from refimpl.latent import solvers
from refimpl.latent.pairwise import Pairwise
from refimpl.models.toy import Toy

EULER = 0.5772156649015329
DECAY = 0.99


# --- helpers ----------------------------------------------------------------------------------------------------------

class Wave:
    """The toy objective of one image: f(z) = sum_m c_m sin(a_m . z + 1)."""

    def __init__(self, toy: Toy, image: int) -> None:
        self.a, self.c = toy.a[image].tolist(), toy.c[image].tolist()

    def f(self, z):
        flat = [entry for row in z for entry in row]
        return sum(c * math.sin(sum(a * e for a, e in zip(wave, flat)) + 1) for c, wave in zip(self.c, self.a))

    def slope(self, z):
        """Return df/dz[i][c]."""
        flat, k = [entry for row in z for entry in row], len(z[0])
        slope = [0.0] * len(flat)
        for c, wave in zip(self.c, self.a):
            outer = c * math.cos(sum(a * e for a, e in zip(wave, flat)) + 1)
            for place, a in enumerate(wave):
                slope[place] += outer * a
        return [slope[i * k:(i + 1) * k] for i in range(len(z))]


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


def softmax(scores):
    weights = [math.exp(score - max(scores)) for score in scores]
    return [weight / sum(weights) for weight in weights]


def winner(scores):
    return max(range(len(scores)), key=lambda c: scores[c])


def hot(c, k):
    return [1.0 if other == c else 0.0 for other in range(k)]


def hots(values, k):
    return [hot(c, k) for c in values]


def joint_values(n, k):
    return list(itertools.product(range(k), repeat=n))


def changed(z, i, c):
    """Return z with z_i replaced by value c."""
    return [hot(c, len(row)) if j == i else row for j, row in enumerate(z)]


def exponentials(h, rng):
    return [[[rng.standard_exponential() for _ in row] for row in image] for image in h]


def perturbed(h, rng):
    """Return h + gamma."""
    E = exponentials(h, rng)
    return [[[s - math.log(e) - EULER for s, e in zip(row, times)] for row, times in zip(image, clock)]
            for image, clock in zip(h, E)]


def samples(h, rng):
    return [[hot(winner(row), len(row)) for row in image] for image in perturbed(h, rng)]


def jacobian_times(p, g):
    """Return J(p) g with J(p) = diag(p) - p p^T."""
    return [sum(((p[c] if c == o else 0.0) - p[c] * p[o]) * g[o] for o in range(len(p))) for c in range(len(p))]


def through_log_softmax(p, g):
    """Multiply g by the derivative d log p_o / d h_c = [o = c] - p_c."""
    return [sum(((1.0 if c == o else 0.0) - p[c]) * g[o] for o in range(len(p))) for c in range(len(p))]


def difference(one, other, scale):
    return [[(a - b) * scale for a, b in zip(row, rest)] for row, rest in zip(one, other)]


# --- the estimators, one equation each --------------------------------------------------------------------------------

def exact(h, waves, rng, memory):
    """grad_i(c) = sum_z q(z) f(z) ([z_i = c] - q_i(c))."""
    grad, weights = [], []
    for scores, wave in zip(h, waves):
        n, k, q = len(scores), len(scores[0]), [softmax(row) for row in scores]
        values = joint_values(n, k)
        weights.append([math.prod(q[i][z[i]] for i in range(n)) for z in values])
        f = [wave.f(hots(z, k)) for z in values]
        grad.append([[sum(w * f_z * ((z[i] == c) - q[i][c]) for w, f_z, z in zip(weights[-1], f, values))
                      for c in range(k)] for i in range(n)])
    return grad, weights


def _coordinate_wise(noisy, wave, z, eps):
    """Return argmax_c of eps f(z with z_i = c) + h_i(c) + gamma_i(c), for each i."""
    return [hot(winner([s + eps * wave.f(changed(z, i, c)) for c, s in enumerate(row)]), len(row))
            for i, row in enumerate(noisy)]


def direct(h, waves, rng, memory, eps):
    """(z*(eps) - z*) / eps."""
    grad, stars = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        z = [hot(winner(row), len(row)) for row in noisy]
        grad.append(difference(_coordinate_wise(noisy, wave, z, eps), z, 1 / eps))
        stars.append(z)
    return grad, stars


def two_sided(h, waves, rng, memory, eps):
    """(z*(eps) - z*(-eps)) / (2 eps)."""
    grad, stars = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        z = [hot(winner(row), len(row)) for row in noisy]
        plus, minus = _coordinate_wise(noisy, wave, z, eps), _coordinate_wise(noisy, wave, z, -eps)
        grad.append(difference(plus, minus, 1 / (2 * eps)))
        stars.append(z)
    return grad, stars


def direct_joint(h, waves, rng, memory, eps):
    """(z*(eps) - z*) / eps, z*(eps) = argmax_z of eps f(z) + sum_i h_i(z_i) + gamma_i(z_i) over all joint values."""
    grad, stars = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        n, k = len(noisy), len(noisy[0])
        z = [hot(winner(row), k) for row in noisy]
        best = max(joint_values(n, k), key=lambda v: eps * wave.f(hots(v, k)) + sum(noisy[i][v[i]] for i in range(n)))
        grad.append(difference(hots(best, k), z, 1 / eps))
        stars.append(z)
    return grad, stars


def _margins(weights, values, n, k):
    """Return sum_z weights(z) [z_i = c]."""
    return [[sum(w for w, z in zip(weights, values) if z[i] == c) for c in range(k)] for i in range(n)]


def _joint(scores, wave):
    """Return all joint values, and q and f of each."""
    n, k, q = len(scores), len(scores[0]), [softmax(row) for row in scores]
    values = joint_values(n, k)
    return values, [math.prod(q[i][z[i]] for i in range(n)) for z in values], [wave.f(hots(z, k)) for z in values]


def _tilt(weights, f, eps):
    """Return (q_eps - q) / eps of every joint value, q_eps = q exp(eps f) / sum q exp(eps f)."""
    tilted = [w * math.exp(eps * (f_z - max(f))) for w, f_z in zip(weights, f)]
    return [(t / sum(tilted) - w) / eps for t, w in zip(tilted, weights)]


def tilted(h, waves, rng, memory, eps):
    """The margins of (q_eps - q) / eps."""
    grad, weights = [], []
    for scores, wave in zip(h, waves):
        values, q, f = _joint(scores, wave)
        grad.append(_margins(_tilt(q, f, eps), values, len(scores), len(scores[0])))
        weights.append(q)
    return grad, weights


def _half(h, waves, eps, push):
    """The margins of q_i (u_i - sum q u), u_i = push(d_i, E exp(eps d)), d_i = f_i - f of the likeliest value."""
    grad, weights = [], []
    for scores, wave in zip(h, waves):
        values, q, f = _joint(scores, wave)
        d = [f_z - f[q.index(max(q))] for f_z in f]
        normaliser = sum(w * math.exp(eps * d_z) for w, d_z in zip(q, d))
        u = [push(d_z, normaliser) for d_z in d]
        mean = sum(w * u_z for w, u_z in zip(q, u))
        grad.append(_margins([w * (u_z - mean) for w, u_z in zip(q, u)], values, len(scores), len(scores[0])))
        weights.append(q)
    return grad, weights


def capped(h, waves, rng, memory, eps):
    """u = (exp(eps d) - 1) / eps for d < 0, d for d > 0."""
    return _half(h, waves, eps, lambda d, normaliser: (math.exp(eps * d) - 1) / eps if d < 0 else d)


def amplified(h, waves, rng, memory, eps):
    """u = (exp(eps d) - 1) / (eps max(1, E exp(eps d))) for d > 0, d for d < 0."""
    return _half(h, waves, eps, lambda d, normaliser:
                 d if d < 0 else (math.exp(eps * d) - 1) / eps / max(1, normaliser))


def noisy_exact(h, waves, rng, memory, eps):
    """exact + (z(eps) - z*) / eps - tilted, with one Gumbel variable for every joint value."""
    exact_grad, weights = exact(h, waves, rng, memory)
    clocks = [[rng.standard_exponential() for _ in row] for row in weights]
    grad, stars = [], []
    for scores, wave, times, plain in zip(h, waves, clocks, exact_grad):
        values, q, f = _joint(scores, wave)
        n, k = len(scores), len(scores[0])
        noisy = [math.log(w) - math.log(e) for w, e in zip(q, times)]
        z = hots(values[winner(noisy)], k)
        moved = hots(values[winner([s + eps * f_z for s, f_z in zip(noisy, f)])], k)
        mean = _margins(_tilt(q, f, eps), values, n, k)
        grad.append([[plain[i][c] + (moved[i][c] - z[i][c]) / eps - mean[i][c] for c in range(k)] for i in range(n)])
        stars.append(z)
    return grad, stars


def local_tilted(h, waves, rng, memory, eps):
    """(softmax(h_i + eps f_i) - softmax(h_i)) / eps, f_i(c) = f of z with z_i = c."""
    grad, stars = [], samples(h, rng)
    for scores, wave, z in zip(h, waves, stars):
        tables = [[wave.f(changed(z, i, c)) for c in range(len(row))] for i, row in enumerate(scores)]
        grad.append([[(p - q) / eps for p, q in zip(softmax([s + eps * f for s, f in zip(row, table)]), softmax(row))]
                     for row, table in zip(scores, tables)])
    return grad, stars


def imle(h, waves, rng, memory, eps):
    """(z(eps) - z*) / eps, z(eps)_i = argmax_c of eps df/dz_i(c) at z* + h_i(c) + gamma_i(c)."""
    grad, stars = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        z = [hot(winner(row), len(row)) for row in noisy]
        moved = [hot(winner([s + eps * g for s, g in zip(row, slope)]), len(row))
                 for row, slope in zip(noisy, wave.slope(z))]
        grad.append(difference(moved, z, 1 / eps))
        stars.append(z)
    return grad, stars


def gumbel_softmax(h, waves, rng, memory, tau):
    """z_i = softmax((h_i + gamma_i) / tau), grad_i = J(z_i) df/dz_i / tau."""
    grad, soft = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        z = [softmax([s / tau for s in row]) for row in noisy]
        grad.append([[g / tau for g in jacobian_times(p, slope)] for p, slope in zip(z, wave.slope(z))])
        soft.append(z)
    return grad, soft


def straight_through(h, waves, rng, memory, tau):
    """The gradient of gumbel_softmax, but with df/dz at the hard sample."""
    grad, hard = [], []
    for noisy, wave in zip(perturbed(h, rng), waves):
        soft = [softmax([s / tau for s in row]) for row in noisy]
        z = [hot(winner(row), len(row)) for row in noisy]
        grad.append([[g / tau for g in jacobian_times(p, slope)] for p, slope in zip(soft, wave.slope(z))])
        hard.append(z)
    return grad, hard


def gumbel_rao(h, waves, rng, memory, tau, m=10):
    """straight_through, averaged over m draws given the arg max b: E_b = E / sum w, E_i = E_b + E' / w_i."""
    hard = samples(h, rng)
    grad = [[[0.0 for _ in row] for row in image] for image in h]
    slopes = [wave.slope(z) for wave, z in zip(waves, hard)]
    for _ in range(m):
        first = [[rng.standard_exponential() for _ in image] for image in h]
        fresh = [[[rng.standard_exponential() for _ in row] for row in image] for image in h]
        for b, image in enumerate(h):
            for i, row in enumerate(image):
                w = [math.exp(score) for score in row]
                waits = [0 if won else E / rate for won, E, rate in zip(hard[b][i], fresh[b][i], w)]
                z = softmax([-math.log(first[b][i] / sum(w) + wait) / tau for wait in waits])
                for c, value in enumerate(jacobian_times(z, slopes[b][i])):
                    grad[b][i][c] += value / (m * tau)
    return grad, hard


def reinmax(h, waves, rng, memory, tau):
    """2 J(pi) g - J(p) g / 2, pi = (softmax(h / tau) + D) / 2, g = df/dz at the sample D."""
    grad, hard = [], samples(h, rng)
    for scores, wave, D in zip(h, waves, hard):
        g = wave.slope(D)
        grad.append([])
        for i, row in enumerate(scores):
            p = softmax(row)
            pi = [(s + d) / 2 for s, d in zip(softmax([s / tau for s in row]), D[i])]
            grad[-1].append([2 * one - two / 2 for one, two in zip(jacobian_times(pi, g[i]), jacobian_times(p, g[i]))])
    return grad, hard


def local_expectation(h, waves, rng, memory):
    """q_i(c) (f_i(c) - sum_o q_i(o) f_i(o)), f_i(c) = f(z with z_i = c), from one sample z."""
    grad, hard = [], samples(h, rng)
    for scores, wave, z in zip(h, waves, hard):
        grad.append([])
        for i, row in enumerate(scores):
            q, f = softmax(row), [wave.f(changed(z, i, c)) for c in range(len(row))]
            mean = sum(q_c * f_c for q_c, f_c in zip(q, f))
            grad[-1].append([q_c * (f_c - mean) for q_c, f_c in zip(q, f)])
    return grad, hard


def reinforce(h, waves, rng, memory):
    """(f(b) - baseline) (b - p); baseline <- 0.99 baseline + 0.01 mean f(b) after the estimate."""
    hard = samples(h, rng)
    f = [wave.f(z) for wave, z in zip(waves, hard)]
    if memory["steps"] == [0]:                                      # no earlier batches: draw one more sample
        other = [wave.f(z) for wave, z in zip(waves, samples(h, rng))]
        memory["baseline"] = [sum(other) / len(other)]
    baseline = memory["baseline"][0]
    grad = [[[(f_b - baseline) * (one - p) for one, p in zip(row, softmax(scores))] for row, scores in zip(z, image)]
            for f_b, z, image in zip(f, hard, h)]
    memory["baseline"] = [DECAY * baseline + (1 - DECAY) * sum(f) / len(f)]
    memory["steps"] = [memory["steps"][0] + 1]
    return grad, hard


def perturbed_score(h, waves, rng, memory):
    """(f(z*) - baseline) (1 - e), e the exponential clocks of the noise; the baseline is that of reinforce."""
    clocks, hard = exponentials(h, rng), []
    for image, times in zip(h, clocks):
        hard.append([hot(winner([s - math.log(e) for s, e in zip(row, clock)]), len(row))
                     for row, clock in zip(image, times)])
    f = [wave.f(z) for wave, z in zip(waves, hard)]
    if memory["steps"] == [0]:
        other = [wave.f(z) for wave, z in zip(waves, samples(h, rng))]
        memory["baseline"] = [sum(other) / len(other)]
    baseline = memory["baseline"][0]
    grad = [[[(f_b - baseline) * (1 - e) for e in clock] for clock in times] for f_b, times in zip(f, clocks)]
    memory["baseline"] = [DECAY * baseline + (1 - DECAY) * sum(f) / len(f)]
    memory["steps"] = [memory["steps"][0] + 1]
    return grad, hard


def leave_one_out(h, waves, rng, memory):
    """(1/2) [(f1 - f2) (b1 - p) + (f2 - f1) (b2 - p)]."""
    one, other = samples(h, rng), samples(h, rng)
    grad = []
    for scores, wave, b1, b2 in zip(h, waves, one, other):
        f1, f2 = wave.f(b1), wave.f(b2)
        grad.append([[0.5 * ((f1 - f2) * (x - p) + (f2 - f1) * (y - p)) for x, y, p in zip(b1[i], b2[i], softmax(row))]
                     for i, row in enumerate(scores)])
    return grad, other


def _coupled(h, rng):
    """Return p, z, b, z~ and d z~ / d log p of each image; all u are drawn before all v."""
    E_u, E_v = exponentials(h, rng), exponentials(h, rng)           # -log u, -log v
    coupled = []
    for scores, times, waits in zip(h, E_u, E_v):
        p = [softmax(row) for row in scores]
        z = [[math.log(q) - math.log(t) for q, t in zip(row, clock)] for row, clock in zip(p, times)]
        b = [winner(row) for row in z]
        given, slope = [], []
        for i, won in enumerate(b):
            first = waits[i][won]                                   # -log v_b
            total = [wait / q + first for wait, q in zip(waits[i], p[i])]
            given.append([-math.log(first) if c == won else -math.log(total[c]) for c in range(len(total))])
            slope.append([0.0 if c == won else waits[i][c] / p[i][c] / total[c] for c in range(len(total))])
        coupled.append((p, z, hots(b, len(scores[0])), given, slope))
    return coupled


def _relaxed(wave, z, tau):
    """Return f(softmax(z / tau)) and its gradient with respect to z."""
    soft = [softmax([s / tau for s in row]) for row in z]
    return wave.f(soft), [[g / tau for g in jacobian_times(p, g)] for p, g in zip(soft, wave.slope(soft))]


def rebar(h, waves, rng, memory, tau, batch_mean=False):
    """grad_{log p} = [f(b) - eta f(z~)] b + eta grad f(z) - eta dz~/dlog p grad f(z~); eta is updated afterwards."""
    drawn = _coupled(h, rng)
    f = [wave.f(b) for wave, (_, _, b, _, _) in zip(waves, drawn)]
    at_z = [_relaxed(wave, z, tau) for wave, (_, z, _, _, _) in zip(waves, drawn)]
    at_given = [_relaxed(wave, given, tau) for wave, (_, _, _, given, _) in zip(waves, drawn)]
    f_given = [score for score, _ in at_given]
    if batch_mean:
        f, f_given = [sum(f)] * len(f), [sum(f_given)] * len(f)
    eta = memory["a_dot_d"][0] / memory["d_dot_d"][0] if memory["d_dot_d"][0] > 0 else 1.0
    grad, a_dot_d, d_dot_d = [], 0.0, 0.0
    for image, (p, _, b, _, slope) in enumerate(drawn):
        grad.append([])
        for i in range(len(p)):
            g, g_given = at_z[image][1][i], at_given[image][1][i]
            of_f = through_log_softmax(p[i], [f[image] * one for one in b[i]])
            of_c = through_log_softmax(p[i], [-f_given[image] * one + g[c] - slope[i][c] * g_given[c]
                                              for c, one in enumerate(b[i])])
            grad[-1].append([a + eta * c for a, c in zip(of_f, of_c)])
            a_dot_d += sum(-a * c for a, c in zip(of_f, of_c))      # d = -(what eta multiplies)
            d_dot_d += sum(c * c for c in of_c)
    memory["a_dot_d"] = [DECAY * memory["a_dot_d"][0] + (1 - DECAY) * a_dot_d / len(h)]
    memory["d_dot_d"] = [DECAY * memory["d_dot_d"][0] + (1 - DECAY) * d_dot_d / len(h)]
    return grad, [b for _, _, b, _, _ in drawn]


def _network(flat, z):
    """r(z) = w2 . tanh(W1 z + b1) + b2 and its gradient; flat holds W1 (d rows), b1, w2, b2, also complex."""
    point, k = [entry for row in z for entry in row], len(z[0])
    d = len(point)
    hidden = (len(flat) - 1) // (d + 2)
    W1, b1 = flat[:d * hidden], flat[d * hidden:(d + 1) * hidden]
    w2, b2 = flat[(d + 1) * hidden:(d + 2) * hidden], flat[-1]
    t = [cmath.tanh(sum(W1[e * hidden + j] * point[e] for e in range(d)) + b1[j]) for j in range(hidden)]
    value = sum(w * t_j for w, t_j in zip(w2, t)) + b2
    slope = [sum(w2[j] * (1 - t[j] ** 2) * W1[e * hidden + j] for j in range(hidden)) for e in range(d)]
    return value, [slope[i * k:(i + 1) * k] for i in range(len(z))]


def _relax_grad(flat, drawn, f, at_z, at_given, batch_mean):
    """grad_{log p} = [f(b) - c(z~)] b + grad c(z) - dz~/dlog p grad c(z~), c = f + r; with respect to h, complex."""
    signal = [f_b - score - _network(flat, given)[0]
              for f_b, (score, _), (_, _, _, given, _) in zip(f, at_given, drawn)]
    if batch_mean:
        signal = [sum(signal)] * len(signal)
    grad = []
    for image, (p, z, b, given, slope) in enumerate(drawn):
        r_z, r_given = _network(flat, z)[1], _network(flat, given)[1]
        f_z, f_given = at_z[image][1], at_given[image][1]
        grad.append([through_log_softmax(p[i], [
            signal[image] * b[i][c] + f_z[i][c] + r_z[i][c] - slope[i][c] * (f_given[i][c] + r_given[i][c])
            for c in range(len(p[i]))]) for i in range(len(p))])
    return grad


def relax(h, waves, rng, memory, tau, batch_mean=False):
    """The gradient, and then one step of Adam on mean_b |grad|^2, whose gradient is computed by complex steps."""
    drawn = _coupled(h, rng)
    f = [wave.f(b) for wave, (_, _, b, _, _) in zip(waves, drawn)]
    at_z = [_relaxed(wave, z, tau) for wave, (_, z, _, _, _) in zip(waves, drawn)]
    at_given = [_relaxed(wave, given, tau) for wave, (_, _, _, given, _) in zip(waves, drawn)]

    def squares(flat):
        grad = _relax_grad(flat, drawn, f, at_z, at_given, batch_mean)
        return sum(g * g for image in grad for row in image for g in row) / len(h)

    grad = _relax_grad(memory["r"], drawn, f, at_z, at_given, batch_mean)
    tiny, r = 1e-30, memory["r"]
    slopes = [squares([v + 1j * tiny * (e == place) for e, v in enumerate(r)]).imag / tiny for place in range(len(r))]
    t = memory["adam_t"][0] + 1
    memory["adam_t"] = [t]
    memory["adam_M"] = [0.9 * M + g for M, g in zip(memory["adam_M"], slopes)]
    memory["adam_V"] = [0.999 * V + g * g for V, g in zip(memory["adam_V"], slopes)]
    memory["r"] = [v - 1e-3 * (0.1 * M / (1 - 0.9**t)) / (math.sqrt(0.001 * V / (1 - 0.999**t)) + 1e-8)
                   for v, M, V in zip(r, memory["adam_M"], memory["adam_V"])]
    return [[[g.real for g in row] for row in image] for image in grad], [b for _, _, b, _, _ in drawn]


def _opposed(h, waves, rng, formula):
    """b1 = [u > sigmoid(-l)], b2 = [u < sigmoid(l)], l = h_1 - h_0; formula(f1 - f2, u, b1, b2, l) is d/dl."""
    u = [[rng.random() for _ in image] for image in h]
    grad, latent = [], []
    for scores, wave, draws in zip(h, waves, u):
        logits = [row[1] - row[0] for row in scores]
        b1 = [draw > sigmoid(-logit) for draw, logit in zip(draws, logits)]
        b2 = [draw < sigmoid(logit) for draw, logit in zip(draws, logits)]
        gap = wave.f(hots(b1, 2)) - wave.f(hots(b2, 2))
        in_l = [formula(gap, *numbers) for numbers in zip(draws, b1, b2, logits)]
        grad.append([[-g, g] for g in in_l])
        latent.append(hots(b2, 2))
    return grad, latent


def arm(h, waves, rng, memory):
    """(f(b1) - f(b2)) (u - 1/2)."""
    return _opposed(h, waves, rng, lambda gap, u, b1, b2, logit: gap * (u - 0.5))


def disarm(h, waves, rng, memory):
    """(1/2) (f(b1) - f(b2)) (-1)^{b2} [b1 != b2] sigmoid(|l|)."""
    return _opposed(h, waves, rng, lambda gap, u, b1, b2, logit:
                    0.5 * gap * (-1) ** b2 * (b1 != b2) * sigmoid(abs(logit)))


REFERENCES = {
    "exact": exact, "direct": direct, "two-sided": two_sided, "direct-joint": direct_joint,
    "tilted": tilted, "capped": capped, "amplified": amplified, "noisy-exact": noisy_exact, "imle": imle,
    "local-tilted": local_tilted,
    "gumbel-softmax": gumbel_softmax, "straight-through-gumbel-softmax": straight_through, "gumbel-rao": gumbel_rao,
    "reinmax": reinmax,
    "local-expectation": local_expectation, "reinforce": reinforce, "reinforce-loo": leave_one_out,
    "perturbed": perturbed_score, "rebar": rebar, "relax": relax, "arm": arm, "disarm": disarm}


# --- pair scores: h(z) = sum_i u_i z_i + sum_{i<j} w_ij z_i z_j, z in {0, 1}^n, theta = (u, w) ------------------------

def _features(z):
    return list(z) + [z[i] * z[j] for i in range(len(z)) for j in range(i + 1, len(z))]


def _pair_score(theta, z):
    return sum(t * phi for t, phi in zip(theta, _features(z)))


def _best(theta, n, extra=lambda z: 0.0):
    return max(joint_values(n, 2), key=lambda z: _pair_score(theta, z) + extra(z))


def _perturbed_pairs(theta, n, rng):
    """u_i + gamma_i(1) - gamma_i(0); the pair scores have no noise."""
    gamma = [[[-math.log(rng.standard_exponential()) for _ in range(2)] for _ in range(n)] for _ in theta]
    return [[t + (noise[e][1] - noise[e][0] if e < n else 0) for e, t in enumerate(row)]
            for row, noise in zip(theta, gamma)]


def _pairs(theta, waves, rng, n, move):
    """Estimate with pair scores.

    move(noisy, wave, z*) returns two joint values and the factor of the difference of their features.
    """
    grad, stars = [], []
    for noisy, wave in zip(_perturbed_pairs(theta, n, rng), waves):
        z = _best(noisy, n)
        to, start, scale = move(noisy, wave, z)
        grad.append([(one - other) * scale for one, other in zip(_features(to), _features(start))])
        stars.append(hots(z, 2))
    return grad, stars


def _tilted(noisy, wave, z, eps):
    """Return the arg max after eps (f(z with z_i = 1) - f(z with z_i = 0)) is added to each u_i."""
    at = hots(z, 2)
    gain = [wave.f(changed(at, i, 1)) - wave.f(changed(at, i, 0)) for i in range(len(z))]
    return _best(noisy, len(z), lambda v: sum(eps * g * one for g, one in zip(gain, v)))


def direct_pairs(theta, waves, rng, n, eps):
    return _pairs(theta, waves, rng, n, lambda noisy, wave, z: (_tilted(noisy, wave, z, eps), z, 1 / eps))


def two_sided_pairs(theta, waves, rng, n, eps):
    return _pairs(theta, waves, rng, n, lambda noisy, wave, z: (
        _tilted(noisy, wave, z, eps), _tilted(noisy, wave, z, -eps), 1 / (2 * eps)))


def joint_pairs(theta, waves, rng, n, eps):
    return _pairs(theta, waves, rng, n, lambda noisy, wave, z: (
        _best(noisy, n, lambda v: eps * wave.f(hots(v, 2))), z, 1 / eps))


def imle_pairs(theta, waves, rng, n, eps):
    def move(noisy, wave, z):
        gain = [row[1] - row[0] for row in wave.slope(hots(z, 2))]
        return _best(noisy, n, lambda v: sum(eps * g * one for g, one in zip(gain, v))), z, 1 / eps

    return _pairs(theta, waves, rng, n, move)


def gumbel_softmax_pairs(theta, waves, rng, n, tau):
    """One Gumbel variable for each joint value; z_i(1) = sum of the weights of all joint values with z_i = 1."""
    values = joint_values(n, 2)
    gamma = [[-math.log(rng.standard_exponential()) for _ in values] for _ in theta]
    grad, soft = [], []
    for row, noise, wave in zip(theta, gamma, waves):
        weights = softmax([(_pair_score(row, z) + g) / tau for z, g in zip(values, noise)])
        ones = [sum(w * z[i] for w, z in zip(weights, values)) for i in range(n)]
        soft.append([[1 - one, one] for one in ones])
        slope = wave.slope(soft[-1])
        gain = [row[1] - row[0] for row in slope]
        of_weights = jacobian_times(weights, [sum(g * one for g, one in zip(gain, z)) for z in values])
        grad.append([sum(g * _features(z)[e] for g, z in zip(of_weights, values)) / tau for e in range(len(row))])
    return grad, soft


REFERENCES_WITH_PAIRS = {"direct": direct_pairs, "two-sided": two_sided_pairs, "direct-joint": joint_pairs,
                         "imle": imle_pairs, "gumbel-softmax": gumbel_softmax_pairs}


# These have no noise: their decoder learns from all joint values, weighted by q.
WITHOUT_NOISE = ("exact", "tilted", "capped", "amplified")

# --- the comparison ---------------------------------------------------------------------------------------------------

SEEDS, SEEDS_OF_PAIRS = 24, 12        # of two images each: some arg maxes change, others do not
SEEDS_WITH_MEMORY, UPDATES = 5, 3


def memory_after_learning(memory, rng):
    """Return the memory of a run that has already learnt, in which no entry is 0."""
    return {name: np.abs(array + 0.3 * rng.normal(size=array.shape)) if name != "adam_t" else array + 7
            for name, array in memory.items()}


def deviation(value, truth) -> float:
    """Return the largest difference, divided by the largest entry if that is above 1."""
    value, truth = np.asarray(value, float), np.asarray(truth, float)
    assert value.shape == truth.shape
    if not np.isfinite(value).all():
        return np.inf                                               # max() may drop NaN
    return float(np.abs(value - truth).max() / max(1, np.abs(truth).max()))


def worst_difference(name, estimate=None, n=2, k=2, value=0.6, dtype=np.float64, old_memory=False, **keywords) -> float:
    """Return the largest difference between an estimator and its reference, in gradient, decoder_term and memory.

    Both start from the same state of the generator, and make several updates of two images if they have a memory.  The
    result is infinite if one draws more random numbers than the other.  estimate replaces that of the registry.
    """
    entry = estimators.get(name)
    estimate = estimate or entry.estimate
    settings = {entry.temperature: value} if entry.temperature else {}
    worst = 0.0
    for seed in range(SEEDS_WITH_MEMORY if entry.memory or name == "gumbel-rao" else SEEDS):    # ten draws each
        rng = np.random.default_rng([seed, n, k])
        toy, memory = Toy(2, n, k, rng), entry.memory(n, k) if entry.memory else {}
        memory = memory_after_learning(memory, rng) if old_memory else memory
        memory_of_loops = {key: array.tolist() for key, array in memory.items()}
        waves = [Wave(toy, image) for image in range(2)]
        rng_of_package, rng_of_loops = (np.random.default_rng(seed) for _ in range(2))
        for _ in range(UPDATES if memory else 1):
            h = rng.normal(size=(2, n, k)).astype(dtype)
            given = {"memory": memory} if memory else {}
            grad, decoder_term = estimate(h, toy, rng_of_package, **settings, **given, **keywords)
            scores = h.astype(float).tolist()
            truth, at = REFERENCES[name](scores, waves, rng_of_loops, memory_of_loops, *settings.values(), **keywords)
            latent = decoder_term.weights if name in WITHOUT_NOISE else decoder_term.z
            worst = max(worst, deviation(grad, truth), deviation(latent, at),
                        *(deviation(memory[key], memory_of_loops[key]) for key in memory))
            if name not in WITHOUT_NOISE:                                  # f must be f of the z that is returned
                f = [wave.f(z) for wave, z in zip(waves, decoder_term.z.tolist())]
                worst = max(worst, deviation(decoder_term.f, f))
            if rng_of_package.bit_generator.state != rng_of_loops.bit_generator.state:
                return np.inf
    return worst


def worst_difference_with_pairs(name, estimate=None, n=3, value=0.6) -> float:
    """Return the largest difference, as worst_difference does, for variables with pair scores."""
    entry, worst, total = estimators.get(name), 0.0, 0
    family = Pairwise(n, solvers.get("enumeration"), False)
    for seed in range(SEEDS_OF_PAIRS):
        rng = np.random.default_rng([seed, n])
        toy, theta = Toy(2, n, 2, rng), rng.normal(size=(2, family.outputs))
        rng_of_package, rng_of_loops = (np.random.default_rng(seed) for _ in range(2))
        grad, decoder_term = (estimate or entry.estimate)(theta, toy, rng_of_package, family=family,
                                                          **{entry.temperature: value})
        waves = [Wave(toy, image) for image in range(2)]
        truth, at = REFERENCES_WITH_PAIRS[name](theta.tolist(), waves, rng_of_loops, n, value)
        worst, total = max(worst, deviation(grad, truth), deviation(decoder_term.z, at)), total + np.abs(truth).sum()
        if rng_of_package.bit_generator.state != rng_of_loops.bit_generator.state:
            return np.inf
    return worst if total > 0 else np.nan                           # a comparison of zeros alone would prove nothing
