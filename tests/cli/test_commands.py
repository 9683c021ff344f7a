"""The main commands run end to end on a small part of the data."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from refimpl.cli import commands
from refimpl.runs import KINDS
from refimpl.runs.checkpoint import FILE
from tests import spawn
from tests.cases import first
from tests.cli.helpers import SMALL, assert_refused, call


def test_verify(tmp_path, capsys):
    status, out, err = call(capsys, "verify", "--k", 4, "--seed", 3, "--samples", 20_000, "--out", tmp_path)
    assert status == 0 and err == ""
    assert "FAILS" not in out and re.search(r"(\d+) of \1 claims hold", out)
    assert (tmp_path / "theorem1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("estimator", ["direct", "exact", "gumbel-softmax", "straight-through-gumbel-softmax"])
@pytest.mark.parametrize("dataset", first(1, ["mnist", "fashion-mnist"]))
def test_train(tmp_path, capsys, dataset, estimator):
    status, out, err = call(capsys, "train", *SMALL, "--dataset", dataset, "--estimator", estimator, "--epochs", 1,
                            "--k", 5, "--out", tmp_path / "run")
    assert status == 0 and err == ""
    assert re.search(r"1 epoch: test -ELBO \d+\.\d\d nats", out)


@pytest.mark.parametrize("options", [
    ["--n", "4", "--k", "2"], ["--n", "3", "--k", "3", "--estimator", "direct-joint"], ["--n", "12", "--k", "2"],
    ["--n", "20", "--k", "2", "--estimator", "arm"], ["--n", "4", "--k", "2", "--estimator", "relax", "--as-released"],
    ["--n", "5", "--k", "2", "--family", "pairwise"],
    ["--n", "5", "--k", "2", "--family", "pairwise", "--solver", "milp"],
    ["--n", "4", "--k", "2", "--family", "pairwise", "--estimator", "direct-joint", "--solver", "persistency"],
    ["--n", "4", "--k", "2", "--family", "pairwise", "--estimator", "gumbel-softmax", "--as-released"]])
def test_train_with_several_variables(tmp_path, capsys, quick, options):
    status, out, err = call(capsys, "train", "--hidden", 10, "--limit", 60, "--batch", 20, *options, "--epochs", 1,
                            "--out", tmp_path / "run")
    assert status == 0 and err == "", err
    assert "nan" not in out
    if "--family" in options:
        assert "-log p(x)" in out and ("no bound" in out) == ("--as-released" in options)
    elif "20" in options:
        assert "(one sample)" in out                                # 2^20 joint values are too many for an exact bound


@pytest.mark.parametrize("options", first(2, [
    [], ["--as-released"], ["--dataset", "faces", "--labels", "0", "--estimator", "gumbel-softmax"],
    ["--estimator", "gumbel-softmax"], ["--estimator", "exact"], ["--estimator", "relax"], ["--labels", "0"],
    ["--labelled-term", "direct-loss", "--dataset", "fashion-mnist"], ["--dataset", "faces"]]))
def test_semi_supervised(tmp_path, capsys, quick, options):
    small = ["semi-supervised", "--labels", 20, "--limit", 300, "--pretrain", 2, "--epochs", 1, *options]
    status, out, err = call(capsys, *small, "--out", tmp_path / "run")
    assert status == 0 and err == "" and "nan" not in out
    assert re.search(r"1 epoch: test accuracy (\(best match\) )?\d+\.\d\d %, -ELBO \d+\.\d\d nats", out)
    assert ("best match" in out) == ("0" in options)
    status, out, err = call(capsys, *small, "--epochs", 2, "--out", tmp_path / "run", "--resume")
    assert status == 0 and err == "" and "2 epochs" in out
    assert_refused(capsys, ["measure", "codes", tmp_path / "run"], "semi-supervised", "train")
    assert_refused(capsys, ["measure", "variance", "--run", tmp_path / "run"], "semi-supervised", "train")


def test_resume_trains_more_epochs(run, capsys):
    status, out, _ = call(capsys, "train", *SMALL, "--epochs", 3, "--out", run, "--resume")
    assert status == 0 and "3 epochs" in out
    assert len((run / "metrics.csv").read_text().splitlines()) == 4


def test_compare(run, tmp_path, capsys):
    exact = tmp_path / "exact"
    call(capsys, "train", *SMALL, "--estimator", "exact", "--epochs", 1, "--out", exact)
    status, out, _ = call(capsys, "compare", run, exact, run, "--save", tmp_path / "both.png")
    assert status == 0 and out.count("test -ELBO") == 3
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_variance(run, tmp_path, capsys):
    status, out, err = call(capsys, "measure", "variance", "--run", run, "--samples", 20, "--batch", 30,
                            "--out", tmp_path / "v")
    assert status == 0 and err == ""
    assert len((tmp_path / "v" / "variance.csv").read_text().splitlines()) == 11
    assert (tmp_path / "v" / "variance.png").exists()


@pytest.mark.slow
def test_benchmark(capsys, monkeypatch):
    from refimpl.experiments.measuring import benchmark

    monkeypatch.setattr(benchmark, "epoch_seconds", lambda: [1.0, 1.0, 1.05])       # an epoch would be slow
    status, out, _ = call(capsys, "measure", "benchmark", "--steps", 1, "--rounds", 1)
    assert status == 0 and len(out.splitlines()) == 1 + len(benchmark.cases(100)) + 1
    assert "1.05 times as long as the first" in out


@pytest.mark.slow                           # faster tests, here and in test_printed.py, check its parts separately
def test_quickstart_in_a_separate_process(tmp_path, capsys, monkeypatch):
    done = spawn.refimpl("quickstart", "--out", tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for picture in re.findall(r"^- (\S+\.png)", done.stdout, re.M):
        assert Path(picture).exists()
    bounds = [float(line.split()[3]) for line in done.stdout.splitlines() if re.match(r" +[123] +\d", line)]
    assert len(bounds) == 3 and bounds[2] < 172 < bounds[0]
    before = (tmp_path / "mnist" / FILE).read_bytes()
    monkeypatch.setattr(commands, "verify_and_print", lambda *numbers: 0)       # it ran above
    status, out, err = call(capsys, "quickstart", "--out", tmp_path)
    assert status == 0 and err == ""                            # it finds the finished run and prints the same summary
    assert out.partition("What you have seen")[2] == done.stdout.partition("What you have seen")[2] != ""
    assert (tmp_path / "mnist" / FILE).read_bytes() == before


def test_help_lists_every_command(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    for name in (*KINDS, "quickstart", "verify", "train", "compare", "experiment", "measure", "make"):
        assert name in out
        assert call(capsys, name, "--help")[0] == 0
