"""The tables of faces, and the verdict on the claim."""
from __future__ import annotations

import pytest

from refimpl.data.faces import ATTRIBUTES
from refimpl.experiments.rows import Record
from refimpl.report import claims, faces
from refimpl.report.store import Spread, Store


def trained(label="direct, 50 labels", seed=0, accuracy=0.98, epochs=4):
    rows = [{"epoch": float(epoch), "test_elbo": -80.0 + epoch - seed, "accuracy": accuracy,
             "accuracy_glasses": 0.999, "accuracy_long_hair": 0.99 + seed / 1000, "accuracy_smile": accuracy}
            for epoch in range(epochs + 1)]
    return Record("faces", label, {"dataset": "faces", "seed": seed}, ("abcdefabcdef",), rows)


def judged(label="direct, 50 labels", seed=0, judge=0.999, **shares):
    """shares: of the attributes, drawn and encoded alike; 0.97 unless given."""
    rows = [{"attribute": name, "bit": float(j), "epochs": 4.0, "judge": judge,
             "generated": shares.get(name, 0.97), "encoded": shares.get(name, 0.97) + 0.01, "pixels_again": 30.0 + seed,
             "pixels_switched": 33.0 + j, "pixels_other": 90.0, "agrees": 0.5 + j / 10, "nuisance": "across",
             "correlation": 0.75} for j, name in enumerate(ATTRIBUTES)]
    return Record("faces-switch", label, {"dataset": "faces", "seed": seed}, ("abcdefabcdef",), rows)


def test_accuracies_fewest_labels_first():
    store = Store([trained(seed=seed) for seed in (0, 1)] + [trained("exact, 0 labels", accuracy=0.25, epochs=3)])
    lines = faces.faces(store).split("\n")
    assert lines[0] == "| run | after | glasses | long hair | smile | all three | −ELBO | seeds |"
    assert lines[2] == "| exact, 0 labels | 3 epochs | 99.90 % | 99.00 % | 25.00 % | 25.00 % | 77.00 | 1 |"
    hair, bound = Spread((99.0, 99.1)), Spread((76.0, 77.0))
    assert lines[3].split(" | ")[:4] == ["| direct, 50 labels", "4 epochs", "99.90 (99.90 … 99.90) %",
                                        hair.range_text(2, " %")]
    assert lines[3].endswith(f"98.00 (98.00 … 98.00) % | {bound.range_text()} | 2 |")
    assert "`abcdefabcdef`" in lines[-1]


def test_the_switch_test():
    store = Store([judged(seed=seed, smile=0.9) for seed in (0, 1)])
    lines = faces.switched(store).split("\n")
    cells = lines[2].strip("| ").split(" | ")
    assert cells[:2] == ["direct, 50 labels", "4 epochs"]
    assert cells[2:8] == [Spread((share, share)).range_text(1, " %") for share in (97.0, 97.0, 90.0, 98.0, 98.0, 91.0)]
    assert cells[8:] == [*(Spread(values).range_text(1) for values in ((30.0, 31.0), (34.0, 34.0), (90.0, 90.0))), "2"]
    assert "all three attributes of 99.90%" in lines[-1]


@pytest.mark.parametrize("records, verdict", [
    ([], "not run yet"),
    ([judged()], "one seed; on it confirmed with 50 labels"),
    ([judged(), judged(seed=1)], "confirmed with 50 labels"),
    ([judged(), judged(seed=1, smile=0.94)], "refuted with 50 labels"),
    ([judged(judge=0.98), judged(seed=1)], "not decided: the judge errs"),
    ([judged(), judged(seed=1), judged("direct, 0 labels", smile=0.1, glasses=0.2)],
     "confirmed with 50 labels; without labels not"),
    ([judged(), judged(seed=1), judged("direct, 0 labels")], "confirmed with 50 labels; without labels too")])
def test_the_verdict_is_worked_out_from_the_rows(records, verdict):
    store = Store([*records, *(trained(seed=record.seed) for record in records if record.label == faces.SHOWN)])
    (line,) = [line for line in claims.claims(store).split("\n") if line.startswith("| Faces: ")]
    assert f" | {verdict} | " in line
    if "without labels not" in verdict:
        assert "without labels, 1 seed: a variable that switches it alone has 1 of 3 attributes" in line
        assert "all three right 98.0 ± 0.0 %" in line
        assert line.endswith("[section](#faces) |")


def test_found_alone_counts_attributes_with_a_variable_of_their_own():
    assert faces.found_alone(judged(smile=0.2)) == 2 and faces.found_alone(judged()) == 3
    assert faces.found_alone(judged(glasses=0.0, smile=0.949)) == 1


def test_the_page_on_discovery():
    store = Store([trained(), judged(), trained("direct, 0 labels", 1, 0.3), judged("direct, 0 labels", 1, smile=0.2)])
    lines = faces.attributes(store).split("\n")
    assert lines[2] == "| 0 | – | 30.00 % | 99.90 % | 99.10 % | 30.00 % | 2 | 4 | 1 |"
    assert lines[3] == "| 50 | 98.00 % | 98.00 % | 99.90 % | 99.00 % | 98.00 % | 3 | 4 | 1 |"
    lines = faces.unnamed(store).split("\n")
    assert lines[2:5] == [f"| 1 | {name} | {share} % | across, 0.75 |" for name, share in
                          zip(ATTRIBUTES, ("50.00", "60.00", "70.00"))]


def test_without_rows_every_table_says_so():
    for make in faces.BLOCKS.values():
        made = make(Store([]))
        assert made.startswith("*No rows yet: `python -m refimpl experiment faces`")
