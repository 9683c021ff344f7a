"""Commands print each number under its own title, and pass each option on as the argument of the same name.

Experiments are replaced by functions that return fixed rows.  The numbers in a row differ, so that a test fails if two
of them are swapped.
"""
from __future__ import annotations

import inspect
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from refimpl.cli import commands
from refimpl.cli.parser import make_parser
from refimpl.cli.words import words_of
from refimpl.experiments import registry
from refimpl.experiments.measuring import (benchmark, codes, joint_argmax, plateau_forces, plateau_steps,
                                           relaxation, structured_timing, subset, variance, yardsticks)
from refimpl.experiments.theory import choosing_eps, estimators_table, explore, verify
from refimpl.experiments.training import compare, tutorial_runs
from refimpl.experiments.training.cells import Cell
from refimpl.runs import KINDS, checkpoint, loop
from tests.cli.helpers import call, every_command
from tests.settings import mixture, vae


@pytest.fixture
def fake_run(monkeypatch):
    """Return a function that replaces owner.run by one that reports and returns these rows.

    It returns a list to which the arguments of each later call are added, by name.
    """
    def replace(owner, rows, name: str = "run") -> list[dict]:
        signature, calls = inspect.signature(getattr(owner, name)), []

        def fake(*arguments, **keywords):
            bound = signature.bind(*arguments, **keywords)
            bound.apply_defaults()
            report = bound.arguments.pop("report", None)
            calls.append(dict(bound.arguments))
            for row in rows if report else ():
                report(row)
            return rows

        monkeypatch.setattr(owner, name, fake)
        return calls
    return replace


def numbers(line: str) -> list[float]:
    """Return all numbers in a line, in order."""
    return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?", line)]


def test_variance(fake_run, capsys, tmp_path):
    calls = fake_run(variance, [variance.Row(0.1, 11.0, 22.0, 0.3, 9.0, 44.0, 0.5, 9.0)])
    status, out, _ = call(capsys, "measure", "variance", "--run", tmp_path / "r", "--dataset", "fashion-mnist",
                          "--k", 7, "--seed", 3, "--samples", 21, "--batch", 34, "--data-dir", tmp_path / "d",
                          "--out", tmp_path / "v")
    assert status == 0 and calls == [dict(out=tmp_path / "v", run_folder=tmp_path / "r", dataset="fashion-mnist", k=7,
                                          seed=3, samples=21, batch=34, data_dir=tmp_path / "d")]
    title, row = out.splitlines()[1:3]
    assert re.split(r"  +", title) == ["eps, tau", "direct, exact", "direct, sampled", "Gumbel-softmax, sampled"]
    assert numbers(row) == [0.1, 11, 22, 0.3, 44, 0.5] and re.search(r"22 ± 0\.3 +44 ± 0\.5$", row)
    assert str(tmp_path / "v" / "variance.png") in out


def test_estimators(fake_run, capsys, tmp_path):
    rows = [estimators_table.Row("exact", 0.011, 1.5, 3.0, 7, True, True),
            estimators_table.Row("gumbel-softmax", 0.022, 99.0, 5.0, 2, False, False),
            estimators_table.Row("direct", 0.033, 0.5, 6.0, 3, False, True),
            estimators_table.Row("tilted", 0.033, 4e8, 0.0, 3, False, False),
            estimators_table.Row("perturbed", 0.033, 0.0, 6.0, 3, True, True)]
    calls = fake_run(estimators_table, rows)
    status, out, _ = call(capsys, "measure", "estimators", "--n", 3, "--k", 5, "--samples", 1234,
                          "--seed", 9, "--out", tmp_path)
    assert status == 0                                      # two estimators are biased, but are declared to be
    assert calls == [dict(n=3, k=5, samples=1234, seed=9, out=tmp_path)]
    assert "n = 3, k = 5, seed 9; 1,234 draws" in out
    title, *lines = out.splitlines()[2:8]
    assert " ".join(title.split()) == "estimator |bias| worst variance evals cost verdict"
    assert [re.split(r"  +", line) for line in lines] == [
        ["exact", "0.011", "1.5", "3", "7", "21", "unbiased"],
        ["gumbel-softmax", "0.022", "99.0", "5", "2", "10", "biased, as declared"],
        ["direct", "0.033", "0.5", "6", "3", "18", "no bias seen"],
        ["tilted", "0.033", "-", "0", "3", "0", "biased, as declared"],
        ["perturbed", "0.033", "-", "6", "3", "18", "cannot be tested: too few draws"]]
    assert str(tmp_path / "estimators.png") in out
    rows.append(estimators_table.Row("rebar", 0.022, 99.0, 5.0, 2, True, False))
    status, out, _ = call(capsys, "measure", "estimators", "--out", tmp_path)
    assert status == 1 and "BIASED, but declared not to be" in out


def test_joint_argmax(fake_run, capsys, tmp_path):
    calls = fake_run(joint_argmax, [joint_argmax.Row(0.25, 0.11, 0.22, 0.33, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7)])
    status, out, _ = call(capsys, "measure", "joint-argmax", "--n", 6, "--dataset", "fashion-mnist", "--seed", 4,
                          "--samples", 31, "--batch", 17, "--data-dir", tmp_path, "--out", tmp_path / "o")
    assert status == 0
    assert calls == [dict(n=6, dataset="fashion-mnist", seed=4, samples=31, batch=17, data_dir=tmp_path,
                          out=tmp_path / "o")]
    assert "fashion-mnist, n = 6" in out and "31 draws on 17 images" in out.replace("\n", " ")
    title, row = out.splitlines()[-2:]
    assert re.split(r"  +", title.strip()) == ["eps", "moved", "coordinates", "images", "one", "joint", "linear",
                                               "one", "joint", "linear", "noise"]
    assert numbers(row) == [0.25, 11, 22, 33, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7]


def test_structured_timing(fake_run, capsys, tmp_path):
    calls = fake_run(structured_timing, [structured_timing.Row("direct, maxflow", 7, 0.0123)])
    status, out, _ = call(capsys, "measure", "structured-timing", "--batch", 12, "--largest", 9, "--out", tmp_path)
    assert status == 0 and calls == [dict(out=tmp_path, batch=12, largest=9)]
    title, row = out.splitlines()[:2]
    assert re.split(r"  +", title) == ["method", "n", "ms per step"]
    assert re.split(r"  +", row) == ["direct, maxflow", "7", "12.3"]
    assert str(tmp_path / "structured-timing.png") in out


def test_benchmark(fake_run, capsys, monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    label = vae().resolved().label()
    calls = fake_run(benchmark, [benchmark.Row(label, 0.006, 0.004)])
    monkeypatch.setattr(benchmark, "epoch_seconds", lambda: [2.0, 3.0, 5.0])
    status, out, _ = call(capsys, "measure", "benchmark", "--batch", 300, "--steps", 3, "--rounds", 5, "--out", "o")
    assert status == 0 and calls == [dict(batch=300, steps=3, rounds=5, out=Path("o"))]
    title, row, epochs = out.splitlines()
    assert re.split(r"  +", title) == ["step of", "ms", "products, ms", "ratio", "s per epoch"]
    assert re.split(r"  +", row) == [label, "6.00", "4.00", "1.50", "1.00"]                 # 167 steps of 6 ms
    assert "epochs of 2.00, 3.00, 5.00 s; the third took 2.50 times as long as the first" in epochs
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert "OPENBLAS_CORETYPE=Prescott is set" in call(capsys, "measure", "benchmark")[1]


def test_codes(fake_run, capsys, tmp_path):
    start = codes.Codes(50, 4, np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.75, 0.25]]))
    now = codes.Codes(50, 7, np.array([[0.9, 0.1], [1.0, 0.0], [0.2, 0.8]]))
    calls = fake_run(codes, (start, now))
    status, out, _ = call(capsys, "measure", "codes", tmp_path, "--images", 50, "--data-dir", tmp_path / "d")
    assert status == 0 and calls == [dict(folder=tmp_path, images=50, data_dir=tmp_path / "d")]
    assert out.splitlines() == [
        "before training: 50 test images have 4 different z, and 3 of 4 variables are the same for all of them",
        "  share of ones: 1.00 0.00 0.00 0.25",
        "after training: 50 test images have 7 different z, and 1 of 3 variables are the same for all of them",
        "  share of ones: 0.10 0.00 0.80"]
    fake_run(codes, 2 * (codes.Codes(8, 3, np.array([[0.5, 0.5, 0.0]]), [(7, 0.75), (None, 0.0), (None, 0.0)]),))
    assert call(capsys, "measure", "codes", tmp_path)[1].splitlines()[1:4] == [     # one variable: a line per value
        "  value 0: 50.0% of the images, most often label 7 (75%)", "  value 1: 50.0% of the images",
        "  value 2: 0.0% of the images"]
    fake_run(codes, 2 * (codes.Codes(8, 3, np.full((2, 3), 1 / 3)),))     # three values have no share of ones
    assert call(capsys, "measure", "codes", tmp_path)[1].count("\n") == 2


def test_compare(fake_run, capsys, tmp_path):
    """The last row of each run is printed after the name of its folder."""
    rows = [{"epoch": epoch, "test_elbo": -200.0 - epoch, "seconds": 10.0 * epoch} for epoch in (1.0, 2.0)]
    settings = [vae(estimator=name, seed=seed).resolved() for name, seed in (("direct", 1), ("exact", 2))]
    calls = fake_run(compare, [(settings[0], rows), (settings[1], rows[:1])])
    status, out, _ = call(capsys, "compare", "a", "b", "--save", tmp_path / "c.png")
    assert status == 0 and calls == [dict(folders=[Path("a"), Path("b")], out=tmp_path / "c.png")]
    assert out.splitlines() == [
        f"a: {settings[0].label()}, seed 1: test -ELBO 202.00 nats after 2 epochs, 20.0 s",
        f"b: {settings[1].label()}, seed 2: test -ELBO 201.00 nats after 1 epoch, 10.0 s",
        f"Picture: {tmp_path / 'c.png'}"]


def test_experiment(fake_run, capsys, tmp_path, monkeypatch):
    cell = Cell("direct", vae().resolved())
    calls = fake_run(registry, {cell: [{"epoch": 3.0, "test_elbo": -123.0}]})
    status, out, _ = call(capsys, "experiment", "binary", "--epochs", 3, "--seeds", 2, "--dataset", "mnist",
                          "fashion-mnist", "--only", "arm", "rebar", "--jobs", 5, "--data-dir", tmp_path / "d",
                          "--out", tmp_path)
    assert status == 0 and calls == [dict(name="binary", epochs=3, seeds=2, out=tmp_path, jobs=5,
                                          datasets=["mnist", "fashion-mnist"], data_dir=tmp_path / "d",
                                          only=["arm", "rebar"])]
    assert "after 3 epochs" in out and "123.00" in out and str(tmp_path / "binary.png") in out
    call(capsys, "experiment", "joint")
    assert calls[1] == dict(name="joint", epochs=10, seeds=1, out=Path("runs/experiment-joint"), jobs=1, datasets=None,
                            data_dir=None, only=None)


def test_tutorial_runs(fake_run, capsys):
    calls = fake_run(tutorial_runs, ["made"], "make")
    status, out, _ = call(capsys, "make", "tutorial-runs", "single-exact", "labels-0")
    lines = out.splitlines()
    assert status == 0 and not calls and "--write" in lines.pop() and len(lines) == 2        # nothing is trained
    assert "single-exact.npz: chapter 6, 10 epochs" in lines[0] and "labels-0.npz: chapter 9, 15 epochs" in lines[1]
    status, out, _ = call(capsys, "make", "tutorial-runs", "single-exact", "labels-0", "--write")
    assert status == 0 and out == "made\n" and calls[0]["names"] == ["single-exact", "labels-0"]


@pytest.mark.parametrize("holds, status", [(True, 0), (False, 1), (None, 0)])
def test_verify(fake_run, capsys, tmp_path, holds, status):
    calls = fake_run(verify, [verify.Claim("one", "1.5", "2.5", True), verify.Claim("two", "3.5", "4.5", holds)])
    h, f = verify.problem(5, np.random.default_rng(8))
    actual_status, out, _ = call(capsys, "verify", "--k", 5, "--seed", 8, "--samples", 4321, "--out", tmp_path)
    calls[0].pop("started")(h, f)
    out = capsys.readouterr().out + out
    assert actual_status == status and calls == [dict(k=5, seed=8, samples=4321, out=tmp_path, h=None, f=None, eps=0.5)]
    assert f"k = 5, seed 8, 4,321 draws of the noise, eps = {verify.EPS}" in out
    assert out.splitlines()[1] == "h = " + ", ".join(f"{value:.4g}" for value in h)
    assert out.splitlines()[2] == "f = " + ", ".join(f"{value:.4g}" for value in f)
    assert out.splitlines()[3:5] == ["h is normalised to log q, which changes no probability.", ""]
    assert out.splitlines()[5:9] == ["holds  one", "         exact 1.5; 2.5",
                                     f"{ {True: 'holds', False: 'FAILS', None: '-    '}[holds]}  two",
                                     "         exact 3.5; 4.5"]
    assert {True: "2 of 2 claims hold.\n", False: "1 of 2 claims hold, 1 FAIL.\n",
            None: "1 of 2 claims hold, 1 cannot be tested here.\n"}[holds] in out
    assert "within 5 standard errors" in " ".join(out.split()) and str(tmp_path / "theorem1.png") in out
    out = call(capsys, "verify", "--short", "--h=-1,2", "--f", "3,1", "--eps", "0.25", "--out", tmp_path)[1]
    assert calls[1]["h"].tolist() == [-1, 2] and calls[1]["f"].tolist() == [3, 1] and calls[1]["eps"] == 0.25
    assert "  one" not in out and ("FAILS  two" in out) == (holds is False)       # a failing claim is always shown


@pytest.mark.slow
def test_choose_eps(capsys):
    """The printed table depends on the options, so they are passed on."""
    status, out, _ = call(capsys, "measure", "choose-eps", "--average", 20, "--problems", 2, "--seed", 3)
    assert status == 0 and out.splitlines() == choosing_eps.run(20, 2, 3) != choosing_eps.run(20, 2, 4)


def test_explore(fake_run, capsys, tmp_path):
    calls = fake_run(explore, None)
    status, out, _ = call(capsys, "explore", "--h=-1,2,0.5", "--f", "3,1,2", "--eps", "0.25", "--seed", 4, "--samples",
                          123, "--save", tmp_path / "e.pdf")
    passed = {name: value.tolist() if name in "hf" else value for name, value in calls[0].items()}
    assert status == 0 and passed == dict(h=[-1, 2, 0.5], f=[3, 1, 2], eps=0.25, seed=4, samples=123,
                                          save=tmp_path / "e.pdf")
    assert out == f"Picture: {tmp_path / 'e.pdf'}\n"


@pytest.mark.parametrize("failed", [0, 2])
def test_quickstart(fake_run, capsys, tmp_path, monkeypatch, failed):
    """The summary uses the first and the last row, and the status says whether a claim failed."""
    names = {"train_elbo": 0, "valid_elbo": 100, "test_elbo": 200, "test_log_likelihood": 300, "gap": -400}
    rows = [{"epoch": epoch, "step": 1.0, "eps_or_tau": 0.1, "seconds": 11.0 * epoch,
             **{name: -value - 10.0 - epoch for name, value in names.items()}} for epoch in (1.0, 2.0, 3.0)]
    calls = fake_run(loop, rows, "train")
    calls_of = lambda: [{name: value for name, value in passed.items() if name not in ("started", "draw")}
                        for passed in calls]
    verified: list[tuple] = []
    monkeypatch.setattr(commands, "verify_and_print", lambda *numbers: verified.append(numbers) or failed)
    status, out, _ = call(capsys, "quickstart", "--out", tmp_path)
    assert status == bool(failed) and verified == [(6, 0, 200_000, tmp_path)]
    assert calls_of() == [dict(settings=vae().resolved(), epochs=3, out=tmp_path / "mnist", resume=False,
                               data_dir=None)]
    assert ("Every claim held" in out) != failed and ("2 claims FAILED" in out) == bool(failed)
    assert "took 33.0 s" in out and "fell from 211.0 to 213.0 nats" in out and "would need 543" in out
    assert "-log p(x) = 313.0 nats, so the bound is 387.00 nats from" in out
    for picture in ("theorem1.png", "mnist/curves.png", "mnist/samples.png"):
        assert f"- {tmp_path / picture}: " in out


# --- the kinds of run -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_options_reach_the_loop_and_settings_name_the_default_folder(fake_run, capsys, tmp_path, monkeypatch, kind):
    calls = fake_run(loop, [{name: 1.0 for name in kind.start(kind.SETTINGS().resolved()).columns}], "train")
    settings = kind.SETTINGS(seed=5).resolved()
    monkeypatch.setattr(checkpoint, "load", lambda path, kind: (SimpleNamespace(settings=settings), path))
    status, out, _ = call(capsys, kind.COMMAND, "--epochs", 6, "--out", tmp_path / "o", "--resume",
                          "--data-dir", tmp_path / "d")
    (passed,) = calls
    passed.pop("started"), passed.pop("draw")
    assert status == 0 and passed == dict(settings=settings, epochs=6, out=tmp_path / "o", resume=True,
                                          data_dir=tmp_path / "d")
    assert f"are in {tmp_path / 'o'}" in out and "1 epoch: " in out
    call(capsys, kind.COMMAND, "--seed", 5)
    calls[1].pop("started"), calls[1].pop("draw")
    folder = Path("runs") / words_of(kind.COMMAND).folder(settings)
    assert calls[1] == dict(settings=settings, epochs=kind.EPOCHS, out=folder, resume=False, data_dir=None)


def test_default_folder_name_describes_the_run():
    assert [words_of("train").folder(settings.resolved()) for settings in (
        vae(), vae(dataset="fashion-mnist", estimator="arm", n=15, k=2, seed=3),
        vae(n=5, k=2, family="pairwise", solver="persistency"))] == [
            "mnist-direct-k10-seed0", "fashion-mnist-arm-n15-k2-seed3", "mnist-direct-pairwise-persistency-n5-k2-seed0"]
    fifty = mixture(dataset="fashion-mnist", estimator="exact", labels=50, seed=2).resolved()
    assert words_of("semi-supervised").folder(fifty) == \
        "semi-supervised-fashion-mnist-exact-50-seed2"


@pytest.mark.parametrize("settings, names, ends", [
    (vae(), ("train -ELBO", "valid -ELBO", "test -ELBO", "test -log p(x)", "gap"), [100, 200, 300, 400, 50]),
    (vae(n=3, k=2), ("train -ELBO", "valid -ELBO", "test -ELBO", "test -log p(x)", "gap", "one-sample -ELBO"),
     [100, 200, 300, 400, 50, 600]),
    (vae(n=3, k=2, family="pairwise"), ("test -log p(x)",), [400]),
    (vae(n=3, k=2, family="pairwise", as_released=True),
     ("test -log p(x)", "unary-KL loss, no bound"), [400, 700])])
def test_metrics_line_of_train_is_aligned_with_its_heading(settings, names, ends):
    settings = settings.resolved()
    row = {"epoch": 2.0, "train_elbo": -100.0, "valid_elbo": -200.0, "test_elbo": -300.0, "test_log_likelihood": -400.0,
           "gap": 50.0, "sampled_elbo": -600.0, "released_loss_not_a_bound": -700.0, "seconds": 12.5}
    title, line = words_of("train").heading(settings).splitlines()[-1], words_of("train").line(settings, row)
    assert title.split() == ["epoch", *" ".join(names).split(), "seconds"]
    assert numbers(line) == [2, *ends, 12.5] and len(line) == len(title)
    for name, value in zip(names, ends):
        assert line[:title.index(name) + len(name)].endswith(f"{value}.00")     # the value ends where its title ends
    blank = words_of("train").line(settings, row | {"test_log_likelihood": math.nan})
    assert len(blank) == len(line) and "nan" not in blank


@pytest.mark.parametrize("settings, row, words", [
    (vae(), {}, "test -ELBO 300.00 nats"),
    (vae(n=3, k=2), {"test_elbo": math.nan}, "test -ELBO (one sample) 600.00 nats"),
    (vae(n=3, k=2, family="pairwise"), {}, "test -log p(x) 400.00 nats")])
def test_result_line_of_train(settings, row, words):
    row = {"test_elbo": -300.0, "test_log_likelihood": -400.0, "sampled_elbo": -600.0} | row
    assert words_of("train").result(settings.resolved(), row) == words


@pytest.mark.parametrize("labels", [0, 100])
def test_metrics_line_of_semi_supervised_is_aligned_with_its_heading(labels):
    settings = mixture(labels=labels, pretrain=3).resolved()
    row = {"epoch": 2.0, "accuracy": 0.875, "valid_accuracy": 0.25, "test_elbo": -100.0, "reconstruction": -70.0,
           "class_kl": 2.0, "gaussian_kl": 28.0, "seconds": 12.5}
    heading, line = words_of("semi-supervised").heading(settings), words_of("semi-supervised").line(settings, row)
    name = "accuracy" if labels else "accuracy (best match)"
    title = heading.splitlines()[-1]
    assert title == f"epoch {name} test -ELBO reconstruction class KL Gaussian KL  seconds" and len(line) == len(title)
    for words, value in (("epoch", "2"), (name, "87.50 %"), ("test -ELBO", "100.00"), ("reconstruction", "70.00"),
                         ("class KL", "2.00"), ("Gaussian KL", "28.00"), ("seconds", "12.5")):
        assert line[:title.index(words) + len(words)].endswith(f" {value}"), words
    start = "trained on the labelled images alone" if labels else "untrained"
    assert heading.splitlines()[1].endswith(f"epoch 0: {start}")
    assert words_of("semi-supervised").result(settings, row) == f"test {name} 87.50 %, -ELBO 100.00 nats"


# --- defaults ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, function", [
    (["verify"], verify.run), (["measure", "codes", "x"], codes.run), (["measure", "variance"], variance.run),
    (["measure", "estimators"], estimators_table.run), (["measure", "joint-argmax"], joint_argmax.run),
    (["measure", "benchmark"], benchmark.run), (["measure", "plateau-steps"], plateau_steps.run),
    (["measure", "plateau-forces"], plateau_forces.run), (["measure", "relaxation"], relaxation.run),
    (["measure", "yardsticks", "x"], yardsticks.run), (["measure", "subset"], subset.run),
    (["measure", "structured-timing"], structured_timing.run), (["experiment", "joint"], registry.run)],
    ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_defaults_of_a_command_equal_those_of_its_function(arguments, function):
    options = vars(make_parser().parse_args(arguments))
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()
                if parameter.default is not inspect.Parameter.empty and name in options and name not in ("out", "run")}
    assert defaults and {name: options[name] for name in defaults} == defaults


@pytest.mark.parametrize("command", ["quickstart", "verify", "measure variance", "measure estimators",
                                     "measure structured-timing", "measure plateau-steps", "measure plateau-forces",
                                     "measure relaxation", "measure benchmark"])
def test_default_folder_of_a_command_has_its_name(command):
    assert make_parser().parse_args(command.split()).out == Path("runs") / command.split()[-1]


def test_every_option_has_help_and_a_default_within_its_range():
    ranges = 0
    for command in every_command():
        for action in command._actions:
            assert action.help, (command.prog, action.dest)
            stated = re.search(r"from ([\d.,]+) to ([\d.,]+)", action.help)
            if stated and isinstance(action.default, (int, float)):
                least, most = (float(text.strip(",").replace(",", "")) for text in stated.groups())
                assert least <= action.default <= most, (command.prog, action.dest)
                ranges += 1
    assert ranges >= 25
