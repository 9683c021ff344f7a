"""Test the tables of the jigsaw, and that its settings are those that the committed rows choose."""
from __future__ import annotations

import math

import pytest

from refimpl.experiments.jigsaw import experiment
from refimpl.experiments.jigsaw.runs import COLUMNS
from refimpl.experiments.records import Record
from refimpl.report import jigsaw, pages
from refimpl.report.store import Spread, Store, spread
from tests.experiments.jigsaw.test_runs import records_of


def row_cells(block: str, begins: str) -> list[str]:
    (line,) = [line for line in block.split("\n") if line.startswith(f"| {begins} |")]
    return line.strip("| ").split(" | ")


def test_table_of_results_has_a_row_for_each_method():
    records = records_of("direct, 2 x 2", "direct, 3 x 3", "enumeration, 2 x 2", column=0.5)
    block = jigsaw.results(Store(records))
    share = Spread((50.0, 60.0)).text(1)
    # 0.5 s or 0.6 s for two epochs of a hundred steps each
    assert row_cells(block, "direct") == ["direct", share, share, share, share, "–", "–", "2.8 / 2.8 / –"]
    assert row_cells(block, "enumeration")[:4] == ["enumeration", share, share, "–"]
    assert row_cells(block, "reinforce")[1:] == ["–"] * 6 + ["– / – / –"]
    assert row_cells(block, "tiles in a random order")[1:4] == ["55.0", "–", "55.0"]
    assert "**mnist**, 2 epochs of 10,000 images, 2 seeds" in block and "`abcdefabcdef`" in block


def test_share_of_random_orders_does_not_need_a_run_of_direct():
    block = jigsaw.results(Store(records_of("reinforce, 3 x 3", column=0.5)))
    assert row_cells(block, "tiles in a random order")[1:] == ["–", "–", "55.0", "–", "–", "–", "–"]


def test_table_without_labels_shows_truth_and_optimum_above_the_network():
    block = jigsaw.unlabelled(Store(records_of("direct, 3 x 3, no labels", column=0.25)))
    rows = [line.strip("| ").split(" | ") for line in block.split("\n")[2:5]]
    assert rows[0] == ["mnist", "the truth", "100", "100", "-0.2"]
    assert rows[1] == ["mnist", "f maximised, no network", "25.0", "25.0", "-0.2"]
    assert rows[2][1:] == ["network, direct", *[Spread((25.0, 35.0)).text(1)] * 2, Spread((-0.25, -0.35)).text(1)]


def test_table_of_questions_shows_large_puzzles_and_more_draws():
    block = jigsaw.questions(Store(records_of("direct, 4 x 4, by place", "direct, 3 x 3, eps 1, 10 draws")))
    assert [line.split(" | ")[:2] for line in block.split("\n")[2:4]] == [
        ["| 4 × 4", "direct, by place"], ["| 3 × 3", "direct, eps 1, 10 draws"]]


def tuning_record(method: str, share: float, labels=True, **settings) -> Record:
    every = {(s.method, s.lr, s.eps, s.tau, s.labels): cell for cell in experiment.grid("mnist", 0)
             if (s := cell.settings)}
    cell = every[method, settings["lr"], settings.get("eps"), settings.get("tau"), labels]
    row = dict.fromkeys(COLUMNS, 0.1) | {"epoch": 2.0, "valid_tiles": share}
    return Record("jigsaw-tuning", cell.label, cell.settings.as_dict(), ("abcdefabcdef",), [row])


def test_settings_with_the_best_validation_share_are_chosen():
    records = [tuning_record("direct", 0.5, lr=1e-3, eps=4.0), tuning_record("direct", 0.7, lr=1e-2, eps=4.0),
               tuning_record("direct", 0.6, lr=1e-2, eps=1.0),
               tuning_record("direct", 0.9, lr=1e-2, eps=0.5, labels=False)]
    lines = jigsaw.tuning(Store(records)).split("\n")[2:5]
    assert lines == ["| yes | direct | ε = 1 | 0.01 | 60.0 |", "| yes | direct | ε = 4 | 0.01 | 70.0 (chosen) |",
                     "| no | direct | ε = 0.5 | 0.01 | 90.0 (chosen) |"]


@pytest.fixture(scope="module")
def committed():
    return Store.read(pages.ROOT / pages.ROWS)


def test_settings_of_the_experiment_are_those_chosen_by_the_committed_rows(committed):
    tuned = jigsaw.tuned(committed)
    assert sum(map(len, tuned.values())) == len(experiment.grid("mnist", 0))
    for chosen, labels in ((experiment.CHOSEN, True), (experiment.CHOSEN_WITHOUT, False)):
        assert {method for there, method in tuned if there is labels} == set(chosen)
        for method, settings in chosen.items():
            best = tuned[labels, method][0].settings
            assert all(best[name] == value for name, value in settings.items()), (method, best)
            assert not math.isnan(tuned[labels, method][0].rows[-1]["valid_tiles"])


def test_committed_rows_support_the_text_of_the_page(committed):
    """Shares of correct tiles are means of three seeds, and `apart` means that the 95 % intervals do not overlap."""
    def tiles(dataset: str, label: str) -> Spread:
        group = committed.select("jigsaw", dataset, label)
        assert len(group) == 3
        return spread(group, 5, "test_tiles", 100)

    def apart(low: Spread, high: Spread) -> bool:
        return low.mean + low.half < high.mean - high.half

    for dataset in ("mnist", "fashion-mnist"):
        for side in (3, 4):
            shares = {name: tiles(dataset, f"{name}, {side} x {side}") for name in experiment.LABELLED}
            order = sorted(shares, key=lambda name: -shares[name].mean)
            assert order[:2] == ["cross-entropy", "fenchel-young"] and order[-1] == "reinforce"
            assert apart(shares["reinforce"], shares["direct"]) and (
                side == 3 or apart(shares["direct"], shares["cross-entropy"])
                and apart(shares["gumbel-sinkhorn"], shares["direct"]))
        without = {name: tiles(dataset, f"{name}, 3 x 3, no labels").values for name in experiment.UNLABELLED}
        assert min(without["direct"]) > max(*without["reinforce"], *without["gumbel-sinkhorn"])
        row = committed.select("jigsaw", dataset, "direct, 3 x 3, no labels")[0].rows[-1]
        assert row["f"] < row["f_truth"] < row["f_best"] and row["best_tiles"] < 0.9
    by_label = {words: tiles("mnist", f"{words}") for words in (
        "direct, 3 x 3", "direct, 3 x 3, 10 draws", "direct, 3 x 3, eps 1", "direct, 3 x 3, eps 1, 10 draws",
        "reinforce, 3 x 3", "reinforce, 3 x 3, 10 draws", "fenchel-young, 3 x 3")}
    assert apart(by_label["reinforce, 3 x 3"], by_label["reinforce, 3 x 3, 10 draws"])
    assert apart(by_label["direct, 3 x 3, eps 1"], by_label["direct, 3 x 3, eps 1, 10 draws"])
    assert by_label["direct, 3 x 3"].mean + 1 < by_label["direct, 3 x 3, 10 draws"].mean
    assert abs(by_label["direct, 3 x 3, 10 draws"].mean - by_label["fenchel-young, 3 x 3"].mean) < 0.5
    four = {words: tiles("mnist", words) for words in ("direct, 4 x 4", "direct, 4 x 4, by place", "reinforce, 4 x 4",
                                                       "reinforce, 4 x 4, by place")}
    assert abs(four["direct, 4 x 4"].mean - four["direct, 4 x 4, by place"].mean) < 0.5
    assert four["reinforce, 4 x 4"].mean > four["reinforce, 4 x 4, by place"].mean + 5
