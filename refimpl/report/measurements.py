"""Make the tables of the command `measure`.  They show results such as noise, bias and the time per step."""
from __future__ import annotations

import math

from refimpl.experiments import paper
from refimpl.experiments.measuring import relaxation
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store
from refimpl.report.tables import commits_line, plural

NO_ROWS = "*No rows yet: `python -m refimpl measure {}`, then `python -m refimpl make report --write --add DIR`.*"
SIZES = ((4, 2), (1, 8))


def noise(store: Store) -> str:
    rows = store.measurements("variance", "k = 10")
    if not rows:
        return NO_ROWS.format("variance")
    lines = []
    for name, column in (("direct", "direct"), ("gumbel-softmax", "gumbel_softmax")):
        for place, row in ((0, rows[0]), (1, rows[-1])):
            exact = f"{row['direct_exact']:.3g}" if name == "direct" else "–"
            setting = "eps" if name == "direct" else "tau"
            lines.append([name, f"{setting} = {row['temperature']:g}", f"{paper.NOISE[name][place]:g}",
                          f"{row[column]:.3g} ± {row[column + '_error']:.1g}", exact, f"{row[column + '_mean']:.2g}"])
    ours = {round(float(row["temperature"]), 6): row for row in rows}
    at_our_settings = ""
    if {0.1, 0.5} <= set(ours) and ours[0.1]["direct_exact"]:
        ratio = float(ours[0.5]["gumbel_softmax"]) / float(ours[0.1]["direct_exact"])
        at_our_settings = ("At the settings of the training runs, ε = 0.1 and τ = 0.5, the standard deviation of "
                           f"Gumbel-softmax is {ratio:.1f} times that of `direct` (for this model). ")
    return (table(["estimator", "setting", "slide 21", "here, sampled ± standard error", "here, exact",
                   "here, mean over the weights"], lines)
            + "\n\nThe values are standard deviations of the encoder's gradient, in nats. Each weight has its own "
            "standard deviation. The columns *sampled* and *exact* contain the root mean square over the weights, and "
            "the last column contains the mean over the weights. " + at_our_settings
            + commits_line(store.select("variance", label="k = 10")))


def relaxed(store: Store) -> str:
    """Make the table that compares the relaxed and the exact bound at a fixed tau."""
    lines, records = [], store.select("relaxation")
    for record in records:
        last = record.rows[-1]
        soft, exact = (relaxation.best(record, column) for column in ("relaxed", "elbo"))
        own = ["–"] * 2 if math.isnan(last["relaxed"]) else [f"{-last['relaxed']:.2f}", f"{soft[1]:.2f} ({soft[0]})"]
        lines.append([record.dataset, record.label, str(record.seed), str(int(last["epoch"])), *own,
                      f"{-last['elbo']:.2f}", f"{exact[1]:.2f} ({exact[0]})", f"{-last['log_likelihood']:.2f}"])
    if not lines:
        return NO_ROWS.format("relaxation")
    head = ["data set", "run", "seed", "epochs", "relaxed −ELBO, last epoch", "lowest relaxed −ELBO (its epoch)",
            "exact −ELBO, last epoch", "lowest exact −ELBO (its epoch)", "−log p(x), last epoch"]
    return (table(head, lines) + "\n\nAll runs have k = 10. The values are in nats per image, on 2,000 test images. "
            + commits_line(records))


def joint_argmax(store: Store) -> str:
    lines = []
    for n in (8, 12):
        for record in store.select("joint-argmax", label=f"n = {n}"):
            root = math.sqrt(float(record.settings["samples"]))
            lines += [[str(n), f"{row['eps']:g}", f"{row['coordinates_agree']:.1%}", f"{row['images_agree']:.1%}",
                       *(f"{row[f'bias{which}']:.2f} ({row[f'deviation{which}'] / root:.2f})"
                         for which in ("", "_joint", "_linear"))] for row in record.rows]
    if not lines:
        return NO_ROWS.format("joint-argmax")
    head = ["n", "ε", "coordinates where both arg maxes agree", "images where all coordinates agree",
            "bias, coordinate-wise (its noise)", "bias, joint (its noise)", "bias, f linearised, imle (its noise)"]
    return (table(head, lines)
            + "\n\n" + commits_line(store.select("joint-argmax")))


def structured_timing(store: Store) -> str:
    rows = store.measurements("structured-timing", "batch 100")
    if not rows:
        return NO_ROWS.format("structured-timing")
    sizes = sorted({int(row["n"]) for row in rows})
    lines = []
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        of = {int(row["n"]): float(row["seconds"]) for row in rows if row["method"] == method}
        slide = f"{1e3 * paper.STEP[method]:g}" if method in paper.STEP else "–"
        lines.append([method, slide, *(f"{1e3 * of[n]:.1f}" if n in of else "–" for n in sizes)])
    return (table(["milliseconds per step", "slide, n = 15", *(f"n = {n}" for n in sizes)], lines)
            + "\n\n" + commits_line(store.select("structured-timing")))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def estimators(store: Store) -> str:
    head, cells, records = ["estimator"], {}, store.select("estimators")
    for n, k in SIZES:
        rows = store.measurements("estimators", f"n = {n}, k = {k}")
        silent = 1e-9 * max((float(row["variance"]) for row in rows), default=0.0)          # rounding is not noise
        for row in sorted(rows, key=lambda row: row["variance"]):
            variance = float(row["variance"]) if row["variance"] > silent else 0.0
            bias = f"none found ({row['bias']:.2g})" if row["found"] else f"{row['bias']:.2g}"
            line = cells.setdefault(str(row["name"]), [])
            line += ["–"] * (len(head) - 1 - len(line)) + [
                bias, f"{variance:.3g}", f"{row['evaluations']:g}", _number(variance * row["evaluations"])]
        head += [f"n = {n}, k = {k}: bias", "variance", "evaluations", "variance × evaluations"] if rows else []
    if not records:
        return NO_ROWS.format("estimators")
    lines = [[name, *line, *["–"] * (len(head) - 1 - len(line))] for name, line in cells.items()]
    return (table(head, lines) + "\n\nThe bias is the distance of the mean estimate from the exact gradient, in nats. "
            "*None found* means that every coordinate of the bias is within about four standard errors of zero. "
            "The variance and the decoder evaluations are those of one sample. There were "
            f"{records[0].settings['samples']:,} draws. " + commits_line(records))


def yardsticks(store: Store) -> str:
    rows = store.measurements("yardsticks", "all")
    if not rows:
        return NO_ROWS.format("yardsticks DIR …")
    settings = store.select("yardsticks")[0].settings
    lines = []
    for row in rows:
        relaxed = [row["relaxed_one"], row["relaxed_hundred"]]
        lines.append([str(row["run"]), f"{row['exact']:.2f}", f"{row['one']:.2f} ± {row['one_spread']:.2f}",
                      f"{row['hundred']:.2f} ± {row['hundred_spread']:.2f}",
                      *("–" if math.isnan(value) else f"{value:.2f}" for value in relaxed)])
    return (table(["model", "exact", "one sample per image", "a hundred samples", "one relaxed sample",
                   "a hundred relaxed samples"],
                  lines)
            + f"\n\nThe values are test −ELBO on {settings['images']:,} images, in nats per image; the number after "
            f"± is the standard deviation over {settings['repetitions']} repetitions. "
            + commits_line(store.select("yardsticks")))


def benchmark(store: Store) -> str:
    rows = store.measurements("benchmark", "batch 100")
    if not rows:
        return NO_ROWS.format("benchmark")
    lines = [[str(row["step_of"]), f"{1e3 * row['step']:.2f}", f"{row['step'] / row['products']:.1f}"] for row in rows]
    return (table(["step of 100 images", "ms", "time ÷ time of its matrix products alone"], lines) + "\n\n"
            + commits_line(store.select("benchmark")))


def subset(store: Store) -> str:
    rows, lines = store.measurements("subset", "k = 10"), []
    if not rows:
        return NO_ROWS.format("subset")
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        of = [row for row in rows if row["method"] == method]
        name = {"direct": "ε", "two-sided": "ε", "relaxed": "τ", "straight-through": "learning rate"}.get(method)
        cells = (Spread(tuple(scale * float(row[column]) for row in of)).text(digits)
                 for column, scale, digits in (("valid", 100, 1), ("test", 100, 1), ("test_f", -1, 2)))
        lines.append([method, f"{name} = {of[0]['setting']:g}" if name else "–", *cells])
    records = store.select("subset")
    return (table(["pixels chosen by", "setting", "right validation labels, %", "right test labels, %", "−log p of "
                   "the test labels, nats"], lines)
            + f"\n\nThe values are means of {plural(len(of), 'seed')} ± half the width of the 95 % interval. Every "
            f"run has {records[0].settings['steps']} training steps. "
            + commits_line(records))


BLOCKS = {"noise": noise, "joint-argmax": joint_argmax, "structured-timing": structured_timing,
          "estimators": estimators, "yardsticks": yardsticks, "benchmark": benchmark, "relaxation": relaxed,
          "subset": subset}
