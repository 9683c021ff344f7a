"""one_page.py computes what the package does: the same gradients, steps, bounds and random numbers."""
from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl import data, estimators, gumbel, one_page
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE
from refimpl.nn.adam import Adam
from refimpl.runs import loop
from refimpl.runs.vae import VAERun
from tests.settings import vae

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path(one_page.__file__).read_text(encoding="utf-8")
IMAGES = data.load("mnist", limit=250)


def flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])


@pytest.fixture
def model() -> VAE:
    """Return the package's model in float64, with scores that differ by a few nats, so that q is not uniform."""
    model = VAE(Independent(1, one_page.K), dtype=np.float64)
    model.initialise(np.random.default_rng(5))
    model.encoder.layers[-1].W *= 20
    return model


def weights_of(model: VAE) -> list[np.ndarray]:
    """Return copies of the model's weights, in the order of one_page.py."""
    return [array.copy() for network in (model.encoder, model.decoder) for layer in network.layers[::2]
            for array in (layer.W, layer.b)]


def noise_and_generator(seed: int, batch: int) -> tuple[np.ndarray, np.random.Generator]:
    """Return Gumbel noise (batch, k), and a generator from which the package draws the same noise."""
    return gumbel.sample((batch, one_page.K), np.random.default_rng(seed)), np.random.default_rng(seed)


@pytest.mark.parametrize("batch, eps", [(100, 0.1), (7, 1.0)])
def test_gradients_equal_those_of_the_package(model, batch, eps):
    x, (noise, rng) = IMAGES.train.images(slice(0, batch), np.float64), noise_and_generator(1, batch)
    grads = one_page.gradients(weights_of(model), x, noise, eps)
    model.parameters.zero_grads()
    model.backward(x, estimators.get("direct"), rng, eps=eps)
    packaged = [array for network in (model.encoder, model.decoder) for layer in network.layers[::2]
                for array in (layer.dW, layer.db)]
    for on_page, in_package in zip(grads, packaged, strict=True):
        assert np.abs(in_package).max() > 1e-3                          # not all zero
        np.testing.assert_allclose(on_page, in_package, rtol=0, atol=1e-12)


def test_three_adam_steps_equal_those_of_the_package(model):
    """The first step of Adam hardly depends on its constants, but later steps do."""
    weights, optimiser = weights_of(model), Adam(model.parameters)
    M = V = [np.zeros_like(w) for w in weights]
    for t in (1, 2, 3):
        x = IMAGES.train.images(slice(100 * (t - 1), 100 * t), np.float64)
        noise, rng = noise_and_generator(t, len(x))
        before = flat(weights)
        weights, M, V = one_page.adam(weights, one_page.gradients(weights, x, noise), M, V, t)
        model.parameters.zero_grads()
        model.backward(x, estimators.get("direct"), rng, eps=0.1)
        optimiser.step()
        assert np.abs(flat(weights) - before).max() > 5e-4
        np.testing.assert_allclose(flat(weights), model.parameters.values, rtol=0, atol=1e-12)


def test_bound_equals_that_of_the_package(model):
    x = IMAGES.test.images(dtype=np.float64)
    exact = -model.bounds(IMAGES.test).elbo
    assert abs(one_page.bound(weights_of(model), x) - exact) < 1e-10


def test_noise_equals_that_of_the_package():
    noise, rng = noise_and_generator(3, 50)
    np.testing.assert_allclose(one_page.gumbel((50, one_page.K), rng), noise, rtol=0, atol=1e-14)


def test_training_equals_that_of_the_package_with_the_same_seed():
    """Initial weights, order of images, noise and a smaller last batch agree in two epochs of three steps."""
    run = VAERun.start(vae(seed=4).resolved())
    for epoch, weights in enumerate(one_page.train(IMAGES.train, np.random.default_rng(4), epochs=2), start=1):
        loop.train_epoch(run, IMAGES.train, epoch=epoch)
        assert weights[0].dtype == np.float32
        np.testing.assert_allclose(flat(weights), run.model.parameters.values, rtol=0, atol=1e-6)
    assert run.adam.t == 6


def test_settings_equal_the_defaults_of_train():
    settings = vae().resolved()
    assert (settings.pixels, settings.hidden, settings.k) == (one_page.PIXELS, one_page.HIDDEN, one_page.K)
    assert settings.hyperparameters == {"eps": one_page.EPS}
    assert (settings.lr, settings.batch) == (one_page.RATE, one_page.BATCH)
    assert (settings.seed, settings.dataset, settings.estimator) == (one_page.SEED, "mnist", "direct")
    assert one_page.EPOCHS == 3


def start(**keywords) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "refimpl.one_page"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


def test_main_prints_a_line_per_epoch_and_files_to_read_next(monkeypatch, capsys):
    monkeypatch.setattr(data, "load", lambda name: IMAGES)
    one_page.main()
    *epochs, last = capsys.readouterr().out.splitlines()
    weights = list(one_page.train(IMAGES.train, np.random.default_rng(0)))
    expected = [one_page.bound(each, IMAGES.test.images()) for each in weights]
    assert epochs == [f"epoch {epoch}: test bound -ELBO {nats:.2f} nats" for epoch, nats in enumerate(expected, 1)]
    named = re.findall(r"refimpl/\S+\.py", last)
    assert len(named) == 2 and all((ROOT / path).exists() for path in named)


def test_missing_data_folder_is_reported_in_one_line():
    process = start(env=os.environ | {"REFIMPL_DATA_DIR": "no/such/folder"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err == ""
    assert out == "error: --data-dir (or REFIMPL_DATA_DIR) no/such/folder is not a folder\n"


class InFloat64:
    """A part of the data whose images are in float64."""

    def __init__(self, part: data.Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def images(self, rows: np.ndarray) -> np.ndarray:
        return self.part.images(rows, np.float64)


@pytest.mark.slow
def test_an_epoch_in_float64_ends_with_the_weights_of_the_package(monkeypatch):
    """All 500 steps agree.  Rounding errors grow during training: in float32 a near-tie soon has another arg max."""
    initialise, train = one_page.initialise, data.load("mnist").train
    monkeypatch.setattr(one_page, "initialise", lambda rng: initialise(rng, np.float64))
    rng, settings = np.random.default_rng(one_page.SEED), vae().resolved()
    model = VAE(Independent(1, one_page.K), settings.hidden, dtype=np.float64)
    model.initialise(rng)
    adam, order = Adam(model.parameters, settings.lr), rng.permutation(len(train))
    for start in range(0, len(order), settings.batch):
        model.parameters.zero_grads()
        model.backward(train.images(order[start:start + settings.batch], np.float64), estimators.get("direct"), rng,
                       **settings.hyperparameters)
        adam.step()
    (weights,) = one_page.train(InFloat64(train), np.random.default_rng(one_page.SEED), epochs=1)
    np.testing.assert_allclose(flat(weights), model.parameters.values, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_three_epochs_end_near_train_and_ctrl_c_ends_without_traceback(tmp_path):
    """In float32 the two runs differ as two seeds do, which is up to about two nats after three epochs."""
    process = start()
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0 and err == ""
    on_page = [float(nats) for nats in re.findall(r"^epoch \d: test bound -ELBO ([\d.]+) nats$", out, re.M)]
    in_package = [-row["test_elbo"] for row in loop.train(vae(), 3, tmp_path / "run")]
    print(f"one_page: {on_page}, train: {in_package}")
    assert len(on_page) == 3 and on_page[2] < on_page[1] < on_page[0]
    np.testing.assert_allclose(on_page[2], in_package[2], rtol=0, atol=3.0)

    # Tests that run in the background of a script ignore SIGINT, and so would a child process without preexec_fn.
    process = start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert process.stdout.readline() == out.splitlines(keepends=True)[0]        # it has begun
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    assert process.returncode == 130 and rest == "" and err == ""


def test_page_has_at_most_130_lines_and_imports_only_numpy_and_data():
    assert len(SOURCE.splitlines()) <= 130
    imports = [ast.unparse(node) for node in ast.walk(ast.parse(SOURCE))
               if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imports == ["import numpy as np", "from refimpl import data"]
    assert not re.search(r"__import__|import_module|data\.(?!Part\b|load\b|InputError\b)", SOURCE)


@pytest.mark.parametrize("function", ["forward", "gradients", "adam", "bound"])
def test_lines_of_mathematics_have_a_shape_and_an_equation(function):
    (node,) = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef) and node.name == function]
    lines = SOURCE.splitlines()
    mathematics = [lines[each.lineno - 1] for each in node.body
                   if isinstance(each, ast.Assign) and not isinstance(each.value, ast.Name)]
    known = set(re.findall(r"^    \((\w)\)  ", ast.get_docstring(ast.parse(SOURCE), clean=False), re.M))
    assert known == set("15abcdef") and len(mathematics) >= 2
    for line in mathematics:
        comment = line.partition("  # ")[2]
        assert re.match(r"\([BNkH784, ]*\)|as the weights|as there", comment), line
        assert set(re.findall(r"\((\w)\)", comment)) & known, line
