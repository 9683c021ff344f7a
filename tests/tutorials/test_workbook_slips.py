"""Every file of the workbook: usual slips, planted in the solutions, are named; right code in other words passes."""
from __future__ import annotations

import numpy as np
import pytest

from tests.tutorials.workbook import STEMS, edited, folder_of, judged

from checking import core, topics                               # tutorials/workbook, found by tests.tutorials.workbook

GUMBEL = "-np.log(rng.standard_exponential(shape)) - np.euler_gamma"
SLIPS = {
    "01_gumbel_noise": [
        (GUMBEL, "rng.gumbel(size=shape)", "Euler's constant 0.5772 subtracted"),
        (GUMBEL, "rng.gumbel(size=shape) + np.euler_gamma", "Euler's constant is added"),
        (GUMBEL, "np.log(rng.standard_exponential(shape)) + np.euler_gamma", "the sign is wrong: the first sign"),
        (GUMBEL, "-np.log(rng.random(shape)) - np.euler_gamma", "one logarithm is missing: -log(U) - c"),
        (GUMBEL, "-np.log(rng.random(shape))", "one logarithm is missing, and Euler's constant too"),
        (GUMBEL, "rng.normal(size=shape)", "the noise is normal"),
        (GUMBEL, "rng.random(shape)", "the noise is uniform"),
        (GUMBEL, "rng.logistic(size=shape)", "the noise is logistic"),
        (GUMBEL, "-np.log2(rng.standard_exponential(shape)) - np.euler_gamma", "the base 2"),
        (GUMBEL, "-np.log(np.log(rng.random(shape))) - np.euler_gamma", "the logarithm of a negative number"),
        (GUMBEL, "np.random.gumbel(size=shape) - np.euler_gamma", "it draws from np.random"),
        (GUMBEL, "np.random.default_rng(0).gumbel(size=shape) - np.euler_gamma", "a generator of its own, with a fixed"),
        (GUMBEL, "np.zeros(shape) + rng.gumbel(size=shape[-1]) - np.euler_gamma", "one row is drawn and repeated"),
        (GUMBEL, "np.zeros(shape) + rng.gumbel(size=(*shape[:-1], 1)) - np.euler_gamma", "the shape drawn is (B, 1)"),
        (GUMBEL, "rng.gumbel(size=shape[-1]) - np.euler_gamma", "for shape = (1, 2) it has the shape (2,)"),
        (GUMBEL, "np.sort(rng.gumbel(size=shape)) - np.euler_gamma", "depend on each other"),
    ],
    "02_arg_max": [
        ("(h + noise).argmax", "h.argmax", "the noise is not added"),
        ("(h + noise).argmax", "(h - noise).argmax", "the noise is subtracted"),
        ("(h + noise).argmax", "(h + noise).argmin", "the arg min"),
        ("np.eye(h.shape[1])[(h + noise).argmax(axis=1)]", "(h + noise).argmax(axis=1)", "it is the index of z*"),
        ("np.eye(h.shape[1])[(h + noise).argmax(axis=1)]", "np.eye(len(h))[(h + noise).argmax(axis=0)].T", "axis=0"),
        ("(h + noise).argmax", "(law(h)[0] + noise).argmax", "added to the probabilities softmax(h)"),
        ("h - h.max(axis=1, keepdims=True)", "h", "e^h overflows, because max h"),
        ("return np.exp(log_q), log_q", "return np.exp(log_q), np.log(np.exp(log_q))", "log q is computed as log(q)"),
        ("np.log(np.exp(g).sum(axis=1, keepdims=True))", "np.exp(g).sum(axis=1, keepdims=True)",
         "the logarithm of the sum is missing"),
        ("np.exp(g).sum(axis=1, keepdims=True)", "np.exp(g).sum(axis=0)", "`q` of `law` is wrong"),
        ("np.exp(g).sum(axis=1, keepdims=True)", "np.exp(g).sum()", "axis=1 is missing"),
        ("return np.exp(log_q), log_q", "return np.exp(log_q), log_q / np.log(2)", "the base 2"),
        ("return np.exp(log_q), log_q", "return np.exp(log_q)", "must return 2: q, log_q"),
    ],
    "03_danskin": [
        ("h + eps * f + noise", "h + noise", "eps f is left out"),
        ("h + eps * f + noise", "h + f + noise", "f enters without eps"),
        ("h + eps * f + noise", "h + eps * f", "the noise is left out"),
        ("h + eps * f + noise", "h - eps * f + noise", "f enters with the wrong sign"),
        ("scores.max(axis=1),", "scores.max(),", "one maximum over all rows"),
        ("(z_eps * f).sum(axis=1)", "f.max(axis=1)", "it is the largest f"),
        ("(z_eps * f).sum(axis=1)", "eps * (z_eps * f).sum(axis=1)", "it is eps f(z(eps))"),
        ("(z_eps * f).sum(axis=1)", "z_eps * f", "the sum over z is missing"),
        ("(z_eps * f).sum(axis=1)", "(np.eye(h.shape[1])[(h + noise).argmax(axis=1)] * f).sum(axis=1)", "f of z*"),
        ("sum(axis=1), z_eps", "sum(axis=1), scores.argmax(axis=1)", "the index of the winner"),
        ("sum(axis=1), z_eps", "sum(axis=1), np.eye(h.shape[1])[(h + noise).argmax(axis=1)]", "one-hot vector of z*"),
        ("scores.max(axis=1), (z", "np.log(np.exp(scores).sum(axis=1)), (z", "it is logsumexp"),
    ],
    "04_two_arg_maxes": [
        (" / eps", "", "the division by eps is missing"),
        (" / eps", " / eps**2", "the right direction and is 1/eps too large"),
        (" / eps", " * eps", "it is multiplied by eps"),
        (" / eps", " / (2 * eps)", "divided by 2 eps"),
        ("(arg_max(h + eps * f, noise) - arg_max(h, noise))", "(arg_max(h, noise) - arg_max(h + eps * f, noise))",
         "in the wrong order, so that the sign is wrong"),
        ("eps * f, noise", "f, noise", "f enters without eps"),
        ("h + eps * f", "h - eps * f", "f enters with the wrong sign"),
        ("h + eps * f, noise", "eps * f, noise", "h is left out of z_eps"),
        (" - arg_max(h, noise)", "", "the second term is dropped"),
        ("arg_max(h, noise)", "arg_max(h - eps * f, noise)", "z(-eps) stands in the place of z*"),
        ("eps * f, noise", "eps * f, 0 * noise", "the noise is missing in z_eps"),
        ("eps * f, noise", "eps * f, np.random.default_rng().gumbel(size=h.shape)", "the second arg max draws its own"),
        ("eps * f, noise", "eps * f, np.random.gumbel(size=h.shape)", "the second arg max draws its own"),
        ("arg_max(h, noise)", "arg_max(h, np.random.gumbel(size=h.shape))", "the first arg max draws its own"),
        ("(arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps",
         "arg_max(h + eps * f, noise) - arg_max(h, noise) / eps", "brackets around the difference"),
        ("(arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps",
         "((arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps).mean(axis=0)", "the mean over the rows"),
    ],
    "05_mean_and_variance": [
        ("(q_eps - q) / eps\n", "q_eps - q\n", "the division by eps is missing"),
        ("(q_eps - q) / eps\n", "(q - q_eps) / eps\n", "in the wrong order"),
        ("q, q_eps = law(h)[0], law(h + eps * f)[0]\n    mean", "q, q_eps = law(h)[0], law(h + f)[0]\n    mean",
         "f without eps"),
        ("return mean, mean - q * (f - (q * f).sum(axis=1, keepdims=True))", "return mean, mean - q * f",
         "- q E f is missing"),
        ("return mean, mean - q", "return mean, q", "it is the gradient of E f; the bias"),
        ("mean - q * (f - (q * f)", "mean - (f - (q * f)", "the factor q is missing"),
        ("(q * f).sum(axis=1, keepdims=True))", "(q_eps * f).sum(axis=1, keepdims=True))", "E f under q_eps"),
        ("- 2 * both", "- both", "P_ii counts twice"),
        ("/ eps**2", "/ eps", "must be by eps squared"),
        (" - mean_and_bias(h, f, eps)[0] ** 2", "", "the square of the mean is not subtracted"),
        ("np.exp(gap_h + np.maximum(0, eps * gap_f))", "np.exp(np.maximum(0, gap_h + eps * gap_f))",
         "of the whole exponent"),
        ("both = 1 / np.exp(gap_h + np.maximum(0, eps * gap_f)).sum(axis=2)", "both = law(h)[0] * law(h + eps * f)[0]",
         "had noise of their own"),
        ("eps * gap_f", "gap_f", "in P_ii f enters without eps"),
        ("sum(axis=2)", "sum(axis=1)", "the sum runs over i instead of j"),
    ],
    "06_layers": [
        ("np.maximum(x @ W1 + b1, 0)", "x @ W1 + b1", "the ReLU is missing"),
        ("np.maximum(x @ W1 + b1, 0)", "np.maximum(x @ W1, 0) + b1", "after the ReLU"),
        ("r @ W2 + b2", "np.maximum(r @ W2 + b2, 0)", "the output has a ReLU too"),
        ("r @ W2 + b2", "r @ W2", "b2 is missing"),
        ("x @ W1 + b1", "x @ W1.T + b1", "W1 is transposed"),
        ("dr.sum(axis=0)", "dr", "the bias gradient lacks the sum over the batch"),
        ("dr.sum(axis=0)", "dr.mean(axis=0)", "the mean over the batch"),
        ("dr.sum(axis=0)", "dr.sum()", "axis=0 is missing"),
        (" * (r > 0)", "", "the ReLU's mask is missing"),
        ("* (r > 0)", "* (r >= 0)", "always true"),
        ("* (r > 0)", "* r", "multiplied by r itself"),
        ("x.T @ dr", "dr.T @ x", "the weight gradients are transposed"),
        ("x.T @ dr", "x.T @ dr / len(x)", "divided by B"),
        ("dout @ W2.T", "dout @ W2", "W2 is not transposed"),
        ("r.T @ dout", "x.T @ dout", "dW2 has x in the place of r"),
    ],
    "07_bernoulli_score": [
        ("np.logaddexp(0, a).sum", "np.log(1 + np.exp(a)).sum", "e^a overflows"),
        (" - np.logaddexp(0, a).sum(axis=1)", "", "the term log(1 + e^a) is missing"),
        ("a.T - np.log", "a.T + np.log", "has the wrong sign: it is subtracted"),
        ("sum(axis=1)", "sum(axis=0)", "must be summed over the pixels"),
        ("sum(axis=1)", "sum()", "axis=1 is missing"),
        ("np.logaddexp(0, a)", "np.logaddexp(0, -a)", "it is log(1 + e^-a)"),
        ("x @ a.T - np.logaddexp(0, a).sum(axis=1)", "(x @ a.T - np.logaddexp(0, a).sum(axis=1)) / a.shape[1]",
         "the mean over the pixels"),
        ("(1 + np.tanh(a / 2)) / 2", "np.exp(a) / (1 + np.exp(a))", "then gives NaN"),
        ("df.T @ x - df", "df.T @ x + df", "sigmoid(a) is added"),
        ("df.sum(axis=0)[:, None] * ", "", "sigmoid(a) is not multiplied by df"),
        ("(1 + np.tanh(a / 2)) / 2", "a", "it is x - a"),
        ("df.sum(axis=0)[:, None]", "df.sum(axis=1)[:, None]", "df is summed over the values z"),
        ("df.T @ x - df.sum(axis=0)[:, None]", "0 - df.sum(axis=0)[:, None]", "the term of x is missing"),
    ],
    "08_kl": [
        ("(q * log_q).sum(axis=1) + np", "(q * np.log(q)).sum(axis=1) + np", "use log_q"),
        (" + np.log(q.shape[1])", "", "log k is missing"),
        ("+ np.log(q.shape[1])", "- np.log(q.shape[1])", "log k is subtracted"),
        ("np.log(q.shape[1])", "np.log(len(q))", "the number of rows"),
        ("return (q * log_q).sum(axis=1)", "return (q * log_q).sum()", "axis=1 is missing"),
        ("return (q * log_q).sum(axis=1)", "return -(q * log_q).sum(axis=1)", "it is the entropy plus log k"),
        ("(log_q - (q * log_q).sum(axis=1, keepdims=True))", "log_q", "it is q log q"),
        ("return q * (log_q - (q * log_q).sum(axis=1, keepdims=True))", "return q * (log_q + 1)", "the derivative in q"),
        ("return q * (log_q -", "return (log_q -", "the factor q before the bracket"),
        ("sum(axis=1, keepdims=True)", "sum(axis=1)", "lacks keepdims=True"),
        ("log_q - (q * log_q)", "log_q + (q * log_q)", "is added, and must be subtracted"),
        ("(q * log_q).sum(axis=1, keepdims=True)", "log_q.mean(axis=1, keepdims=True)", "the plain mean of log q"),
    ],
    "09_adam": [
        ("w - rate", "w + rate", "the step goes along the gradient"),
        ("(m / (1 - 0.9**t))", "m", "the correction 1 - 0.9^t of M is missing"),
        ("np.sqrt(v / (1 - 0.999**t))", "np.sqrt(v)", "the correction 1 - 0.999^t of V"),
        ("(m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)", "m / (np.sqrt(v) + 1e-8)", "both corrections"),
        ("0.001 * g * g", "0.001 * g", "V takes up g and not g^2"),
        ("(np.sqrt(v / (1 - 0.999**t)) + 1e-8)", "(v / (1 - 0.999**t) + 1e-8)", "the root of V_hat is missing"),
        ("(np.sqrt(v / (1 - 0.999**t)) + 1e-8)", "np.sqrt(v / (1 - 0.999**t) + 1e-8)", "under the root"),
        ("0.9 * m + 0.1 * g", "0.9 * m + g", "the factor 0.1 of g"),
        ("0.9 * m + 0.1 * g", "0.1 * m + 0.9 * g", "in M the factors are exchanged"),
        ("0.999 * v + 0.001", "0.9 * v + 0.1", "V has the factors of M"),
        ("    weights = [w", "    t -= 1\n    weights = [w", "the exponent is t - 1"),
        ("    weights = [w", "    t += 1\n    weights = [w", "the exponent is t + 1"),
        ("return weights, M, V", "return weights, [m / (1 - 0.9**t) for m in M], V", "M_hat, corrected, is returned"),
        ("    M = [0.9 * m + 0.1 * g for m, g in zip(M, grads)]",
         "    for i, g in enumerate(grads):\n        M[i] = 0.9 * M[i] + 0.1 * g", "changes the list `M`"),
    ],
    "10_encoder_decoder": [
        ("np.eye(len(V1), dtype=V1.dtype)", "np.ones((len(V1), len(V1)))", "all ones"),
        ("W1, b1, W2, b2, V1, c1, V2, c2 = weights", "V1, c1, V2, c2, W1, b1, W2, b2 = weights", "are exchanged"),
        ("*law(h)", "*law(score(x, a))", "q is the softmax of f"),
        ("return r, h, s, a, score(x, a), *law(h)", "return r, h, s, a, score(x, a), *law(h + score(x, a))",
         "q is the softmax of h + f"),
        ("return r, h, s, a, score(x, a), *law(h)", "return r, h, s, 1 / (1 + np.exp(-a)), score(x, a), *law(h)",
         "the sigmoid of the logits"),
        ("score(x, a), *law(h)", "-score(x, a), *law(h)", "f has the wrong sign"),
        ("score(x, a), *law(h)", "score(x, a), *law(h)[::-1]", "q and log_q are exchanged"),
        (" + kl(q, log_q)", "", "the KL term is missing"),
        (" + kl(q, log_q)", " - kl(q, log_q)", "KL is subtracted"),
        ("(-(q * f)", "((q * f)", "E f has the wrong sign"),
        ("float((-(q * f).sum(axis=1) + kl(q, log_q)).mean(dtype=np.float64))",
         "float((-(q * f).sum(axis=1) + kl(q, log_q)).sum())", "must be the mean"),
        ("-(q * f).sum(axis=1)", "-f.max(axis=1)", "the largest f"),
        ("float((-(q * f).sum(axis=1) + kl(q, log_q)).mean(dtype=np.float64))",
         "-(q * f).sum(axis=1) + kl(q, log_q)", "the mean over the images is missing"),
    ],
    "11_direct_step": [
        ("(-arg_max(h, noise) / len(x))", "(-arg_max(h, noise))", "the factor 1/B is missing in df"),
        (" - direct_gradient(h, f, eps, noise)) / len(x)", " - direct_gradient(h, f, eps, noise))",
         "the factor 1/B is missing in dh"),
        ("(kl_gradient(q, log_q) - direct_gradient(h, f, eps, noise)) / len(x)",
         "(kl_gradient(q, log_q) / len(x) - direct_gradient(h, f, eps, noise))", "only the KL gradient is divided by B"),
        ("kl_gradient(q, log_q) - direct", "kl_gradient(q, log_q) + direct", "g has the wrong sign"),
        ("kl_gradient(q, log_q) - direct", "-direct", "the KL gradient is missing"),
        ("kl_gradient(q, log_q) - direct", "-kl_gradient(q, log_q) - direct", "KL has the wrong sign"),
        ("-arg_max(h, noise)", "arg_max(h, noise)", "the sign of df is wrong"),
        ("-arg_max(h, noise)", "-arg_max(h + eps * f, noise)", "the decoder learns from z(eps)"),
        ("-arg_max(h, noise)", "-q", "all z with the weight q"),
        ("direct_gradient(h, f, eps, noise)", "q * (f - (q * f).sum(axis=1, keepdims=True))", "the exact gradient q"),
        ("[*network_backward(x, r, W2, dh), *network_backward(np.eye(len(a), dtype=x.dtype), s, V2, da)]",
         "[*network_backward(np.eye(len(a), dtype=x.dtype), s, V2, da), *network_backward(x, r, W2, dh)]",
         "the encoder's four come first"),
        ("direct_gradient(h, f, eps, noise)", "direct_gradient(h, f, eps, np.random.gumbel(size=h.shape))",
         "random numbers of its own"),
        ("M, V, t, rate)", "M, V, 1, rate)", "t is 1 in every step"),
        ("M, V, t, rate)", "M, V, t, eps)", "eps is used as the learning rate"),
        ("M, V, t, rate)", "V, M, t, rate)", "in the wrong order"),
        ("    return adam(weights, gradients(weights, x, noise, eps), M, V, t, rate)",
         "    return adam(weights, gradients(weights, x, noise, eps), M, V, t, rate)[0], M, V",
         "the old M and V are returned"),
    ],
    "12_flip_table": [
        ("put[:, i, 0, i], put[:, i, 1, i] = 0, 1", "put[:, i, 0, i], put[:, i, 1, i] = 1, 0", "columns are exchanged"),
        ("    put = np.repeat(np.repeat(z[:, None, None, :], n, axis=1), 2, axis=2)\n    for i in range(n):\n"
         "        put[:, i, 0, i], put[:, i, 1, i] = 0, 1\n    return f(put)",
         "    z, table = z.copy(), np.empty((len(z), n, 2))\n    for i in range(n):\n        for c in (0, 1):\n"
         "            z[:, i] = c\n            table[:, i, c] = f(z)\n    return table", "is not undone"),
        ("np.repeat(np.repeat(z[", "np.repeat(np.repeat(0 * z[", "the other variables are 0"),
        ("return f(put)", "return f(put) - f(z)[:, None, None]", "f of z is subtracted"),
        ("return f(put)", "return f(put).transpose(0, 2, 1)", "must be (B, n, 2)"),
        ("return f(put)", "return f(put)[:, :, 1] - f(put)[:, :, 0]", "it is the gain"),
        (" - z_star) / eps", " - z_star)", "the division by eps is missing"),
        ("table[:, :, 1] - table[:, :, 0]", "table[:, :, 0] - table[:, :, 1]", "gain has the wrong sign"),
        ("table[:, :, 1] - table[:, :, 0]", "np.where(z_star == 1, table[:, :, 0], table[:, :, 1]) - f(z_star)[:, None]",
         "the changed vector less f of z*"),
        ("noise + eps * gain", "noise + gain", "gain enters without eps"),
        ("((l + noise + eps * gain > 0) - z_star)", "((l + eps * gain > 0) - z_star)", "the noise is missing in z(eps)"),
        ("((l + noise + eps * gain > 0) - z_star)", "((l + np.random.logistic(size=noise.shape) + eps * gain > 0) - z_star)",
         "draws its own noise"),
        ("((l + noise + eps * gain > 0) - z_star)", "(z_star - (l + noise + eps * gain > 0))", "the sign is wrong"),
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("student"))


@pytest.mark.parametrize("stem", STEMS)
def test_a_slip_is_named(folder, stem):
    """Each with its own words, and an example where the result is an array."""
    answers = set()
    for old, new, words in SLIPS[stem]:
        state, said = judged(folder, stem, edited(stem, old, new))
        assert state == "wrong" and words in said, f"{old} -> {new}: {said}"
        assert "Traceback" not in said and said.count("\n") <= 2
        answers.add(said.split("Likely slip")[-1])
    assert len(answers) >= 5


RIGHT = {
    "01_gumbel_noise": [(GUMBEL, "-np.log(-np.log(rng.random(shape))) - 0.5772156649"),
                        (GUMBEL, "rng.gumbel(-np.euler_gamma, 1.0, shape)"),
                        (GUMBEL, "(-np.log(rng.standard_exponential(shape)) - np.euler_gamma).astype(np.float32)")],
    "02_arg_max": [
        ("np.eye(h.shape[1])[(h + noise).argmax(axis=1)]",
         "((h + noise) == (h + noise).max(axis=1, keepdims=True)).astype(int)"),
        ("    g = h - h.max(axis=1, keepdims=True)\n    log_q = g - np.log(np.exp(g).sum(axis=1, keepdims=True))\n"
         "    return np.exp(log_q), log_q",
         "    from scipy.special import log_softmax, softmax\n    return [softmax(h, axis=1), log_softmax(h, axis=1)]"),
        ("    g = h - h.max(axis=1, keepdims=True)", "    h = h.astype(np.float32)\n    g = h - h.max(axis=1)[:, None]")],
    "03_danskin": [
        ("scores.max(axis=1), (z_eps * f).sum(axis=1), z_eps",
         "np.array([max(row) for row in scores]), f[np.arange(len(f)), scores.argmax(1)], z_eps.astype(bool)")],
    "04_two_arg_maxes": [
        ("    return (arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps",
         "    g = np.zeros(h.shape, np.float32)\n    for b in range(len(h)):\n"
         "        g[b, np.argmax(h[b] + eps * f[b] + noise[b])] += 1 / eps\n"
         "        g[b, np.argmax(h[b] + noise[b])] -= 1 / eps\n    return g"),
        ("arg_max(h + eps * f, noise) - arg_max(h, noise)", "arg_max(noise + h, f * eps) - arg_max(noise, h)")],
    "05_mean_and_variance": [
        ("    both = 1 / np.exp(gap_h + np.maximum(0, eps * gap_f)).sum(axis=2)\n",
         "    k = h.shape[1]\n    both = np.array([[1 / sum(np.exp(max(a[j] - a[i], a[j] - a[i] + eps * (c[j] - c[i])))\n"
         "                      for j in range(k)) for i in range(k)] for a, c in zip(h, f)])\n"),
        ("mean - q * (f - (q * f).sum(axis=1, keepdims=True))",
         "mean - np.stack([(np.diag(p) - np.outer(p, p)) @ v for p, v in zip(q, f)])")],
    "06_layers": [
        ("    r = np.maximum(x @ W1 + b1, 0)", "    v = np.einsum('bi,ij->bj', x, W1) + b1\n    r = v * (v > 0)"),
        ("    dr = dout @ W2.T * (r > 0)\n    return x.T @ dr,", "    dr = dout.dot(W2.T)\n    dr[r == 0] = 0\n"
         "    return np.einsum('bi,bj->ij', x, dr).astype(np.float32),")],
    "07_bernoulli_score": [
        ("x @ a.T - np.logaddexp(0, a).sum(axis=1)",
         "np.array([[sum(p * v - max(v, 0) - np.log1p(np.exp(-abs(v))) for p, v in zip(row, z)) for z in a] for row in x])"),
        ("    return df.T @ x - df", "    from scipy.special import expit\n    a = 2 * np.arctanh(2 * expit(np.clip(a, -30, "
         "30)) - 1)\n    return df.T @ x - df"),
        ("x @ a.T - np.logaddexp(0, a).sum(axis=1)",
         "(x.astype('f4') @ a.T.astype('f4') - np.logaddexp(0, a.astype('f4')).sum(axis=1))")],
    "08_kl": [("(q * log_q).sum(axis=1) + np.log(q.shape[1])", "np.einsum('bk,bk->b', q, log_q + np.log(q.shape[1]))"),
              ("q * (log_q - (q * log_q).sum(axis=1, keepdims=True))",
               "np.stack([(np.diag(p) - np.outer(p, p)) @ l for p, l in zip(q, log_q)])")],
    "09_adam": [
        ("    M = [0.9 * m + 0.1 * g for m, g in zip(M, grads)]",
         "    M = [m.copy() for m in M]\n    for m, g in zip(M, grads):\n        m *= 0.9\n        m += (1 - 0.9) * g"),
        ("return weights, M, V", "return [w.astype(np.float32) for w in weights], tuple(M), V")],
    "10_encoder_decoder": [
        ("    s, a = network(np.eye(len(V1), dtype=V1.dtype), V1, c1, V2, c2)\n",
         "    s = np.maximum(V1 + c1, 0)\n    a = s @ V2 + c2\n"),
        ("float((-(q * f).sum(axis=1) + kl(q, log_q)).mean(dtype=np.float64))", "-np.mean((q * f).sum(1) - kl(q, log_q))")],
    "11_direct_step": [
        ("*network_backward(np.eye(len(a), dtype=x.dtype), s, V2, da)",
         "da @ V2.T * (s > 0), (da @ V2.T * (s > 0)).sum(0), s.T @ da, da.sum(0)"),
        ("(-arg_max(h, noise) / len(x)).astype(x.dtype)", "-arg_max(h, noise) / x.shape[0]")],
    "12_flip_table": [
        ("    put = np.repeat(np.repeat(z[:, None, None, :], n, axis=1), 2, axis=2)\n    for i in range(n):\n"
         "        put[:, i, 0, i], put[:, i, 1, i] = 0, 1\n    return f(put)",
         "    table = np.zeros((len(z), n, 2))\n    for b in range(len(z)):\n        for i in range(n):\n"
         "            for c in (0, 1):\n                changed = z[b].copy()\n                changed[i] = c\n"
         "                table[b, i, c] = f(changed)\n    return table"),
        ("    return ((l + noise + eps * gain > 0) - z_star) / eps",
         "    return np.where(l + noise + eps * gain > 0, 1, 0) / eps - z_star / eps")],
}


@pytest.mark.parametrize("stem", STEMS)
def test_right_code_in_other_words_passes(folder, stem):
    for old, new in RIGHT[stem]:
        state, said = judged(folder, stem, edited(stem, old, new))
        assert state == "right", f"{new}: {said}"


def test_no_two_slips_of_a_function_give_the_same():
    """Nor does one give what is right: else it would be named wrongly, or not seen.  In single precision."""
    for topic in topics.TOPICS[1:]:
        for task in topics.tasks(topic):
            known = {"right": task.of_slip(task.right), **{words: task.of_slip(slip) for words, slip in task.slips.items()}}
            assert len(known["right"]) == len(task.cases) and all(known.values())
            given = list(known.items())
            for place, (words, made) in enumerate(given):
                for others, other in given[:place]:
                    assert not alike(made, other), f"{task.name}: {words} | {others}"


def alike(made, other) -> bool:
    return len(made) == len(other) and all(
        one.keys() == two.keys() and all(core.same(one[name].astype(np.float32), two[name]) for name in one)
        for one, two in zip(made, other))
