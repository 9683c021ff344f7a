"""A subset that explains: which pixels are seen, what is learnt, and what the command writes."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import cli
from refimpl.data import Part
from refimpl.experiments import columns, records
from refimpl.experiments.measuring import subset
from tests.mutation.slips import planted

OWN = 304 + np.arange(200)                                  # twenty pixels for each label tell it


@pytest.fixture
def told() -> Part:
    """A label is told by pixels of its own; the others are noise, of a larger variance, or empty."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2_000).astype(np.uint8)
    bits = np.zeros((2_000, 784), np.uint8)
    bits[:, 1:301:3] = rng.integers(2, size=(2_000, 100))
    bits[:, OWN] = (OWN - 304) // 20 == labels[:, None]
    return Part(np.packbits(bits, axis=1), labels)


@pytest.mark.parametrize("method", subset.METHODS)
def test_classifier_sees_exactly_k_pixels(method, told):
    read = subset.train(told, method, subset.METHODS[method][-1], 7, 3, 0)
    z, log_p = read(told.images(slice(0, 50)))
    assert (z.sum(axis=1) == 7).all() and set(np.unique(z)) == {0, 1}
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1)
    assert (z == z[0]).all() == (method == "most variable")
    if method == "most variable":
        assert (z[0, 1:301:3].sum(), z[0, OWN].sum()) == (7, 0)
    if method == "random":                                  # each pixel as often as every other
        assert abs(z[:, OWN].sum() / z.sum() - 200 / 784) < 0.1


def share(train, method, told, steps=100) -> float:
    read = train(told, method, subset.METHODS[method][len(subset.METHODS[method]) // 2], 10, steps, 0)
    return float((read(told.images(slice(0, 500)))[1].argmax(axis=1) == told.labels[:500]).mean())


@pytest.mark.slow
def test_direct_finds_the_informative_pixels_and_planted_errors_do_not(told):
    right = share(subset.train, "direct", told)
    assert right > 0.8 > 0.5 > share(subset.train, "most variable", told)
    for piece, wrong in (("-back.dx * x", "back.dx * x"), ("-grad.astype(np.float32)", "grad.astype(np.float32)"),
                         ("family.gradient(theta, c, setting, noise, method == 'two-sided')", "0 * c")):
        assert share(planted(subset, piece, wrong, "train").train, "direct", told) < right - 0.2


@pytest.mark.drawn
def test_command_writes_its_rows_and_its_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(subset, "METHODS", {"direct": (1.0, 2.0), "random": (0.0,)})
    monkeypatch.setattr(subset, "IMAGES", 40)
    assert cli.main(["measure", "subset", "--k", "3", "--steps", "1", "--seeds", "2", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 + 4 + 2 + 1 and max(map(len, said[:-1])) <= 100
    (file,) = (tmp_path / "rows").rglob("*.csv")
    record = records.read(file)
    columns.check(record)
    assert [(row["method"], row["seed"]) for row in record.rows] == [(name, seed) for name in ("direct", "random")
                                                                     for seed in (0, 1)]
    assert (tmp_path / "subset.png").stat().st_size > 1_000
    with pytest.raises(ValueError, match="^--k must be at most 784 and at least 1, got 785"):
        subset.run(tmp_path, k=785)
