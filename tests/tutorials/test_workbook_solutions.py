"""The workbook's solutions: together they are refimpl/one_page.py; and the workbook is them without the bodies."""
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
    """Weights in float64, 100 images, Gumbel noise."""
    rng = np.random.default_rng(5)
    weights = one_page.initialise(rng, np.float64)
    weights[2] *= 20                                            # scores that differ, so that q is not uniform
    x = data.load("mnist", limit=100).train.images(slice(0, 100), np.float64)
    return weights, x, one_page.gumbel((100, one_page.K), rng)


def test_every_solution_is_right(capsys, monkeypatch):
    monkeypatch.setattr(process, "run", lambda work, arguments, *more: work(*arguments))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("checking.progress.write", lambda folder, right: None)
    assert command.run([str(topic.number) for topic in topics.TOPICS], SOLUTIONS, 20.0) == 0
    assert capsys.readouterr().out.count(": right\n") == 13


def test_a_training_step_is_the_page_s(modules, page):
    """Three steps from the same weights and noise, in double precision, to 1e-12."""
    weights, x, noise = page
    step = modules["11_direct_step"].step
    mine, M, V = weights, *([np.zeros_like(w) for w in weights] for _ in range(2))
    theirs, sums, squares = weights, M, V
    for t in (1, 2, 3):
        mine, M, V = step(mine, M, V, t, x, np.roll(noise, t), one_page.EPS, one_page.RATE)
        grads = one_page.gradients(theirs, x, np.roll(noise, t), one_page.EPS)
        theirs, sums, squares = one_page.adam(theirs, grads, sums, squares, t)
        for one, other, start in zip(mine, theirs, weights):
            assert np.abs(one - start).max() > 5e-4
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_each_function_is_the_page_s(modules, page):
    weights, x, noise = page
    pairs = [(modules["10_encoder_decoder"].forward(weights, x), one_page.forward(weights, x)),
             ([modules["10_encoder_decoder"].bound(weights, x)], [one_page.bound(weights, x)]),
             (modules["11_direct_step"].gradients(weights, x, noise, 0.7), one_page.gradients(weights, x, noise, 0.7)),
             ([modules["01_gumbel_noise"].gumbel((3, 2), np.random.default_rng(1))],
              [one_page.gumbel((3, 2), np.random.default_rng(1))])]
    for mine, theirs in pairs:
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_training_keeps_single_precision(modules):
    rng, images = np.random.default_rng(0), data.load("mnist", limit=200).train
    (weights,) = training.epochs(modules, images, rng, 1)
    (expected,) = one_page.train(images, np.random.default_rng(0), 1)
    for one, other in zip(weights, expected):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_what_the_check_compares_with_is_the_package_s():
    """Where the check has a formula of its own, because slips are variants of it."""
    for case in kl.CASES:
        np.testing.assert_allclose(kl.kl(**case), exact.kl(case["log_q"]), rtol=0, atol=1e-12)
    for case in auto_encoder.CASES:
        for one, other in zip(auto_encoder.forward(**case), one_page.forward(**case)):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
        assert abs(auto_encoder.right(**case) - one_page.bound(**case)) < 1e-12


def differences(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The derivative of a number in each entry of an array."""
    made = np.empty_like(at)
    for place in np.ndindex(at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        made[place] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return made


def test_the_gradients_it_compares_with_are_differences():
    x, r, W2, dout = layers.CASES[1].values()
    weights = {name: value for name, value in layers.FORWARD_CASES[1].items() if name != "x"}
    loss = lambda **changed: (layers.network(x, **{**weights, **changed})[1] * dout).sum()
    for name, right in zip(("W1", "b1", "W2", "b2"), layers.backward(x, r, W2, dout)):
        found = differences(lambda value: loss(**{name: value}), weights[name])
        np.testing.assert_allclose(right, found, rtol=0, atol=1e-7)
    x, a, df = bernoulli.BACK_CASES[2].values()
    np.testing.assert_allclose(bernoulli.back(x, a, df), differences(
        lambda value: (bernoulli.score(x, value) * df).sum(), a), rtol=0, atol=1e-7)
    h = kl.H[3]
    np.testing.assert_allclose(kl.kl_gradient(**kl.CASES[3]), differences(
        lambda value: exact.kl(value).sum(), h), rtol=0, atol=1e-8)


def test_the_flips_are_the_package_s(modules):
    """Three binary variables, one image in eight rows: the table around all z, and the estimate with the same noise."""
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
    mine = modules["12_flip_table"].direct_flips(f, np.diff(h[0])[:, 0], np.diff(noise)[:, :, 0], 5.0)
    assert 0 < np.count_nonzero(mine) < mine.size
    np.testing.assert_allclose(mine, grad[:, :, 1], rtol=0, atol=1e-12)


def test_the_matchings_are_the_package_s(modules):
    """With the same noise; and the mean goes where f is: up at the places that c rewards."""
    rng = np.random.default_rng(2)
    theta, c, noise = rng.normal(size=(4, 4)), np.eye(4), gumbel.sample((300, 4, 4), rng)
    theta, c = (np.broadcast_to(each, noise.shape) for each in (theta, c))
    mine = modules["13_matching"].direct_matching(theta, c, 0.7, noise)
    np.testing.assert_allclose(mine, sets.matchings(4).gradient(theta, c, 0.7, noise), rtol=0, atol=1e-12)
    assert (mine.sum(axis=1) == 0).all() and (mine.sum(axis=2) == 0).all() and (mine * c).sum(axis=(1, 2)).min() >= 0


def bodies_removed(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [node.body[0], ast.Expr(ast.Constant(...))]
    return ast.unparse(tree)


@pytest.mark.parametrize("stem", STEMS)
def test_the_workbook_is_the_solution_without_its_bodies(stem):
    """Three to six sentences on what it is for, a formula, shapes and units; no more imports than it needs."""
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
