"""The timing of structured encoders: what is timed and written.  The times themselves are not tested."""
from __future__ import annotations

import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.experiments.measuring import structured_timing
from tests.settings import vae


def test_timing_writes_a_row_per_method_and_size(tmp_path, monkeypatch):
    monkeypatch.setattr(structured_timing, "SIZES", (5, 6))
    monkeypatch.setattr(structured_timing, "LONGER", (8,))
    monkeypatch.setattr(structured_timing, "BUDGET", 0.01)
    rows = structured_timing.run(tmp_path, batch=4)
    assert len(rows) == 2 * len(structured_timing.METHODS) + 2
    assert all(row.seconds > 0 for row in rows)
    assert len((tmp_path / "structured-timing.csv").read_text().splitlines()) == 1 + len(rows)
    assert (tmp_path / "structured-timing.png").exists()


def test_each_method_is_timed_with_its_own_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(structured_timing, "_seconds", lambda settings, dataset, words: (
        timed.append((words, settings)) or 1.0))
    timed: list = []
    structured_timing.run(tmp_path, batch=9, largest=20)
    solvers = {"direct, maxflow": "maxflow", "direct, persistency": "persistency", "direct, enumeration": "enumeration",
               "direct, milp (any sign)": "milp", "direct, coordinate ascent": "coordinate",
               "joint Gumbel-softmax": "enumeration"}
    expected = [(f"{method}, n = {n}", vae(
        n=n, k=2, batch=9, family="pairwise", solver=solver,
        estimator="gumbel-softmax" if method == "joint Gumbel-softmax" else "direct").resolved())
        for method, solver in solvers.items()
        for n in (5, 7, 9, 11, 13, 15) + ((20,) if solver in ("maxflow", "coordinate") else ())]
    assert timed == expected
    assert [settings.family_options["non_negative"] for words, settings in timed if "milp" in words] == 6 * [False]


def test_seconds_are_the_median_without_the_first_step(monkeypatch):
    steps = ((0, 99), (100, 2), (200, 3.5), (300, 3))
    ticks = iter([value for start, seconds in steps for value in (start, start + seconds)])
    monkeypatch.setattr(structured_timing.time, "perf_counter", lambda: float(next(ticks)))
    # the first three steps take 104.5 s, and the fourth uses up the budget
    monkeypatch.setattr(structured_timing, "BUDGET", 107.5)
    settings = vae(n=5, k=2, batch=4, hidden=5, family="pairwise", solver="persistency").resolved()
    assert structured_timing._seconds(settings, data.load("mnist", limit=50), "words") == 3.0


@pytest.mark.parametrize("arguments", [dict(batch=0), dict(largest=4), dict(largest=41)])
def test_numbers_out_of_range_are_refused(tmp_path, arguments):
    with pytest.raises(InputError):
        structured_timing.run(tmp_path, **arguments)
