"""Missing, damaged, foreign or locked files are refused with status 2 and a one-line message; no file changes."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refimpl import data
from refimpl.runs.checkpoint import FILE
from tests.cli.helpers import SMALL, assert_refused, call, snapshot


def test_resume_without_a_checkpoint_is_refused(tmp_path, capsys):
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path / "none", "--resume"], "checkpoint.npz", "missing")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("changed, words", [
    (["--k", "7"], ["k is 10, not 7"]),
    (["--seed", "5"], ["seed is 0, not 5"]),
    (["--eps", "0.2"], ["eps is 0.1, not 0.2"]),
    (["--estimator", "exact"], ["estimator is direct, not exact"]),
    (["--lr", "0.01"], ["lr is 0.001, not 0.01"]),
    (["--no-kl-grad"], ["kl_grad is True, not False"]),
    (["--as-released"], ["schedule is constant, not released", "kl_grad is True, not False"]),
    (["--dataset", "fashion-mnist"], ["dataset is mnist, not fashion-mnist"])])
def test_resume_with_different_settings_is_refused(run, capsys, changed, words):
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, *changed, "--epochs", 3, "--out", run, "--resume"],
                   "other settings", *words)
    assert snapshot(run) == before


@pytest.mark.parametrize("name", ["refimpl run 1", "refimpl run 3", "refimpl semi-supervised run 2"])
def test_commands_refuse_a_checkpoint_of_an_earlier_version(run, capsys, name):
    with_arrays(format=name)(b"", run / FILE)
    before = snapshot(run)
    for command in (["train", *SMALL, "--epochs", 3, "--out", run, "--resume"], ["measure", "codes", run],
                    ["measure", "variance", "--run", run, "--out", run / "v"]):
        assert_refused(capsys, command, "checkpoint.npz", "earlier version", "train it again in another folder")
    assert snapshot(run) == before


def with_arrays(**changed):
    """Return a function that changes these arrays of a checkpoint, or removes those that are None."""
    def damage(content: bytes, path: Path) -> None:
        original = dict(np.load(path, allow_pickle=False))
        np.savez(path, **{name: array for name, array in {**original, **changed}.items() if array is not None})
    return damage


DAMAGE = {
    "truncated": lambda content, path: path.write_bytes(content[: len(content) // 2]),
    "empty": lambda content, path: path.write_bytes(b""),
    "text": lambda content, path: path.write_text("epoch,step\n"),
    "a single array": lambda content, path: np.save(open(path, "wb"), np.zeros(3)),
    "bit flipped": lambda content, path: path.write_bytes(content[:3000] + bytes([content[3000] ^ 1]) + content[3001:]),
    "a later version": with_arrays(format="refimpl run 99"),
    "no format": with_arrays(format=None),
    "other arrays": lambda content, path: np.savez(path, weights=np.zeros(3)),
    "pickled": with_arrays(values=np.array([{}], dtype=object)),
    "other length": with_arrays(values=np.zeros(3, np.float32)),
    "other type": with_arrays(adam_M=np.zeros(3)),
    "settings not json": with_arrays(settings="{"),
    "settings of nothing": with_arrays(settings="{}"),
    "settings of another kind": with_arrays(settings='{"k": "ten"}'),
    "generator state not json": with_arrays(rng="?"),
    "generator of another kind": with_arrays(rng='{"bit_generator": "MT19937"}'),
    "history of another width": with_arrays(history=np.zeros((2, 3))),
    "step not a number": with_arrays(adam_t="soon"),
    "step of another run": with_arrays(adam_t=3),
    "negative step": with_arrays(adam_t=-1),
    "weights not finite": with_arrays(values=np.full(1, np.nan, np.float32)),
    "settings with fractions": with_arrays(settings='{"k": 10.0}'),
    "settings with null": with_arrays(settings='{"k": null}'),
    "settings with a word for a switch": with_arrays(settings='{"kl_grad": "yes"}'),
    "settings nested deep": with_arrays(settings="[" * 100_000),
    "generator state out of range": with_arrays(rng='{"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}, '
                                                    '"has_uint32": 0, "uinteger": 0}'),
    "epochs out of order": with_arrays(history=np.full((2, 9), 7.0)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_resume_refuses_a_damaged_or_foreign_checkpoint(run, capsys, damage, recwarn):
    path = run / FILE
    DAMAGE[damage](path.read_bytes(), path)
    before = snapshot(run)
    assert_refused(capsys, ["train", *SMALL, "--epochs", 3, "--out", run, "--resume"], "checkpoint.npz")
    assert snapshot(run) == before


def test_damaged_data_file_is_refused(tmp_path, capsys):
    (tmp_path / "mnist.npz").write_bytes((data.SHIPPED / "mnist.npz").read_bytes()[:100_000])
    assert_refused(capsys, ["train", *SMALL, "--data-dir", tmp_path, "--out", tmp_path / "run"], "mnist.npz", "damaged")
    assert not (tmp_path / "run").exists()


def test_resume_refuses_a_run_that_is_in_use(run, capsys):
    from refimpl.system.files import locked

    with locked(run):
        assert_refused(capsys, ["train", *SMALL, "--epochs", 3, "--out", run, "--resume"], "in use")


def test_compare_refuses_what_is_not_a_run(run, tmp_path, capsys):
    out = tmp_path / "c.png"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused(capsys, ["compare", empty, "--save", out], "config.json")
    assert_refused(capsys, ["compare", tmp_path / "none", "--save", out], "none")
    assert_refused(capsys, ["compare", run, "--save", tmp_path], "folder")
    assert_refused(capsys, ["compare", run, "--save", tmp_path / "no" / "c.png"], "cannot be written")
    (run / "metrics.csv").write_text("epoch\nsoon\n")
    assert_refused(capsys, ["compare", run, "--save", out], "cannot be read")
    (run / "metrics.csv").write_text("epoch,step,test_elbo,seconds\n")
    assert_refused(capsys, ["compare", run, "--save", out], "no epoch")
    assert not out.exists()


def test_compare_refuses_different_data_sets(run, tmp_path, capsys):
    call(capsys, "train", *SMALL, "--dataset", "fashion-mnist", "--epochs", 1, "--out", tmp_path / "other")
    assert_refused(capsys, ["compare", run, tmp_path / "other", "--save", tmp_path / "c.png"], "different data sets")


@pytest.mark.parametrize("name, text", [
    ("config.json", '{"kind": "train", "k": null}'), ("config.json", '{"kind": "none", "estimator": "direct"}'),
    ("config.json", '{"kind": "train", "estimator": "direct", "hyperparameters": {"eps": 1' + "0" * 400 + "}}"),
    ("config.json", '{"kind": [], "estimator": "direct"}'), ("config.json", '{"estimator": "direct", "eps": 0.1}'),
    ("config.json", '{"kind": "train", "estimator": "direct", "hyperparameters": 3}'), ("config.json", "[" * 100_000),
    ("config.json", "[]"), ("metrics.csv", "epoch,seconds,test_elbo\n1,nan,-3\n"),
    ("metrics.csv", "epoch\n" + "x" * 200_000), ("metrics.csv", "\0")])
def test_compare_refuses_damaged_runs(run, tmp_path, capsys, name, text):
    (run / name).write_text(text)
    assert_refused(capsys, ["compare", run, "--save", tmp_path / "c.png"], str(run))


def test_compare_refuses_a_run_of_an_earlier_version(run, tmp_path, capsys):
    (run / "config.json").write_text('{"dataset": "mnist", "estimator": "direct", "eps": 0.1}')
    assert_refused(capsys, ["compare", run, "--save", tmp_path / "c.png"], str(run), "earlier version",
                   "train it again in another folder")


def test_variance_refuses_a_folder_that_is_not_a_run(tmp_path, capsys):
    assert_refused(capsys, ["measure", "variance", "--run", tmp_path, "--out", tmp_path / "v"], "checkpoint.npz")
    assert not (tmp_path / "v").exists()
