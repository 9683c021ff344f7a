"""Timing of structured encoders: what it runs and writes; the times are for people."""
from __future__ import annotations

import pytest

from refimpl.checks import InputError
from refimpl.experiments import structured_timing


def test_small(tmp_path, monkeypatch):
    monkeypatch.setattr(structured_timing, "SIZES", (5, 6))
    monkeypatch.setattr(structured_timing, "LONGER", (8,))
    monkeypatch.setattr(structured_timing, "BUDGET", 0.01)
    rows = structured_timing.run(tmp_path, batch=4)
    assert len(rows) == 2 * len(structured_timing.METHODS) + 2
    assert all(row.seconds > 0 for row in rows)
    assert len((tmp_path / "structured-timing.csv").read_text().splitlines()) == 1 + len(rows)
    assert (tmp_path / "structured-timing.png").exists()


@pytest.mark.parametrize("arguments", [dict(batch=0), dict(largest=4), dict(largest=41)])
def test_numbers_out_of_range(tmp_path, arguments):
    with pytest.raises(InputError):
        structured_timing.run(tmp_path, **arguments)
