"""Test the tables of faces, and the conditions of the claim about faces."""
from __future__ import annotations

import pytest

from refimpl.data.faces import ATTRIBUTES
from refimpl.experiments.records import Record
from refimpl.report import faces
from refimpl.report.store import Spread, Store


def trained(label="direct, 50 labels", seed=0, accuracy=0.98, epochs=4):
    rows = [{"epoch": float(epoch), "test_elbo": -80.0 + epoch - seed, "accuracy": accuracy,
             "accuracy_glasses": 0.999, "accuracy_long_hair": 0.99 + seed / 1000, "accuracy_smile": accuracy}
            for epoch in range(epochs + 1)]
    return Record("faces", label, {"dataset": "faces", "seed": seed}, ("abcdefabcdef",), rows)


def switched(label="direct, 50 labels", seed=0, judge=0.999, **shares):
    """Return a record in which the `shares` of correct switches, by attribute, are 0.97 unless given."""
    rows = [{"attribute": name, "bit": float(j), "epochs": 4.0, "judge": judge,
             "generated": shares.get(name, 0.97), "encoded": shares.get(name, 0.97) + 0.01, "pixels_again": 30.0 + seed,
             "pixels_switched": 33.0 + j, "pixels_other": 90.0, "agrees": 0.5 + j / 10, "nuisance": "across",
             "correlation": 0.75} for j, name in enumerate(ATTRIBUTES)]
    return Record("faces-switch", label, {"dataset": "faces", "seed": seed}, ("abcdefabcdef",), rows)


def test_accuracies_are_sorted_by_number_of_labels():
    store = Store([trained(seed=seed) for seed in (0, 1)] + [trained("exact, 0 labels", accuracy=0.25, epochs=3)])
    lines = faces.faces(store).split("\n")
    assert lines[0] == "| run | after | glasses | long hair | smile | all three | −ELBO | seeds |"
    assert lines[2] == "| exact, 0 labels | 3 epochs | 99.90 % | 99.00 % | 25.00 % | 25.00 % | 77.00 | 1 |"
    hair, bound = Spread((99.0, 99.1)), Spread((76.0, 77.0))
    assert lines[3].split(" | ")[:4] == ["| direct, 50 labels", "4 epochs", "99.90 (99.90 … 99.90) %",
                                        hair.range_text(2, " %")]
    assert lines[3].endswith(f"98.00 (98.00 … 98.00) % | {bound.range_text()} | 2 |")
    assert "`abcdefabcdef`" in lines[-1]


def test_table_of_switches_shows_shares_and_pixels():
    store = Store([switched(seed=seed, smile=0.9) for seed in (0, 1)])
    lines = faces.switched(store).split("\n")
    cells = lines[2].strip("| ").split(" | ")
    assert cells[:2] == ["direct, 50 labels", "4 epochs"]
    assert cells[2:8] == [Spread((share, share)).range_text(1, " %") for share in (97.0, 97.0, 90.0, 98.0, 98.0, 91.0)]
    assert cells[8:] == [*(Spread(values).range_text(1) for values in ((30.0, 31.0), (34.0, 34.0), (90.0, 90.0))), "2"]
    assert "all three attributes in 99.90%" in lines[-1]


def two_switched(label="direct, 50 labels", **shares):
    return [switched(label, seed, **shares) for seed in (0, 1)]


@pytest.mark.parametrize("records, holds", [
    (two_switched() + two_switched("direct, 0 labels", smile=0.1, glasses=0.2), True),
    (two_switched() + two_switched("direct, 0 labels"), False),                     # labels are not needed
    (two_switched(smile=0.94) + two_switched("direct, 0 labels", smile=0.1), False),
    (two_switched(judge=0.98) + two_switched("direct, 0 labels", smile=0.1), False),            # the judge errs
    ([switched(), *two_switched("direct, 0 labels", smile=0.1)], False)])             # one seed
def test_claim_about_faces_holds_only_if_labels_are_needed_and_sufficient(records, holds):
    finding = faces.look(Store(records))
    assert finding.holds is holds and finding.epochs == 4
    if holds:
        assert finding.here == ("50 labels: 97.0 % of the switches change only the right attribute; no labels: 1 of 3 "
                                "attributes are found") and finding.seeds == (2,)


def test_the_claim_about_faces_needs_runs_with_and_without_labels():
    assert faces.look(Store([switched()])) is None and faces.look(Store([switched("direct, 0 labels")])) is None


def test_found_alone_counts_attributes_with_their_own_variable():
    assert faces.found_alone(switched(smile=0.2)) == 2 and faces.found_alone(switched()) == 3
    assert faces.found_alone(switched(glasses=0.0, smile=0.949)) == 1


def test_tables_of_attributes_md_show_accuracies_and_correlations():
    unlabelled = trained("direct, 0 labels", 1, 0.3), switched("direct, 0 labels", 1, smile=0.2)
    store = Store([trained(), switched(), *unlabelled])
    lines = faces.attributes(store).split("\n")
    assert lines[2] == "| 0 | – | 30.00 % | 99.90 % | 99.10 % | 30.00 % | 2 | 4 | 1 |"
    assert lines[3] == "| 50 | 98.00 % | 98.00 % | 99.90 % | 99.00 % | 98.00 % | 3 | 4 | 1 |"
    lines = faces.unnamed(store).split("\n")
    assert lines[2:5] == [f"| 1 | {name} | {share} % | across, 0.75 |" for name, share in
                          zip(ATTRIBUTES, ("50.00", "60.00", "70.00"))]


def test_every_table_reports_missing_rows():
    for make in faces.BLOCKS.values():
        table = make(Store([]))
        assert table.startswith("*No rows yet: `python -m refimpl experiment faces`")
