"""The solutions of the workbook agree with refimpl/one_page.py, and the workbook is the solutions without bodies."""
from __future__ import annotations

import ast
import re
import sys

import numpy as np
import pytest

from refimpl import data, estimators, exact, gumbel, one_page
from refimpl.latent import sets
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE
from tests.tutorials.workbook import SOLUTIONS, STEMS, WORKBOOK, solution

from checking import auto_encoder, bernoulli, command, flips, kl, layers, process, topics, training


@pytest.fixture(scope="module")
def modules():
    before = list(sys.path)
    yield {topic.stem: topics.loaded(SOLUTIONS, topic) for topic in topics.TOPICS}
    sys.path[:] = before
    for stem in STEMS:
        sys.modules.pop(stem, None)


@pytest.fixture
def page() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return weights in float64, 100 images, and Gumbel noise."""
    rng = np.random.default_rng(5)
    weights = one_page.initialise(rng, np.float64)
    weights[2] *= 20                                            # scores that differ, so that q is not uniform
    x = data.load("mnist", limit=100).train.images(slice(0, 100), np.float64)
    return weights, x, one_page.gumbel((100, one_page.K), rng)


def test_check_accepts_every_solution(capsys, monkeypatch):
    monkeypatch.setattr(process, "run", lambda work, arguments, *more: work(*arguments))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("checking.progress.write", lambda folder, right: None)
    assert command.run([str(topic.number) for topic in topics.TOPICS], SOLUTIONS, 20.0) == 0
    assert capsys.readouterr().out.count(": right\n") == 13


def test_training_step_of_the_solutions_agrees_with_one_page(modules, page):
    """Three steps from the same weights and noise agree to 1e-12 in double precision."""
    weights, x, noise = page
    step = modules["11_direct_step"].step
    solution_result, M, V = weights, *([np.zeros_like(w) for w in weights] for _ in range(2))
    page_result, sums, squares = weights, M, V
    for t in (1, 2, 3):
        solution_result, M, V = step(solution_result, M, V, t, x, np.roll(noise, t), one_page.EPS, one_page.RATE)
        grads = one_page.gradients(page_result, x, np.roll(noise, t), one_page.EPS)
        page_result, sums, squares = one_page.adam(page_result, grads, sums, squares, t)
        for one, other, start in zip(solution_result, page_result, weights):
            assert np.abs(one - start).max() > 5e-4
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_functions_of_the_solutions_agree_with_one_page(modules, page):
    weights, x, noise = page
    pairs = [(modules["10_encoder_decoder"].forward(weights, x), one_page.forward(weights, x)),
             ([modules["10_encoder_decoder"].bound(weights, x)], [one_page.bound(weights, x)]),
             (modules["11_direct_step"].gradients(weights, x, noise, 0.7), one_page.gradients(weights, x, noise, 0.7)),
             ([modules["01_gumbel_noise"].gumbel((3, 2), np.random.default_rng(1))],
              [one_page.gumbel((3, 2), np.random.default_rng(1))])]
    for solution_result, page_result in pairs:
        for one, other in zip(solution_result, page_result, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_training_in_single_precision_agrees_with_one_page(modules):
    rng, images = np.random.default_rng(0), data.load("mnist", limit=200).train
    (weights,) = training.epochs(modules, images, rng, 1)
    (expected,) = one_page.train(images, np.random.default_rng(0), 1)
    for one, other in zip(weights, expected):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_formulas_of_the_check_agree_with_the_package():
    """The check has its own formulas where slips are variants of a formula."""
    for case in kl.CASES:
        np.testing.assert_allclose(kl.kl(**case), exact.kl(case["log_q"]), rtol=0, atol=1e-12)
    for case in auto_encoder.CASES:
        for one, other in zip(auto_encoder.forward(**case), one_page.forward(**case)):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
        assert abs(auto_encoder.right(**case) - one_page.bound(**case)) < 1e-12


def differences(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Return the derivative of a number with respect to each entry of an array, by central differences."""
    derivative = np.empty_like(at)
    for place in np.ndindex(at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        derivative[place] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return derivative


def test_gradients_of_the_check_agree_with_differences():
    x, r, W2, dout = layers.CASES[1].values()
    weights = {name: value for name, value in layers.FORWARD_CASES[1].items() if name != "x"}
    loss = lambda **changed: (layers.network(x, **{**weights, **changed})[1] * dout).sum()
    for name, right in zip(("W1", "b1", "W2", "b2"), layers.backward(x, r, W2, dout)):
        expected = differences(lambda value: loss(**{name: value}), weights[name])
        np.testing.assert_allclose(right, expected, rtol=0, atol=1e-7)
    x, a, df = bernoulli.BACK_CASES[2].values()
    np.testing.assert_allclose(bernoulli.back(x, a, df), differences(
        lambda value: (bernoulli.score(x, value) * df).sum(), a), rtol=0, atol=1e-7)
    h = kl.H[3]
    np.testing.assert_allclose(kl.kl_gradient(**kl.CASES[3]), differences(
        lambda value: exact.kl(value).sum(), h), rtol=0, atol=1e-8)


def test_solution_for_flips_agrees_with_the_package(modules):
    """Compare the tables of single changes of all z, and the estimates with the same noise."""
    model = VAE(Independent(3, 2), hidden=5, pixels=6, dtype=np.float64)
    model.initialise(np.random.default_rng(3))
    x = np.repeat(auto_encoder.images(1, 6, 4), 8, axis=0)

    def f(z):
        a = model.decoder.forward(np.stack([1 - z, z], axis=-1).reshape(-1, 6))
        return (a @ x[0] - np.logaddexp(0, a).sum(axis=1)).reshape(z.shape[:-1])

    z, flip_table = flips.every(3), modules["12_flip_table"].flip_table
    table = model.objective(x).table(np.stack([1 - z, z], axis=-1)).f
    np.testing.assert_allclose(flip_table(f, z), table, rtol=0, atol=1e-12)
    np.testing.assert_allclose(flips.flip_table(f, z), table, rtol=0, atol=1e-12)
    h, rng = model.encode(x), np.random.default_rng(8)
    grad, _ = estimators.get("direct").estimate(h, model.objective(x), rng, eps=5.0)
    noise = gumbel.sample(h.shape, np.random.default_rng(8))
    solution_result = modules["12_flip_table"].direct_flips(f, np.diff(h[0])[:, 0], np.diff(noise)[:, :, 0], 5.0)
    assert 0 < np.count_nonzero(solution_result) < solution_result.size
    np.testing.assert_allclose(solution_result, grad[:, :, 1], rtol=0, atol=1e-12)


def test_solution_for_matchings_agrees_with_the_package(modules):
    """The noise is the same.  Rows and columns of the gradient sum to 0, and f never falls."""
    rng = np.random.default_rng(2)
    theta, c, noise = rng.normal(size=(4, 4)), np.eye(4), gumbel.sample((300, 4, 4), rng)
    theta, c = (np.broadcast_to(each, noise.shape) for each in (theta, c))
    solution_result = modules["13_matching"].direct_matching(theta, c, 0.7, noise)
    np.testing.assert_allclose(solution_result, sets.matchings(4).gradient(theta, c, 0.7, noise), rtol=0, atol=1e-12)
    assert (solution_result.sum(axis=1) == 0).all() and (solution_result.sum(axis=2) == 0).all()
    assert (solution_result * c).sum(axis=(1, 2)).min() >= 0


def bodies_removed(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [node.body[0], ast.Expr(ast.Constant(...))]
    return ast.unparse(tree)


@pytest.mark.parametrize("stem", STEMS)
def test_workbook_file_is_the_solution_without_bodies(stem):
    """The docstring has three to six sentences of purpose, a formula and shapes, and no import is superfluous."""
    text = (WORKBOOK / f"{stem}.py").read_text(encoding="utf-8")
    assert ast.unparse(ast.parse(text)) == bodies_removed(solution(stem))
    head, purpose, *rest = ast.get_docstring(ast.parse(text)).split("\n\n")
    assert head.startswith(f"{int(stem[:2])}. ")
    assert 3 <= len(re.findall(r"[.](?:\s|$)", purpose)) <= 6, purpose
    assert any(part.startswith("    ") for part in rest) and "hape" in rest[-1] + purpose + text
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert len(functions) in (1, 2) and len(text.splitlines()) < 60
    assert re.findall(r"^import .*$", text, re.M) == ["import numpy as np"]
    needs = {STEMS[number - 1] for number in topics.TOPICS[STEMS.index(stem)].needs}
    assert set(re.findall(r'import_module\("(\w+)"\)', text)) == needs
