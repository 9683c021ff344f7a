"""The numbers of the tables: spreads, intervals, common lengths, seconds, verdicts."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from refimpl.experiments.rows import Record
from refimpl.report import causes, choice, claims, labels, measurements, paper, training, verdicts
from refimpl.report.store import Spread, Store, evaluations_an_epoch, lengths, paired, spread
from refimpl.report.tables import bounds, counted, step_ms


def run(label="direct", seed=0, values=((10, -170.0),), experiment="binary", dataset="fashion-mnist", **settings):
    rows = [{"epoch": float(epoch), "valid_elbo": value - 1, "test_elbo": value, "test_log_likelihood": value + 5,
             "gap": 5.0, "accuracy": -value / 200, "seconds": 2.0 * epoch, "evaluations": 1e6 * epoch}
            for epoch, value in values]
    return Record(experiment, label, {"dataset": dataset, "seed": seed, **settings}, ("abcdefabcdef",), rows)


def test_a_spread():
    values = (165.0, 167.0, 172.0)
    made = Spread(values)
    assert (made.mean, made.median) == (168.0, 167.0)
    low, high = stats.t.interval(0.95, 2, loc=168.0, scale=stats.sem(values))
    assert made.half == pytest.approx((high - low) / 2)
    assert made.text() == f"168.00 ± {made.half:.2f}" and made.range_text(1) == "167.0 (165.0 … 172.0)"
    assert Spread((1.0,)).text(1, " %") == "1.0 %" == Spread((1.0,)).range_text(1, " %") and Spread(()).text() == "–"


def test_an_effect_is_one_where_intervals_part():
    near, far = Spread((1.0, 1.1, 1.2)), Spread((2.0, 2.1, 2.2))
    assert Spread((1.0, 1.1, 1.2)).side == 1 and Spread((-1.0, -1.1, -1.2)).side == -1
    assert Spread((-0.1, 0.1, 0.2)).side is None and Spread((9.0,)).side is None and Spread(()).side is None
    assert verdicts.apart(near, far) is True and verdicts.apart(far, near) is False
    assert verdicts.apart(near, Spread((1.15, 5.0, 6.0))) is None
    for few in ((9.0,), (9.0, 9.1)):                    # two ranges of two seeds part by chance one time in three
        assert verdicts.apart(near, Spread(few)) is None and verdicts.apart(Spread(few), near) is None


def test_a_run_is_ahead_where_the_differences_seed_by_seed_say_so():
    one = [run("a", seed, ((10, -150.0 - 10 * seed),)) for seed in (0, 1, 2)]
    above = [run("b", seed, ((10, -153.0 - 10.1 * seed),)) for seed in (0, 1, 2)]
    mixed = [run("c", seed, ((10, -150.0 - 10 * seed + (-1) ** seed),)) for seed in (0, 1, 2)]
    assert verdicts.ahead(one, above, 10, "test_elbo") is True and verdicts.ahead(above, one, 10, "test_elbo") is False
    assert verdicts.ahead(one, mixed, 10, "test_elbo") is None
    assert verdicts.ahead(one, above[:1], 10, "test_elbo") is None
    other_seeds = [run("d", seed + 7, ((10, -190.0 - seed),)) for seed in (0, 1, 2)]        # none in common
    few = [run("e", seed, ((10, -150.0 - seed),)) for seed in (0, 1, 2)]
    assert verdicts.ahead(few, other_seeds, 10, "test_elbo") is True
    assert verdicts.ahead(other_seeds, few, 10, "test_elbo") is False


def test_differences_are_taken_seed_by_seed():
    """What moves both runs of a seed moves no difference; a seed that one of them lacks counts for nothing."""
    one = [run("a", seed, ((10, -150.0 - 10 * seed),)) for seed in (0, 1, 2)]
    other = [run("b", seed, ((10, -153.0 - 10 * seed - 0.1 * seed),)) for seed in (2, 1, 0, 3)]
    made = paired(one, other, 10, "test_elbo")
    assert made.values == pytest.approx((-3.0, -3.1, -3.2)) and made.side == -1
    assert paired(other, one, 10, "test_elbo").values == pytest.approx((3.2, 3.1, 3.0))
    assert paired(one, other, 20, "test_elbo").values == () == paired([], other, 10, "test_elbo").values
    assert spread(one, 10, "test_elbo").half > 20 > 1 > made.half
    assert made.text(1, " %", "+") == f"-3.1 ± {made.half:.1f} %" and Spread((2.0,)).text(1, "", "+") == "+2.0"


def test_lengths_that_runs_have_in_common():
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


def test_evaluations_an_epoch():
    assert evaluations_an_epoch([run(values=((5, -1), (10, -2)))]) == 1e6 and math.isnan(evaluations_an_epoch([]))


def test_step_times_are_the_benchmark_s():
    record = Record("benchmark", "batch 100", {}, ("a",), [{"step_of": "exact, k = 50", "step": 0.003, "products": 1.0},
                                                           {"step_of": "direct, k = 50, eps = 0.1", "step": 0.002,
                                                            "products": 1.0}])
    store = Store([record])
    assert step_ms(store, "exact, k = 50") == 3 and math.isnan(step_ms(store, "other"))
    (line,) = [line for line in claims.claims(store).split("\n") if "twice the time" in line]
    assert "1.50 times a step | confirmed |" in line


def test_a_table_of_bounds():
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


ORDER = {"a": 150.0, "b": 160.0, "c": 161.0}            # the slide tells a from b and c, and not b from c


@pytest.mark.parametrize("ours, words", [
    ({"a": (1, 2), "b": (5, 6), "c": (3, 4)}, "confirmed"), ({"a": (9, 9), "b": (5, 6), "c": (3, 4)}, "refuted"),
    ({"a": (3.5, 3.6), "b": (5, 6), "c": (3, 4)}, "qualified: of 2 differences 1 as on the slide, 0 the other"),
    ({"a": (4.5, 4.6), "b": (5, 6), "c": (3, 4)}, "qualified: of 2 differences 1 as on the slide, 1 the other"),
    ({"a": (1,), "b": (5, 6), "c": (3, 4)}, "not decided: one seed"), ({"a": (1, 2)}, "not run yet")])
def test_the_verdict_on_an_order(ours, words):
    def told(one, other):
        return True if max(ours[one]) < min(ours[other]) else False if max(ours[other]) < min(ours[one]) else None

    assert verdicts.order_verdict({name: len(values) for name, values in ours.items()}, ORDER, told).startswith(words)


@pytest.mark.parametrize("tilted, fair, words", [
    ((150, 151), (155, 156.1), "direct's bias: "), ((157, 158), (155, 156.1), "not direct's bias: "),
    ((150, 156), (155, 157), "not decided: "), ((150,), (155, 157), "not decided: ")])
def test_whether_the_bias_is_the_cause_is_worked_out(tilted, fair, words):
    every = {"direct": (150, 151), "relax": (155, 156.1), "arm": (155, 156.1), "rebar": (158, 159.1),
             "local-tilted": tilted, "local-expectation": fair}
    found = claims._binary(Store([run(name, seed, ((100, -value),)) for name, values in every.items()
                                  for seed, value in enumerate(values)]))
    assert found.cause.startswith(words) and found.verdict == "confirmed"


def test_from_when_on_direct_is_lowest():
    others = [run(name, values=((10, -165), (20, -160), (30, -159))) for name in ("arm", "rebar", "relax")]
    assert claims.crossing(Store([run(values=((10, -190), (20, -159.5), (30, -150))), *others])) == 20
    assert claims.crossing(Store([run(values=((10, -160), (20, -161), (30, -150))), *others])) == 30    # for good
    assert claims.crossing(Store([run(values=((10, -160), (20, -150), (30, -170))), *others])) is None
    assert claims.crossing(Store(others)) is None


def plateau(**late):
    """Five seeds of each run of `plateau` on MNIST; so many of some are late."""
    made = []
    for name in causes.GRADIENTS:
        for signal in causes.SIGNALS:
            for seed in range(5):
                value = -208.0 if seed < late.get(name, 0) else -166.0
                made.append(run(f"{name}, decoder {signal}", seed, ((3, value), (10, value)), "plateau", "mnist"))
    return made


def test_who_is_late_on_the_plateau():
    page = causes.plateau(Store(plateau(exact=2)))
    assert "| exact | neither | q | 166.00 (166.00 … 208.00) | 2 of 5 |" in page
    assert "| direct | both | z* | 166.00 (166.00 … 166.00) | 0 of 5 |" in page
    for late, verdict in ((dict(exact=5), "| confirmed |"), (dict(direct=5), "| refuted |"),
                          (dict(exact=4), "| not decided: the seeds overlap |")):
        (line,) = [line for line in claims.claims(Store(plateau(**late))).split("\n") if "slide 23, k = 10)" in line
                   and line.startswith("| Enumeration")]
        assert verdict in line


def test_the_setting_is_chosen_on_the_validation_part():
    """The one that is best on the test part is not."""
    store = Store([run(f"direct, k = 10, eps {eps}, lr 0.001", seed, ((30, value),), "tuning", "mnist")
                   for eps, value in (("0.1", -166.0), ("1", -160.0)) for seed in (0, 1)])
    for record in store.of("tuning", label="direct, k = 10, eps 1, lr 0.001"):
        record.rows[0]["valid_elbo"] = -180.0
    assert "| 10 | direct | 2 | eps 0.1, lr 0.001 | 167.00 (167.00 … 167.00) | 166.00 (166.00 … 166.00) |" in \
        causes.tuning(store)


def test_labels_beside_the_paper_s():
    store = Store([run(f"{name}, 100 labels", seed, ((60, -90.0 - seed),), "semi-supervised", "mnist")
                   for name in ("direct", "gumbel-softmax") for seed in (0, 1)])
    line = labels.semi_supervised(store).split("\n")[2]
    accuracy, bound = Spread((45.0, 45.5)), Spread((90.0, 91.0))        # the same for both: no difference
    assert line == (f"| mnist, 100 | 60 | {accuracy.text(2, ' %')} (95.4 %) | {bound.text()} (90.93) | 2 | "
                    f"{accuracy.text(2, ' %')} (88.4 %) | {bound.text()} (90.64) | 2 "
                    "| +0.00 ± 0.00 % | +0.00 ± 0.00 |")


def test_the_claims_about_labels_go_by_the_differences():
    """Here direct names more images right on every seed, at worse bounds; other seeds' differences hide neither."""
    store = Store([run(f"{name}, {count} labels", seed, ((60, value - 10.0 * seed - 0.1 * seed * (name == "direct")),),
                       "semi-supervised", "mnist")
                   for name, value in (("direct", -100.0), ("gumbel-softmax", -98.0)) for count in (50, 100)
                   for seed in (0, 1, 2)])
    accuracy, bound = claims._labels(store, 0), claims._labels(store, 1)
    assert accuracy.verdict == "confirmed: of 2 cells direct ahead in 2, behind in 0, the rest not told apart"
    assert bound.verdict == "refuted: of 2 cells direct ahead in 0, behind in 2, the rest not told apart"
    for record in store.records:                            # the other way round: better bounds are not worse
        for row in record.rows:
            row["test_elbo"] = -200 - row["test_elbo"]
    assert claims._labels(store, 1).verdict.startswith("not refuted: of 2 cells direct ahead in 2")
    few = claims._labels(Store([record for record in store.records if record.seed == 0]), 0)
    assert few.verdict == "not confirmed: of 2 cells direct ahead in 0, behind in 0, the rest not told apart"


def test_structured_is_measured_by_the_likelihood():
    store = Store([run(label, 0, ((10, -160.0),), "structured") for label in ("unstructured", "pairwise, any sign")])
    page = training.structured(store)
    assert "| unstructured | – | 155.00 |" in page and "| pairwise, any sign | 145.5 | 155.00 |" in page


def test_the_readme_s_table_has_a_column_a_length():
    made = {epochs: [run(f"{name}, k = {k}", seed, [(epoch, -160.0 - epoch - seed) for epoch in (10, epochs)][:1 + (
        epochs > 10)], "convergence", "mnist") for name in training.METHODS for k in (10, 50) for seed in (0, 1)]
        for epochs in (10, 30)}
    for epochs, columns in ((10, "| after 10 epochs |"), (30, "| after 10 epochs | after 30 epochs |")):
        lines = training.readme(Store(made[epochs])).split("\n")
        assert lines[0] == f"| estimator | k {columns}" and len(lines) == 2 + 8
        last = "" if epochs == 10 else " 190.50 (190.00 … 191.00), 2 seeds |"
        assert lines[2] == "| `direct` | 10 | 170.50 (170.00 … 171.00), 2 seeds |" + last


def test_every_block_says_so_where_there_are_no_rows():
    for module in (causes, choice, claims, labels, measurements, training):
        for name, make in module.BLOCKS.items():
            page = make(Store([]))
            assert "not run yet" in page or "No rows yet: `python -m refimpl" in page, name


def test_the_slides_numbers():
    assert paper.CONVERGENCE["fashion-mnist"][50] == {"exact": 203.0, "direct as released": 181.0,
                                                      "gumbel-softmax": 193.0}
    assert paper.BINARY == {"direct as released": 152.0, "relax as released": 156.5, "arm": 156.5,
                            "rebar as released": 159.0}
    assert list(paper.STRUCTURED.values()) == [153.0, 149.0, 145.5] and paper.CROSSING == 40
    assert np.allclose(np.divide(*paper.NOISE["direct"]), 5) and paper.EPOCHS == 300


@pytest.mark.parametrize("count, words", [(0, "0 seeds"), (1, "1 seed"), (1200, "1,200 seeds")])
def test_counted(count, words):
    assert counted(count, "seed") == words
