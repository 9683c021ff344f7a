"""The table of all estimators: rows, verdicts, exit status."""
from __future__ import annotations

from dataclasses import replace

import pytest

from refimpl import cli, estimators
from refimpl.checks import InputError
from refimpl.experiments import estimators_table


@pytest.mark.parametrize("n, k", [(3, 2), (1, 5)])
def test_all_claims_stand(n, k, tmp_path):
    rows = estimators_table.run(n, k, 20_000, 0, tmp_path)
    assert {row.name for row in rows} == {name for name, entry in estimators.REGISTRY.items() if k == 2 or not entry.binary}
    assert all(row.found for row in rows if row.claims)
    exact = rows[0]
    assert exact.variance < 1e-20 and exact.bias < 1e-12
    assert (tmp_path / "estimators.png").read_bytes().startswith(b"\x89PNG")


def test_a_false_claim_is_exit_status_1(tmp_path, capsys, monkeypatch):
    for name in set(estimators.REGISTRY) - {"exact", "gumbel-softmax"}:                     # the others take their time
        monkeypatch.delitem(estimators.REGISTRY, name)
    false = replace(estimators.get("gumbel-softmax"), unbiased=True)
    monkeypatch.setitem(estimators.REGISTRY, "gumbel-softmax", false)
    assert cli.main(["estimators", "--samples", "20000", "--out", str(tmp_path)]) == 1
    assert "BIASED, claims not to be" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [dict(n=0), dict(k=1), dict(samples=10), dict(seed=-1), dict(n=12, k=8)])
def test_numbers_out_of_range(arguments):
    with pytest.raises(InputError):
        estimators_table.run(**arguments)
