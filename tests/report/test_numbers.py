"""Test the numbers in the tables: spreads, intervals, common lengths, seconds, and which differences count."""
from __future__ import annotations

import math

import pytest
from scipy import stats

from refimpl.experiments.training import runs_by_slide, semi_supervised
from refimpl.experiments.records import Record
from refimpl.report import causes, choice, claims, labels, measurements, pages, training, verdicts
from refimpl.report.store import Spread, Store, evaluations_an_epoch, lengths, paired, spread
from refimpl.report.tables import bounds, plural, step_ms
from tests.report.rows import run


def test_spread_has_mean_median_interval_and_texts():
    values = (165.0, 167.0, 172.0)
    three = Spread(values)
    assert (three.mean, three.median) == (168.0, 167.0)
    low, high = stats.t.interval(0.95, 2, loc=168.0, scale=stats.sem(values))
    assert three.half == pytest.approx((high - low) / 2)
    assert three.text() == f"168.00 ± {three.half:.2f}" and three.range_text(1) == "167.0 (165.0 … 172.0)"
    assert Spread((1.0,)).text(1, " %") == "1.0 %" == Spread((1.0,)).range_text(1, " %") and Spread(()).text() == "–"


def test_side_and_apart_need_separate_intervals():
    assert Spread((1.0, 1.1, 1.2)).side == 1 and Spread((-1.0, -1.1, -1.2)).side == -1
    assert Spread((-0.1, 0.1, 0.2)).side is None and Spread((9.0,)).side is None and Spread(()).side is None
    values = {"near": (1.0, 1.1, 1.2), "far": (2.0, 2.1, 2.2), "wide": (1.15, 5.0, 6.0), "one": (9.0,),
              "two": (9.0, 9.1)}
    runs = verdicts.Runs({name: [run(seed=seed, values=((10, -value),)) for seed, value in enumerate(of)]
                          for name, of in values.items()}, 10, "test_elbo", -1.0)
    assert runs.apart("near", "far") is True and runs.apart("far", "near") is False
    assert runs.apart("near", "wide") is None
    for few in ("one", "two"):                          # ranges of two seeds are apart by chance in 1 of 3 cases
        assert runs.apart("near", few) is None and runs.apart(few, "near") is None


def test_ahead_uses_differences_by_seed_if_seeds_are_shared():
    one = [run("a", seed, ((10, -150.0 - 10 * seed),)) for seed in (0, 1, 2)]
    above = [run("b", seed, ((10, -153.0 - 10.1 * seed),)) for seed in (0, 1, 2)]
    mixed = [run("c", seed, ((10, -150.0 - 10 * seed + (-1) ** seed),)) for seed in (0, 1, 2)]
    other_seeds = [run("d", seed + 7, ((10, -190.0 - seed),)) for seed in (0, 1, 2)]        # no seed is shared
    few = [run("e", seed, ((10, -150.0 - seed),)) for seed in (0, 1, 2)]
    runs = verdicts.Runs({"one": one, "above": above, "mixed": mixed, "single": above[:1], "other seeds": other_seeds,
                          "few": few}, 10, "test_elbo", -1.0)
    assert runs.ahead("one", "above") is True and runs.ahead("above", "one") is False
    assert runs.ahead("one", "mixed") is None and runs.ahead("one", "single") is None
    assert runs.ahead("few", "other seeds") is True and runs.ahead("other seeds", "few") is False


def test_paired_differences_use_common_seeds_only():
    """A shift of both runs of a seed does not change the difference, and a seed that only one has is ignored."""
    one = [run("a", seed, ((10, -150.0 - 10 * seed),)) for seed in (0, 1, 2)]
    other = [run("b", seed, ((10, -153.0 - 10 * seed - 0.1 * seed),)) for seed in (2, 1, 0, 3)]
    differences = paired(one, other, 10, "test_elbo")
    assert differences.values == pytest.approx((-3.0, -3.1, -3.2)) and differences.side == -1
    assert paired(other, one, 10, "test_elbo").values == pytest.approx((3.2, 3.1, 3.0))
    assert paired(one, other, 20, "test_elbo").values == () == paired([], other, 10, "test_elbo").values
    assert spread(one, 10, "test_elbo").half > 20 > 1 > differences.half
    assert differences.text(1, " %", "+") == f"-3.1 ± {differences.half:.1f} %"
    assert Spread((2.0,)).text(1, "", "+") == "+2.0"


def test_lengths_are_the_last_epochs_that_runs_have_in_common():
    long, short = run(values=((10, -1), (20, -1), (30, -1))), run(seed=1, values=((10, -1), (20, -1)))
    other = run("arm", values=((10, -1), (20, -1), (40, -1)))
    assert lengths([[long, short], [other]], "test_elbo") == [20]
    assert lengths([[long, short]], "test_elbo") == [20, 30] and lengths([[long], []], "test_elbo") == []
    assert lengths([[long], [run("x", values=((5, -1),))]], "test_elbo") == []
    assert spread([long, short], 30, "test_elbo").values == (1,) and spread([long], 7, "test_elbo").values == ()
    begun = run(seed=2, values=((3, math.nan),))                    # no exact bound yet
    assert lengths([[long, begun], [other]], "test_elbo") == [20] and lengths([[begun]], "test_elbo") == []
    long.rows[2]["test_elbo"] = math.nan
    assert lengths([[long]], "test_elbo") == [20]


def test_evaluations_an_epoch_is_a_mean_or_nan():
    assert evaluations_an_epoch([run(values=((5, -1), (10, -2)))]) == 1e6 and math.isnan(evaluations_an_epoch([]))


def test_step_times_come_from_the_benchmark():
    record = Record("benchmark", "batch 100", {}, ("a",), [{"step_of": "exact, k = 50", "step": 0.003, "products": 1.0},
                                                           {"step_of": "direct, k = 50, eps = 0.1", "step": 0.002,
                                                            "products": 1.0}])
    store = Store([record])
    assert step_ms(store, "exact, k = 50") == 3 and math.isnan(step_ms(store, "other"))


def test_table_of_bounds_adds_the_best_validation_epoch_if_a_method_gets_worse():
    better, worse = ((10, -170.0), (20, -160.0)), ((10, -165.0), (20, -180.0))
    rows = {label: run(label, 0, values) for label, values in (("direct", better), ("arm", worse))}
    rows["arm"].rows[0]["test_elbo"] = -166.5                       # the epoch is chosen by the validation bound
    lines = bounds(Store(rows.values()), "binary", "fashion-mnist", ("direct", "arm")).split("\n")
    head, direct, arm = ([cell.strip() for cell in line.split("|")] for line in (lines[0], *lines[2:4]))
    place = head.index("−ELBO at the best validation epoch")
    assert direct[place - 1:place + 1] == ["160.00", "160.00"] and arm[place - 1:place + 1] == ["180.00", "166.50"]
    alone = bounds(Store([rows["direct"]]), "binary", "fashion-mnist", ("direct",))
    assert "best validation" not in alone


def test_table_of_bounds_has_lengths_seeds_and_values_of_the_paper():
    store = Store([run(seed=seed, values=((10, -170 - seed), (20, -160 - seed))) for seed in (0, 1)]
                  + [run(seed=2, values=((10, -172),)), run("arm", values=((10, -150), (20, -149)))])
    lines = bounds(store, "binary", "fashion-mnist", ("direct", "arm", "rebar"), {"direct": 152.0}).split("\n")
    assert lines[0].split(" | ")[1:4] == ["paper, 300 epochs", "−ELBO, 10 epochs, 1 to 3 seeds",
                                         "−ELBO, 20 epochs, 1 to 2 seeds"]
    assert lines[2] == "| arm | – | 150.00 | 149.00 | 144.00 | 5.00 | 1.00 |"       # best first
    half = Spread((160.0, 161.0)).half
    at_ten = Spread((170.0, 171.0, 172.0)).half
    assert lines[3].startswith(f"| direct | 152 | 171.00 ± {at_ten:.2f} | 160.50 ± {half:.2f} |")
    assert "No rows yet" in bounds(store, "binary", "mnist", ("direct",))


def test_table_of_the_plateau_counts_runs_far_behind_the_best():
    """Of five seeds each, two of enumeration with a decoder that learns from q are on the plateau."""
    store = Store([run(f"{name}, decoder {signal}", seed, ((3, -208.0 if (name, signal) == ("exact", "q") and seed < 2
                                                            else -166.0),), "plateau", "mnist")
                   for name in causes.GRADIENTS for signal in causes.SIGNALS for seed in range(5)])
    page = causes.plateau(store)
    assert "| exact | neither | q | 166.00 (166.00 … 208.00) | 2 of 5 |" in page
    assert "| direct | both | z* | 166.00 (166.00 … 166.00) | 0 of 5 |" in page
    short = [run(f"{name}, decoder {signal}", 0, ((2, -230.0),), "plateau", "fashion-mnist")
             for name in causes.GRADIENTS for signal in causes.SIGNALS]
    both = causes.plateau(Store([*store.records, *short])).split("\n")[0]
    assert "mnist, epoch 3: −ELBO" in both and "fashion-mnist, epoch 2: −ELBO" in both


@pytest.mark.parametrize("name, table, first", [
    ("plateau-steps", causes.plateau_steps, {
        "values_used": 3.0, "winner": 0.5, "entropy": 0.25, "length_exact": 7.0, "ahead": 0.125}),
    ("plateau-forces", causes.plateau_forces, {"push": 3.0, "pull": 4.0, "lead_f": 5.0, "elbo": -170.0})])
def test_tables_of_steps_have_a_dash_where_runs_are_too_short(name, table, first):
    label = {"plateau-steps": "exact, decoder q", "plateau-forces": "exact"}[name]
    record = Record(name, label, {"dataset": "mnist", "seed": 0, "steps": 40}, (), [{"step": 40.0, **first}])
    line = table(Store([record])).split("\n")[2]
    assert "nan" not in line and line.count("–") == {"plateau-steps": 7, "plateau-forces": 4}[name]
    assert ("3.00 | – | – |" if name == "plateau-steps" else "3.0 | – | 4.0 | – | 5.0 | – | – |") in line


def test_table_of_exits_counts_runs_on_the_plateau_early_and_at_the_end():
    """The limit is ten nats above the best final median; each data set has its own rows and its own length."""
    def three(label, early, last, dataset="mnist", end=10):
        return [run(label, seed, ((3, a), (end, b)), "plateau-exits", dataset)
                for seed, (a, b) in enumerate(zip(early, last))]

    store = Store([*three("amplified, eps 1, no KL", (-208, -175.9, -176.1), (-165, -166, -167)),
                   *three("capped, eps 0.1", (-208, -208, -170), (-208, -170, -166)),
                   *three("exact", (-208, -208, -208), (-208, -208, -170)),
                   *three("exact", (-230,), (-225,), "fashion-mnist", 5)])
    lines = causes.exits(store).split("\n")
    assert lines[0].startswith("| data set | gradient | ε | KL gradient | far behind after 3 epochs | far behind ")
    assert lines[2:6] == [
        "| mnist | exact | – | yes | 3 of 3 | 2 of 3 | 208.00 (170.00 … 208.00) | 5.0 | 10 |",
        "| mnist | capped | 0.1 | yes | 2 of 3 | 1 of 3 | 170.00 (166.00 … 208.00) | 5.0 | 10 |",
        "| mnist | amplified | 1 | no | 2 of 3 | 0 of 3 | 166.00 (165.00 … 167.00) | 5.0 | 10 |",
        "| fashion-mnist | exact | – | yes | 0 of 1 | 0 of 1 | 225.00 | 5.0 | 5 |"]
    assert causes.exits(Store([])).startswith("*Not run yet: `python -m refimpl experiment plateau-exits`")
    labels = [cell.label for cell in runs_by_slide.plateau_exits("mnist", 0)]
    every = causes.exits(Store([record for label in labels for record in three(label, (-170,), (-165,))]))
    assert every.count("| mnist |") == len(labels) == 22


def test_longer_runs_of_some_labels_have_a_column_of_their_own():
    store = Store([run("direct", 0, ((10, -160.0), (300, -150.0))), run("arm", 0, ((10, -165.0),))])
    lines = bounds(store, "binary", "fashion-mnist", ["direct", "arm"]).split("\n")
    assert lines[0].startswith("| run | −ELBO, 10 epochs, 1 seed | −ELBO, 300 epochs, up to 1 seed | "
                               "−log p(x), 10 epochs | gap, 10 epochs |")
    assert lines[2].startswith("| direct | 160.00 | 150.00 | ") and lines[3].startswith("| arm | 165.00 | – | ")


def test_table_of_tuning_chooses_settings_on_the_validation_part():
    # eps 1 is better on the test part, and worse on the validation part
    store = Store([run(f"direct, k = 10, eps {eps}, lr 0.001", seed, ((30, value),), "tuning", "mnist")
                   for eps, value in (("0.1", -166.0), ("1", -160.0)) for seed in (0, 1)])
    for record in store.select("tuning", label="direct, k = 10, eps 1, lr 0.001"):
        record.rows[0]["valid_elbo"] = -180.0
    assert "| 10 | direct | 2 | eps 0.1, lr 0.001 | 167.00 (167.00 … 167.00) | 166.00 (166.00 … 166.00) |" in \
        causes.tuning(store)


def test_table_of_label_weights_chooses_a_pair_on_the_validation_part():
    """The pair with the best test accuracy has a worse validation accuracy, and is not chosen."""
    cells = semi_supervised.by_weight("mnist", 0)
    store = Store([run(cell.label, 0, ((1, -130.0),), "label-weights", "mnist") for cell in cells])
    for place, record in enumerate(store.records):
        record.rows[-1].update(accuracy=0.9 if place == 3 else 0.5, valid_accuracy=0.7 if place == 5 else 0.6)
    text = labels.label_weights(store)
    assert "| label weight 5 | 60.00 % | 60.00 % | 70.00 % |" in text
    assert "The best pair (label weight 5, image weight 1) has the test accuracy 50.00 %." in text
    assert labels.label_weights(Store(store.records[1:])).startswith("*No rows yet")


def test_table_of_semi_supervised_runs_has_values_of_the_paper():
    store = Store([run(f"{name}, 100 labels", seed, ((60, -90.0 - seed),), "semi-supervised", "mnist")
                   for name in ("direct", "gumbel-softmax") for seed in (0, 1)])
    line = labels.semi_supervised(store).split("\n")[2]
    accuracy, bound = Spread((45.0, 45.5)), Spread((90.0, 91.0))        # the same for both: no difference
    assert line == (f"| mnist, 100 | 60 | {accuracy.text(2, ' %')} (95.4 %) | {bound.text()} (90.93) | 2 | "
                    f"{accuracy.text(2, ' %')} (88.4 %) | {bound.text()} (90.64) | 2 "
                    "| +0.00 ± 0.00 % | +0.00 ± 0.00 |")


def test_table_of_structured_encoders_shows_the_likelihood():
    store = Store([run(label, 0, ((10, -160.0),), "structured") for label in ("unstructured", "pairwise, any sign")])
    page = training.structured(store)
    assert "| unstructured | – | 155.00 |" in page and "| pairwise, any sign | 145.5 | 155.00 |" in page


def test_every_block_reports_missing_rows():
    for module in (causes, choice, claims, labels, measurements, training):
        for name, make in module.BLOCKS.items():
            page = make(Store([]))
            assert "not run yet" in page.lower() or "No rows yet: `python -m refimpl" in page, name


@pytest.mark.parametrize("count, words", [(0, "0 seeds"), (1, "1 seed"), (1200, "1,200 seeds")])
def test_plural_adds_s_except_for_one(count, words):
    assert plural(count, "seed") == words


def test_note_below_the_convergence_tables_stands_once_and_sizes_without_runs_are_left_out():
    store = Store.read(pages.ROOT / "tutorials/rows")
    text = training.convergence(store)
    assert text.count("Our bounds are") == 1 and text.rindex("| --- |") < text.index("Our bounds are")
    small = Store([record for record in store.records if "k = 10" in record.label])
    assert training.convergence(small).count("**mnist, k =") == 1 and "No rows" not in training.convergence(small)
    assert training.convergence(Store([])).startswith("*No rows yet")
