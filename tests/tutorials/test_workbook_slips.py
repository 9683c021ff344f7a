"""Every file of the workbook: common errors in the solutions are named, and equivalent correct code passes."""
from __future__ import annotations

import ast

import numpy as np
import pytest

from tests.tutorials.workbook import STEMS, edited, folder_of, judged, solution
from tests.tutorials.workbook_slips import GUMBEL, SLIPS

from checking import auto_encoder, core, direct_step, flips, layers, topics, two_arg_maxes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("student"))


@pytest.mark.parametrize("stem", STEMS)
def test_common_errors_are_named(folder, stem):
    """Each error gets the expected words, and the first lines of the answers differ."""
    answers = set()
    for old, new, words in SLIPS[stem]:
        state, output = judged(folder, stem, edited(stem, old, new))
        assert state == "wrong" and words in output, f"{old} -> {new}: {output}"
        assert "Traceback" not in output and output.count("\n") <= 2
        answers.add(output.splitlines()[0])
    assert len(answers) >= 5


def test_short_shape_is_not_explained_as_a_missing_size_argument(folder):
    state, output = judged(folder, "01_gumbel_noise", edited("01_gumbel_noise", GUMBEL, "rng.gumbel(size=shape[-1])"))
    assert state == "wrong" and output.endswith("for shape = (1, 2) it has the shape (2,).")


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
        ("    g = h - h.max(axis=1, keepdims=True)",
         "    h = h.astype(np.float32)\n    g = h - h.max(axis=1)[:, None]")],
    "03_danskin": [
        ("scores.max(axis=1), (z_eps * f).sum(axis=1), z_eps",
         "np.array([max(row) for row in scores]), f[np.arange(len(f)), scores.argmax(1)], z_eps.astype(int)")],
    "04_two_arg_maxes": [
        ("    return (arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps",
         "    g = np.zeros(h.shape, np.float32)\n    for b in range(len(h)):\n"
         "        g[b, np.argmax(h[b] + eps * f[b] + noise[b])] += 1 / eps\n"
         "        g[b, np.argmax(h[b] + noise[b])] -= 1 / eps\n    return g"),
        ("arg_max(h + eps * f, noise) - arg_max(h, noise)", "arg_max(noise + h, f * eps) - arg_max(noise, h)")],
    "05_mean_and_variance": [
        ("    both = 1 / np.exp(gap_h + np.maximum(0, eps * gap_f)).sum(axis=2)\n",
         "    k = h.shape[1]\n    both = np.array([[1 / sum(np.exp(a[j] - a[i] + max(0, eps * (c[j] - c[i])))\n"
         "                      for j in range(k)) for i in range(k)] for a, c in zip(h, f)])\n"),
        ("mean - q * (f - (q * f).sum(axis=1, keepdims=True))",
         "mean - np.stack([(np.diag(p) - np.outer(p, p)) @ v for p, v in zip(q, f)])")],
    "06_layers": [
        ("    r = np.maximum(x @ W1 + b1, 0)", "    v = np.einsum('bi,ij->bj', x, W1) + b1\n    r = v * (v > 0)"),
        ("    dr = dout @ W2.T * (r > 0)\n    return x.T @ dr,", "    dr = dout.dot(W2.T)\n    dr[r == 0] = 0\n"
         "    return np.einsum('bi,bj->ij', x, dr).astype(np.float32),")],
    "07_bernoulli_score": [
        ("x @ a.T - np.logaddexp(0, a).sum(axis=1)",
         "np.array([[sum(p * v - max(v, 0) - np.log1p(np.exp(-abs(v))) for p, v in zip(row, z)) for z in a]\n"
         "                     for row in x])"),
        ("    return df.T @ x - df.sum(axis=0)[:, None] * (1 + np.tanh(a / 2)) / 2",
         "    from scipy.special import expit\n"
         "    return sum(np.outer(df[b], x[b]) - df[b][:, None] * expit(a) for b in range(len(x)))"),
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
        ("    s, a = network(np.eye(len(V1), dtype=x.dtype), V1, c1, V2, c2)\n",
         "    s = np.maximum(V1 + c1, 0)\n    a = s @ V2 + c2\n"),
        ("float((-(q * f).sum(axis=1) + kl(q, log_q)).mean(dtype=np.float64))", 
         "-np.mean((q * f).sum(1) - kl(q, log_q))")],
    "11_direct_step": [
        ("*network_backward(np.eye(len(a), dtype=x.dtype), s, V2, da)",
         "da @ V2.T * (s > 0), (da @ V2.T * (s > 0)).sum(0), s.T @ da, da.sum(0)"),
        ("(-arg_max(h, noise) / len(x)).astype(x.dtype)", "-arg_max(h, noise).astype(x.dtype) / x.shape[0]")],
    "12_flip_table": [
        ("    put = np.repeat(np.repeat(z[:, None, None, :], n, axis=1), 2, axis=2)\n    for i in range(n):\n"
         "        put[:, i, 0, i], put[:, i, 1, i] = 0, 1\n    return f(put)",
         "    table = np.zeros((len(z), n, 2))\n    for b in range(len(z)):\n        for i in range(n):\n"
         "            for c in (0, 1):\n                changed = z[b].copy()\n                changed[i] = c\n"
         "                table[b, i, c] = f(changed)\n    return table"),
        ("    return ((l + noise + eps * gain > 0) - z_star) / eps",
         "    return np.where(l + noise + eps * gain > 0, 1, 0) / eps - z_star / eps")],
    "13_matching": [
        ("z[b][linear_sum_assignment(theta[b], maximize=True)] = 1",
         "z[b] = np.eye(len(z[b]))[linear_sum_assignment(-theta[b])[1]]"),
        ("    z = np.zeros(theta.shape)\n    for b in range(len(theta)):\n"
         "        z[b][linear_sum_assignment(theta[b], maximize=True)] = 1\n    return z",
         "    import itertools\n    n = theta.shape[1]\n"
         "    every = np.eye(n)[list(itertools.permutations(range(n)))]\n"
         "    return every[np.einsum('bij,kij->bk', theta, every).argmax(axis=1)].astype(np.int8)"),
        ("    return (matching(theta + eps * c + noise) - matching(theta + noise)) / eps",
         "    noisy = theta + noise\n    return matching(noisy + eps * c) / eps - matching(noisy) / eps")],
}


@pytest.mark.parametrize("stem", STEMS)
def test_equivalent_correct_code_passes(folder, stem):
    for old, new in RIGHT[stem]:
        state, output = judged(folder, stem, edited(stem, old, new))
        assert state == "right", f"{new}: {output}"


SINGLE = """
def single(value):
    if isinstance(value, list):
        return [single(each) for each in value]
    return value.astype(np.float32) if isinstance(value, np.ndarray) else value
"""


@pytest.mark.parametrize("stem", STEMS[1:])
def test_correct_code_in_single_precision_passes(folder, stem):
    """Every function first converts its arguments to float32."""
    tree = ast.parse(solution(stem))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.body[1:1] = [ast.parse(f"{each.arg} = single({each.arg})").body[0] for each in node.args.args]
    assert judged(folder, stem, ast.unparse(tree) + SINGLE) == ("right", "")


def test_all_slips_of_a_function_give_different_results():
    """No slip gives the correct result either, even in single precision: it would be named wrongly or not detected."""
    for topic in topics.TOPICS[1:]:
        for task in topics.tasks(topic):
            known = {"right": task.rights, **task.known}
            assert len(known["right"]) == len(task.cases) and all(known.values())
            variants = list(known.items())
            for place, (words, results) in enumerate(variants):
                for other_words, other_results in variants[:place]:
                    assert not alike(results, other_results), f"{task.name}: {words} | {other_words}"


def test_no_case_is_nearly_a_tie():
    """Rounding or single precision must not change a winner or the sign of the input of a ReLU."""
    gaps = []

    def winner(scores):
        ordered = np.sort(scores, axis=1)
        gaps.append((ordered[:, -1] - ordered[:, -2]).min())

    for case in [*two_arg_maxes.TASKS[0].cases, *direct_step.CASES]:
        h, f = (case["h"], case["f"]) if "h" in case else auto_encoder.forward(case["weights"], case["x"])[1:5:3]
        winner(h + case["noise"])
        winner(h + case["noise"] + case["eps"] * f)
    for f, l, noise, eps in (case.values() for case in flips.DIRECT_CASES):
        gain = np.diff(flips.flip_table(f, (l + noise > 0) * 1.0), axis=2)[:, :, 0]
        gaps += [np.abs(l + noise).min(), np.abs(l + noise + eps * gain).min()]
    for W1, b1, _, _, V1, c1, _, _ in (case["weights"] for case in [*auto_encoder.CASES, *direct_step.CASES]):
        gaps.append(np.abs(V1 + c1).min())
    gaps += [np.abs(case["x"] @ case["W1"] + case["b1"]).min() for case in layers.FORWARD_CASES]
    assert len(gaps) > 20 and min(gaps) > 3e-4


def alike(results, other_results) -> bool:
    return len(results) == len(other_results) and all(
        one.keys() == two.keys() and all(core.same(one[name].astype(np.float32), two[name]) for name in one)
        for one, two in zip(results, other_results))
