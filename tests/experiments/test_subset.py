"""A subset of the pixels that suffices to classify: which pixels are chosen, and what the command writes."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import cli
from refimpl.data import Part
from refimpl.experiments import columns, records
from refimpl.experiments.measuring import subset
from tests.mutation.slips import planted

OWN = 304 + np.arange(200)                                  # the informative pixels, twenty for each label


@pytest.fixture
def informative() -> Part:
    """Return images whose label shows in twenty pixels.  The other pixels are empty, or noise of a larger variance."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2_000).astype(np.uint8)
    bits = np.zeros((2_000, 784), np.uint8)
    bits[:, 1:301:3] = rng.integers(2, size=(2_000, 100))
    bits[:, OWN] = (OWN - 304) // 20 == labels[:, None]
    return Part(np.packbits(bits, axis=1), labels)


@pytest.mark.parametrize("method", subset.METHODS)
def test_classifier_sees_exactly_k_pixels(method, informative):
    read = subset.train(informative, method, subset.METHODS[method][-1], 7, 3, 0)
    z, log_p = read(informative.images(slice(0, 50)))
    assert (z.sum(axis=1) == 7).all() and set(np.unique(z)) == {0, 1}
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1)
    assert (z == z[0]).all() == (method == "most variable")
    if method == "most variable":
        assert (z[0, 1:301:3].sum(), z[0, OWN].sum()) == (7, 0)
    if method == "random":                                  # all pixels are equally probable
        assert abs(z[:, OWN].sum() / z.sum() - 200 / 784) < 0.1


def share(train, method, informative, steps=100) -> float:
    read = train(informative, method, subset.METHODS[method][len(subset.METHODS[method]) // 2], 10, steps, 0)
    return float((read(informative.images(slice(0, 500)))[1].argmax(axis=1) == informative.labels[:500]).mean())


@pytest.mark.slow
def test_direct_finds_the_informative_pixels_and_planted_errors_do_not(informative):
    right = share(subset.train, "direct", informative)
    assert right > 0.8 > 0.5 > share(subset.train, "most variable", informative)
    for piece, wrong in (("-back.dx * x", "back.dx * x"), ("-grad.astype(np.float32)", "grad.astype(np.float32)"),
                         ("family.gradient(theta, c, setting, noise, method == 'two-sided')", "0 * c")):
        assert share(planted(subset, piece, wrong, "train").train, "direct", informative) < right - 0.2


@pytest.mark.drawn
def test_command_writes_its_rows_and_its_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(subset, "METHODS", {"direct": (1.0, 2.0), "random": (0.0,)})
    monkeypatch.setattr(subset, "IMAGES", 40)
    assert cli.main(["measure", "subset", "--k", "3", "--steps", "1", "--seeds", "2", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 4 + 2 + 1 and max(map(len, lines[:-1])) <= 100
    (file,) = (tmp_path / "rows").rglob("*.csv")
    record = records.read(file)
    columns.check(record)
    assert [(row["method"], row["seed"]) for row in record.rows] == [(name, seed) for name in ("direct", "random")
                                                                     for seed in (0, 1)]
    assert (tmp_path / "subset.png").stat().st_size > 1_000
    with pytest.raises(ValueError, match="^--k must be at most 784 and at least 1, got 785"):
        subset.run(tmp_path, k=785)
