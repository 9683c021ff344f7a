"""The settings of every cell, the tables and intervals, and the processes that train the cells."""
from __future__ import annotations

import csv
import math
import os
import subprocess
from dataclasses import replace

import pytest

from refimpl.arguments import InputError
from refimpl.cli.options import read_settings
from refimpl.cli.parser import EXPERIMENTS, make_parser
from refimpl.experiments import paper, registry
from refimpl.experiments.training import cells, semi_supervised
from refimpl.experiments.training.cells import Cell
from refimpl.plots.runs import of_run
from refimpl.runs import checkpoint, kind_of
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.settings import command_line
from refimpl.runs.vae import VAESettings
from tests.settings import flat, mixture, vae
from tests.spies import spied

BINARY = dict(n=15, k=2)
PAIRWISE = dict(n=15, k=2, family="pairwise", kl_grad=False)
RELEASED = dict(schedule="released", eps=None, kl_grad=False)
TAU = {"gumbel-softmax": 0.5, "rebar": 0.5, "relax": 0.5, "reinmax": 1.0}


def of(name: str, **settings) -> dict[str, object]:
    """Return the settings of an estimator that differ from the resolved defaults, which are those of direct."""
    if name in ("direct", "direct-joint", "tilted", "capped", "amplified", "noisy-exact", "imle", "local-tilted"):
        own: dict[str, object] = {}
    else:
        own = {"eps": None} | ({"tau": TAU[name]} if name in TAU else {})
    own |= {"batch_mean": False} if name in ("rebar", "relax") else {}
    return own | ({"estimator": name} if name != "direct" else {}) | settings


# Experiment -> label -> the settings that differ from the defaults, apart from dataset, seed and exact_every.
LABELS: dict[str, dict[str, dict[str, object]]] = {
    "binary": {
        **{name: of(name, **BINARY) for name in ("direct", "local-expectation", "rebar", "relax", "arm", "disarm",
                                                 "reinforce-loo", "gumbel-softmax", "reinmax", "imle",
                                                 "local-tilted")},
        "gumbel-softmax with tau 0.1": of("gumbel-softmax", tau=0.1, **BINARY),
        "direct, no KL": of("direct", kl_grad=False, **BINARY),
        "direct as released": of("direct", **RELEASED, **BINARY),
        **{f"{name} as released": of(name, **BINARY) | dict(schedule="released", tau=None, batch_mean=True)
           for name in ("rebar", "relax")},
        **{f"{name}, batch mean": of(name, **BINARY) | dict(batch_mean=True) for name in ("rebar", "relax")}},
    "joint": {f"{name}, n = {n}": of(name, n=n, k=2) for n in (8, 12)
              for name in ("direct", "direct-joint", "local-expectation", "exact")},
    "structured": {
        "unstructured": of("direct", **BINARY), "unstructured, no KL": of("direct", kl_grad=False, **BINARY),
        "pairwise, w >= 0": of("direct", solver="persistency", non_negative=True, pair_start=-3.0, **PAIRWISE),
        "pairwise, w >= 0, start 0": of("direct", solver="persistency", non_negative=True, pair_start=0.0, **PAIRWISE),
        "pairwise, any sign": of("direct", solver="enumeration", non_negative=False, **PAIRWISE),
        "pairwise, any sign, start 0.05": of("direct", solver="enumeration", non_negative=False, pair_start=0.05,
                                             **PAIRWISE),
        "pairwise, w >= 0, start -1": of("direct", solver="persistency", non_negative=True, pair_start=-1.0,
                                         **PAIRWISE),
        "pairwise, w >= 0, absolute": of("direct", solver="persistency", non_negative=True, absolute=True,
                                         pair_start=0.05, **PAIRWISE),
        "pairwise, w >= 0, start -6": of("direct", solver="persistency", non_negative=True, pair_start=-6.0,
                                         **PAIRWISE)},
    "latent-sizes": {f"{name}, k = {k}": of(name, k=k) for k in (20, 30, 40, 50)
                     for name in ("direct", "exact", "gumbel-softmax")},
    "convergence": {
        **{f"{name}, k = {k}": of(name, k=k) for k in (10, 50) for name in ("direct", "exact", "gumbel-softmax")},
        **{f"gumbel-softmax with tau 0.1, k = {k}": of("gumbel-softmax", k=k, tau=0.1) for k in (10, 50)},
        **{f"direct as released, k = {k}": of("direct", k=k, **RELEASED) for k in (10, 50)},
        **{f"{words} as released, k = {k}": of(name, k=k) | dict(schedule="released", tau=None) for k in (10, 50)
           for words, name in (("gumbel-softmax", "gumbel-softmax"),
                               ("straight-through", "straight-through-gumbel-softmax"))},
        **{f"direct without KL, k = {k}": of("direct", k=k, kl_grad=False) for k in (10, 50)},
        **{f"direct with falling eps, k = {k}": of("direct", k=k) | dict(schedule="released", eps=None)
           for k in (10, 50)}},
    "plateau": {
        "exact, decoder q": of("exact"), "exact, decoder z*": of("exact", learn_from="z_star"),
        "tilted, decoder q": of("tilted"), "tilted, decoder z*": of("tilted", learn_from="z_star"),
        "direct, decoder q": of("direct", learn_from="q"), "direct, decoder z*": of("direct"),
        "noisy-exact, decoder q": of("noisy-exact", learn_from="q"), "noisy-exact, decoder z*": of("noisy-exact")},
    "plateau-exits": {
        f"{name}{f', eps {eps:g}' if eps else ''}{words}": of(
            name, kl_grad=kl_grad, **({"eps": eps} if eps else {}),
            **({"learn_from": "q"} if name in ("noisy-exact", "direct") else {}))
        for kl_grad, words in ((True, ""), (False, ", no KL"))
        for name, eps in (("exact", None), *((name, eps) for eps in (0.1, 1.0) for name in (
            "tilted", "capped", "amplified", "noisy-exact", "direct")))},
    "plateau-tests": {
        **{f"{name}, {words}": of(name, **changed, **({} if name == "exact" else {"eps": 0.1}))
           for words, changed in (("lr 0.0003", {"lr": 3e-4}), ("lr 0.003", {"lr": 3e-3}), ("k 50", {"k": 50}),
                                  ("decoder z*", {"learn_from": "z_star"}),
                                  *((f"momentum lr {lr:g}", {"optimiser": "momentum", "lr": lr})
                                    for lr in (0.03, 0.1, 0.3, 1.0)))
           for name in ("exact", "capped", "amplified")},
        **{f"direct, momentum lr {lr:g}": of("direct", optimiser="momentum", lr=lr, learn_from="q")
           for lr in (0.03, 0.1, 0.3, 1.0)},
        **{f"capped, KL weight {weight:g}": of("capped", kl_weight=weight) for weight in (0.1, 0.2, 0.4, 0.6, 0.8)},
        **{f"{words} tau 1, {changed}": of(name, tau=1.0, **settings)
           for words, name in (("gumbel-softmax", "gumbel-softmax"),
                               ("straight-through", "straight-through-gumbel-softmax"))
           for changed, settings in (("Adam lr 0.001", {}), ("momentum lr 0.1", dict(optimiser="momentum", lr=0.1)))}},
    "tuning": {
        **{f"direct, k = {k}, eps {eps:g}, lr {lr:g}": of("direct", k=k, eps=eps, lr=lr)
           for k in (10, 50) for eps in (0.03, 0.1, 0.3, 1.0) for lr in (3e-4, 1e-3, 3e-3)},
        **{f"exact, k = {k}, lr {lr:g}": of("exact", k=k, lr=lr) for k in (10, 50) for lr in (3e-4, 1e-3, 3e-3)},
        **{f"gumbel-softmax, k = {k}, tau {tau:g}, lr {lr:g}": of("gumbel-softmax", k=k, tau=tau, lr=lr)
           for k in (10, 50) for tau in (0.25, 0.5, 1.0) for lr in (3e-4, 1e-3, 3e-3)}},
    "label-steps": {f"{name}, {labels} labels, 1,200 steps": of(name, labels=labels, pretrain=epochs)
                    for labels, epochs in ((50, 1200), (100, 1200), (300, 400), (600, 200), (1200, 100))
                    for name in ("direct", "gumbel-softmax")},
    "semi-supervised": {
        **{f"{name}, {labels} labels": of(name, labels=labels) for labels in (50, 100, 300, 600, 1200)
           for name in ("direct", "gumbel-softmax")},
        "direct, 0 labels": dict(labels=0)},
    "labelled-terms": {
        "cross-entropy": {}, "released term": dict(labelled_term="released", label_weight=2.5),
        "direct loss, eps 0.05": dict(labelled_term="direct-loss"),
        "direct loss, eps 1": dict(labelled_term="direct-loss", label_eps=1.0),
        "direct loss, eps 5": dict(labelled_term="direct-loss", label_eps=5.0),
        "as released": dict(labelled_term="released", label_weight=0.0, image_weight=0.0, shift=0, beta=1.0,
                            **RELEASED),
        "ours, no shifts": dict(shift=0), "ours, beta 1": dict(beta=1.0),
        "ours, label weight 1": dict(label_weight=1.0),
        "ours, image weight 1": dict(image_weight=1.0)},
    "label-weights": {f"label weight {label:g}, image weight {image:g}": dict(label_weight=label, image_weight=image)
                      for label in (1.0, 5.0, 50.0) for image in (0.05, 0.2, 1.0)},
    "faces": {f"{name}, {labels} labels": of(name, labels=labels, pretrain=epochs, gaussian=10, shift=1)
              for labels, epochs in ((0, 300), (20, 300), (50, 300), (200, 150), (1000, 30))
              for name in ("direct", "gumbel-softmax", "local-expectation", "exact")},
}
DATASETS = {"binary": ("fashion-mnist", "mnist"), "joint": ("mnist",), "structured": ("fashion-mnist",),
            "latent-sizes": ("mnist", "fashion-mnist", "omniglot"),
            "convergence": ("mnist", "fashion-mnist", "omniglot"),
            "semi-supervised": ("mnist", "fashion-mnist"), "labelled-terms": ("mnist",), "label-steps": ("mnist",),
            "label-weights": ("mnist",), "faces": ("faces",),
            "plateau": ("mnist", "fashion-mnist"), "plateau-exits": ("mnist", "fashion-mnist"),
            "plateau-tests": ("mnist",), "tuning": ("mnist",)}
MERIT = {name: {"structured": "test_log_likelihood", "tuning": "valid_elbo", "label-weights": "valid_accuracy"}.get(
    name, "test_elbo") for name in LABELS}


@pytest.mark.parametrize("name", LABELS)
def test_every_cell_has_the_settings_in_its_label(name):
    experiment = registry.REGISTRY[name]
    assert experiment.datasets == DATASETS[name] and experiment.merit == MERIT[name] and experiment.name == name
    for dataset in experiment.datasets:
        for seed in (0, 3):
            all_cells = experiment.make(dataset, seed)
            assert [cell.label for cell in all_cells] == list(dict.fromkeys(cell.label for cell in all_cells))
            assert {cell.label for cell in all_cells} == set(LABELS[name])
            for cell in all_cells:
                default = type(cell.settings)().resolved()
                extra = {"exact_every": 10} if isinstance(cell.settings, VAESettings) else {}
                values, defaults = flat(cell.settings), flat(default)
                differing = {key: values.get(key) for key in values | defaults if values.get(key) != defaults.get(key)}
                expected = {**LABELS[name][cell.label], **extra, "dataset": dataset, "seed": seed}
                assert differing == {key: value for key, value in expected.items() if value != defaults.get(key)}


def test_command_line_offers_every_experiment():
    jigsaw = {"jigsaw", "jigsaw-tuning"}                    # their settings are of another kind: see jigsaw/
    assert set(EXPERIMENTS) == set(registry.REGISTRY) == {*LABELS, *jigsaw}


def test_command_line_of_every_cell_gives_its_settings():
    """A cell that has its own process is trained from this command line."""
    parser = make_parser()
    for experiment in map(registry.REGISTRY.get, LABELS):
        for cell in experiment.make(experiment.datasets[0], 1):
            kind = kind_of(cell.settings)
            options = parser.parse_args([kind.COMMAND, *command_line(cell.settings)])
            assert read_settings(options, kind.SETTINGS) == cell.settings, cell.label


# --- tables -----------------------------------------------------------------------------------------------------------

def row(epoch: int, **values) -> dict[str, float]:
    return {"epoch": float(epoch), "step": 1.0, "test_elbo": math.nan, "seconds": 1.0, **values}


def test_at_epoch_is_nan_if_there_is_no_value():
    rows = [row(1, test_elbo=-3.0), row(2), row(3, test_elbo=-1.0)]
    assert cells.at_epoch(rows, 1, "test_elbo") == -3 and cells.at_epoch(rows, 3, "test_elbo") == -1
    assert math.isnan(cells.at_epoch(rows, 2, "test_elbo")) and math.isnan(cells.at_epoch(rows, 4, "test_elbo"))
    assert cells.at_epoch(rows, 2, "seconds") == 1


def test_interval_is_that_of_the_t_distribution_without_missing_values():
    mean, half = cells.interval([1.0, 2.0, 3.0])
    # the 97.5 % quantile of t with 2 degrees of freedom
    assert mean == 2 and half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert cells.interval([1.0, 5.0])[1] == pytest.approx(12.7062 * 4 / math.sqrt(2) / math.sqrt(2), rel=1e-5)
    assert cells.interval([5.0, math.nan])[0] == 5 and math.isnan(cells.interval([5.0])[1])
    assert cells.interval([1.0, math.nan, 3.0])[0] == 2 and math.isnan(cells.interval([])[0])


def test_table_lists_the_best_first_for_each_data_set():
    all_cells = [Cell(label, vae(dataset=dataset, seed=seed).resolved())
                 for dataset in ("mnist", "fashion-mnist") for label in ("a", "b") for seed in (0, 1)]
    bounds = {("mnist", "a"): (-3.0, -5.0), ("mnist", "b"): (-2.0, -2.5), ("fashion-mnist", "a"): (-9.0, -8.0),
              ("fashion-mnist", "b"): (-20.0, math.nan)}
    bound = lambda cell: bounds[cell.settings.dataset, cell.label][cell.settings.seed]
    runs = {cell: [row(1, test_elbo=-100.0), row(2, test_elbo=bound(cell))] for cell in all_cells}
    lines = cells.table(runs, 2, "test_elbo")
    assert [line[:4] for line in lines] == [("fashion-mnist", "a", 2, 8.5), ("fashion-mnist", "b", 1, 20.0),
                                            ("mnist", "b", 2, 2.25), ("mnist", "a", 2, 4.0)]
    assert lines[3][4] == pytest.approx(cells.interval([3.0, 5.0])[1]) and math.isnan(lines[1][4])
    assert {line[3] for line in cells.table(runs, 1, "test_elbo")} == {100.0}
    assert cells.table(runs, 3, "test_elbo") == []
    printed = replace(registry.REGISTRY["convergence"]).table(runs, 2)
    assert "Test -ELBO after 2 epochs" in printed[0] and len(printed) == 5
    assert printed[3].split() == ["mnist", "b", "2.25", "±", "3.18", "(2", "seeds)"]
    assert printed[2].split() == ["fashion-mnist", "b", "20.00", "(1", "seed)"]


def test_table_of_slide_33():
    """A line has the mean accuracy in % and the mean of minus the bound, each with its interval over the seeds and the
    value of the paper."""
    def cell(seed, **settings):
        return Cell("direct, 300 labels", mixture(labels=300, seed=seed, **settings).resolved())

    runs = {cell(0): [row(0, accuracy=0.1), row(1, accuracy=0.8, test_elbo=-100.0)],
            cell(1): [row(0, accuracy=0.2), row(1, accuracy=0.9, test_elbo=-104.0)]}
    (line,) = semi_supervised.lines(runs, 1)[3:]
    accuracy, bound = (cells.interval(values)[1] for values in ((80.0, 90.0), (100.0, 104.0)))
    assert f"85.00 % ± {accuracy:.2f} (96.4 %)" in line and f"102.00 ± {bound:.2f} (90.39)" in line
    assert line.endswith("(2 seeds)")
    cell_without_paper_value = Cell("ours, beta 1", mixture(labels=300, beta=1.0).resolved())
    assert "(" not in semi_supervised.lines({cell_without_paper_value: runs[cell(0)]}, 1)[3].replace("(1 seed)", "")


# Slide 33, by the number of labels: accuracy and bound of direct, then accuracy and bound of Gumbel-softmax.
SLIDE = {"mnist": {50: (92.6, 90.24, 84.7, 91.23), 100: (95.4, 90.93, 88.4, 90.64), 300: (96.4, 90.39, 91.7, 90.01),
                   600: (96.7, 90.78, 92.3, 89.77), 1200: (96.8, 90.45, 92.7, 90.37)},
         "fashion-mnist": {50: (63.3, 129.66, 61.2, 129.813), 100: (67.2, 130.822, 64.2, 129.054),
                           300: (70.0, 130.653, 69.3, 130.371), 600: (72.1, 130.81, 71.6, 129.973),
                           1200: (73.7, 130.921, 73.2, 130.063)}}


def test_paper_values_are_those_of_slide_33():
    assert paper.LABELS == (50, 100, 300, 600, 1200)
    for dataset, lines in SLIDE.items():
        for labels, values in lines.items():
            for estimator, expected in (("direct", values[:2]), ("gumbel-softmax", values[2:])):
                cell = Cell(f"{estimator}, {labels} labels", mixture(
                    dataset=dataset, estimator=estimator, labels=labels).resolved())
                assert semi_supervised._paper(cell) == expected


def test_results_are_written_to_csv_and_rows(tmp_path):
    both = [Cell("a", vae(seed=2).resolved()), Cell("b", vae(dataset="fashion-mnist").resolved())]
    runs = {both[0]: [row(1, test_elbo=-3.0), row(2, test_elbo=-2.0, seconds=5.5)], both[1]: [row(1)]}
    records = cells.write_results(runs, tmp_path, "x")
    with open(tmp_path / "x.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert written == [{"dataset": "mnist", "label": "a", "seed": "2", "epochs": "2", "test_elbo": "-2",
                        "seconds": "5.5"},
                       {"dataset": "fashion-mnist", "label": "b", "seed": "0", "epochs": "1", "test_elbo": "",
                        "seconds": "1"}]
    assert [record.settings for record in records] == [cell.settings.as_dict() for cell in both]
    assert [record.file for record in records] == ["x/mnist-a-seed2.csv", "x/fashion-mnist-b-seed0.csv"]
    kept = (tmp_path / "rows" / records[0].file).read_text()
    assert '"label": "a"' in kept and kept.endswith("\nepoch,test_elbo,seconds\n1,-3,1\n2,-2,5.5\n")
    assert (tmp_path / "rows" / records[1].file).read_text().endswith("\n1,,1\n")


def test_folder_of_another_cell_with_the_same_name_is_refused(tmp_path):
    """The name of a folder has no commas, so that two labels that differ only in a comma share a folder."""
    first, second = (Cell(label, VAESettings(hidden=hidden, **SMALL).resolved())
                     for label, hidden in (("direct, q", 4), ("direct q", 5)))
    assert first.folder == second.folder
    cells.run_cells([first], 1, tmp_path, 1, None, lambda line: None)
    for function in (lambda: cells.run_cells([second], 1, tmp_path, 1, None, lambda line: None),
                     lambda: cells.collect([second], tmp_path)):
        with pytest.raises(InputError, match="was made with other settings: hidden is 4, not 5"):
            function()


# --- training cells ---------------------------------------------------------------------------------------------------

SMALL = dict(limit=60, batch=30)


@pytest.mark.slow                                           # starts four processes
def test_three_jobs_train_the_same_runs_and_continue_them(tmp_path, monkeypatch):
    """The command line of a cell trains exactly that cell, for both kinds of run and from any folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    three_cells = [
        Cell("rebar as released", vae(estimator="rebar", n=4, k=2, hidden=6, as_released=True, **SMALL).resolved()),
        Cell("pairwise, any sign", vae(n=4, k=2, hidden=6, family="pairwise", solver="enumeration",
                                       non_negative=False, **SMALL).resolved()),
        Cell("as released", mixture(labels=10, pretrain=2, gaussian=3, as_released=True, seed=1, **SMALL).resolved())]
    cells.run_cells(three_cells[:1], 1, tmp_path, 1, None, lambda line: None)
    lines: list[str] = []
    cells.run_cells(three_cells, 2, tmp_path, 3, None, lines.append)
    for cell in three_cells:
        run, history = checkpoint.load(tmp_path / cell.folder / checkpoint.FILE)
        assert run.settings == cell.settings and history[-1, 0] == 2
    assert len(lines) == 3 and sum("min left" in line for line in lines) == 2 and any(
        "accuracy" in line for line in lines)
    assert all("after 2 epochs" in line for line in lines)
    assert cells.collect(three_cells, tmp_path)[three_cells[2]][-1]["epoch"] == 2
    assert len(cells.read_rows(tmp_path / three_cells[2].folder)) == 3
    lines.clear()
    cells.run_cells(three_cells, 2, tmp_path, 3, None, lines.append)
    assert lines == []


def test_at_most_as_many_processes_as_jobs_run_at_once(tmp_path, monkeypatch):
    """Each process gets the settings, the epochs, the folder and the data of its cell."""
    class Process:
        running = most = 0

        def __init__(self, command, **keywords):
            Process.running += 1
            Process.most = max(Process.most, Process.running)
            self.left, self.returncode = 2, None
            commands.append(command)
            environments.append(keywords["env"])

        def communicate(self, timeout=None):
            self.left -= 1
            if self.left:
                raise subprocess.TimeoutExpired("train", timeout)
            self.returncode, Process.running = 0, Process.running - 1
            return "", ""

    commands, environments = [], []
    monkeypatch.setattr(cells.subprocess, "Popen", Process)
    monkeypatch.setattr(cells, "read_rows", lambda folder: [row(4)])
    all_cells = [Cell(f"k = {k}", vae(k=k).resolved()) for k in range(2, 13)]
    cells.run_cells(all_cells, 4, tmp_path, 5, "/data", lambda line: None)
    assert Process.most == 5 and len(commands) == 11
    for command, cell in zip(commands, all_cells):
        options = make_parser().parse_args(command[3:])
        assert read_settings(options, VAESettings) == cell.settings and not options.resume
        assert (options.epochs, options.out, str(options.data_dir)) == (4, tmp_path / cell.folder, "/data")
    assert all(environment[name] == "1" for environment in environments
               for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"))


def test_failing_cell_is_named_in_one_line(tmp_path):
    cell = Cell("too many", vae(batch=30, limit=20).resolved())
    with pytest.raises(InputError, match=r"mnist-too_many-seed0: .*--batch must be at most 20"):
        cells.run_cells([cell], 1, tmp_path, 2, None, lambda line: None)


def test_one_job_trains_in_this_process_with_the_settings_of_the_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(cells.loop, "train", lambda settings, epochs, out, resume, data_dir, draw: [row(epochs)])
    trained = spied(monkeypatch, cells.loop, "train")
    two_cells = [Cell(f"k = {k}", vae(k=k).resolved()) for k in (3, 4)]
    lines: list[str] = []
    cells.run_cells(two_cells, 7, tmp_path, 1, "/data", lines.append)
    assert trained == [dict(settings=cell.settings, epochs=7, out=tmp_path / cell.folder, resume=False,
                            data_dir="/data", draw=of_run) for cell in two_cells]
    assert len(lines) == 2


def test_time_left_is_estimated_from_the_remaining_epochs(tmp_path, monkeypatch):
    """Epochs of an earlier call count neither as trained nor as remaining."""
    three_cells = [Cell(f"k = {k}", vae(k=k).resolved()) for k in (3, 4, 5)]
    now, done = [1000.0], {three_cells[0].folder: 6, three_cells[1].folder: 0, three_cells[2].folder: 0}
    monkeypatch.setattr(cells.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(cells, "epochs_done", lambda cell, out: done[cell.folder])

    def train(settings, epochs, out, *rest, draw):
        now[0] += 120.0 * (epochs - done[out.name])         # two minutes per epoch
        return [row(epochs)]

    monkeypatch.setattr(cells.loop, "train", train)
    lines: list[str] = []
    cells.run_cells(three_cells, 10, tmp_path, 1, None, lines.append)
    assert [line.partition("; ")[2] for line in lines] == ["about 40 min left", "about 20 min left", ""]


def test_progress_line_names_the_cell_and_its_results():
    cell = Cell("direct, no KL", vae(dataset="fashion-mnist", seed=3).resolved())
    assert cells._line(cell, row(7, test_elbo=-123.0, test_log_likelihood=-99.5, seconds=61.0)) == (
        "fashion-mnist, direct, no KL, seed 3: test -ELBO 123.00 nats, -log p(x) 99.50 nats after 7 epochs, 61 s")
    assert cells._line(cell, row(7, accuracy=0.875, test_elbo=-3.0)) == (
        "fashion-mnist, direct, no KL, seed 3: accuracy 87.50 %, test -ELBO 3.00 nats after 7 epochs, 1 s")


def test_results_keep_every_column_to_ten_digits(tmp_path):
    """Every measured column of both kinds of run is written, also if only one run has it."""
    columns = {name for kind in (VAESettings, MixtureSettings)
               for name in kind_of(kind()).start(replace(kind(), limit=10).resolved()).columns}
    left_out = {"epoch", "step", "train_elbo", "valid_elbo", "eps_or_tau"}
    names = sorted(columns - left_out | {"evaluations"})
    assert set(cells.MEASURED) == set(names)
    values = {name: -(index + 1.23456789) * 1e3 for index, name in enumerate(names)}
    runs = {Cell("a", vae().resolved()): [row(1) | {names[0]: 5.0}],
            Cell("b", vae().resolved()): [row(1) | values]}
    cells.write_results(runs, tmp_path, "x")
    with open(tmp_path / "x.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert list(written[0]) == ["dataset", "label", "seed", "epochs", *(name for name in cells.MEASURED)]
    assert {name: float(written[1][name]) for name in names} == pytest.approx(values, rel=1e-9)
    assert written[0][names[1]] == "" and [line["label"] for line in written] == ["a", "b"]


def test_python_path_of_a_child_process_has_the_package_and_the_earlier_entries(tmp_path, monkeypatch):
    started: list[dict] = []
    monkeypatch.setattr(cells.subprocess, "Popen", lambda command, **keywords: started.append(keywords))
    cell = Cell("k = 3", vae(k=3).resolved())
    for earlier, paths in ((None, [str(cells.PACKAGE)]), ("/a", [str(cells.PACKAGE), "/a"])):
        monkeypatch.delenv("PYTHONPATH", raising=False)
        if earlier:
            monkeypatch.setenv("PYTHONPATH", earlier)
        cells._start(cell, 1, tmp_path, None, 0)
        assert started[-1]["env"]["PYTHONPATH"].split(os.pathsep) == paths
    assert (cells.PACKAGE / "refimpl" / "cli").is_dir()


def test_other_processes_are_terminated_if_one_fails(tmp_path, monkeypatch):
    processes = []

    class Process:
        def __init__(self, command, **keywords):
            self.returncode, self.calls = None, []
            processes.append(self)

        def communicate(self, timeout=None):
            if timeout and self is not processes[1]:
                raise subprocess.TimeoutExpired("train", timeout)
            self.returncode = 2
            self.calls.append("communicate")
            return None, "an earlier line\nthe last line\n"

        def terminate(self):
            self.calls.append("terminate")

    monkeypatch.setattr(cells.subprocess, "Popen", Process)
    four_cells = [Cell(f"k = {k}", vae(k=k).resolved()) for k in (3, 4, 5, 6)]
    with pytest.raises(InputError, match="^mnist-k__4-seed0: the last line$"):
        cells.run_cells(four_cells, 1, tmp_path, 3, None, lambda line: None)
    ended = ["terminate", "communicate"]
    assert [process.calls for process in processes] == [ended, ["communicate"], ended]
