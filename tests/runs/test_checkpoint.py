"""A checkpoint contains everything on which the next epoch depends, and loading restores each part of it."""
from __future__ import annotations

import json
import math

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.runs import checkpoint, kind_of, loop
from refimpl.runs.protocol import Run
from refimpl.runs.vae import VAERun
from tests.cases import first
from tests.settings import mixture, vae

CASES = {
    "train, relax": vae(estimator="relax", n=3, k=2, hidden=6, limit=70, batch=30),
    "train, rebar": vae(estimator="rebar", n=3, k=2, hidden=6, limit=70, batch=30),
    "train, reinforce": vae(estimator="reinforce", n=3, k=2, hidden=6, limit=70, batch=30),
    "semi-supervised, reinforce": mixture(estimator="reinforce", labels=20, pretrain=2, limit=90, batch=40,
                                                  gaussian=3),
    "semi-supervised, relax": mixture(estimator="relax", labels=20, pretrain=2, limit=90, batch=40, gaussian=3),
}


@pytest.fixture(scope="module", params=first(4, CASES))
def saved(request, tmp_path_factory):
    """Return the settings of a run, the path of its checkpoint after two epochs, and its state after four epochs."""
    settings, folder = CASES[request.param].resolved(), tmp_path_factory.mktemp("saved")
    loop.train(settings, 2, folder)
    checkpoint_after_two = (folder / checkpoint.FILE).read_bytes()
    loop.train(settings, 4, folder, resume=True)
    path = tmp_path_factory.mktemp("after_two") / checkpoint.FILE
    path.write_bytes(checkpoint_after_two)
    return settings, path, state(checkpoint.load(folder / checkpoint.FILE)[0])


def state(run: Run) -> dict[str, np.ndarray]:
    """Return everything on which the next step depends, by the names in the checkpoint."""
    return {"values": run.model.parameters.values, "adam_M": run.adam.M, "adam_V": run.adam.V, "adam_t": run.adam.t,
            "rng": json.dumps(run.rng.bit_generator.state),
            **{f"memory_{name}": array for name, array in run.memory.items()}}


def continued(run: Run, settings, epochs: int = 2) -> dict[str, np.ndarray]:
    """Train the run for this many more epochs, without writing files, and return its state."""
    dataset = data.load(settings.dataset, None, settings.limit)
    run.attach(dataset)
    for _ in range(epochs):
        loop.train_epoch(run, dataset.train)
    return state(run)


def differing(state: dict, expected: dict) -> set[str]:
    """Return the names of the parts that differ."""
    return {name for name in state if np.any(state[name] != expected[name])}


def test_loading_a_checkpoint_restores_what_was_saved(saved):
    settings, path, _ = saved
    run, history = checkpoint.load(path, settings)
    content = dict(np.load(path, allow_pickle=False))
    loaded = state(run)
    assert set(content) == {*loaded, "format", "settings", "history"} and run.memory
    for name, value in loaded.items():
        np.testing.assert_array_equal(content[name], value, err_msg=name)
        assert name in ("rng", "adam_t") or np.any(value != 0), name        # zeros would prove nothing
    np.testing.assert_array_equal(content["history"], history)
    assert str(content["format"]) == run.FORMAT and run.settings == settings and run.rng is not None


def test_steps_after_loading_equal_those_of_the_uninterrupted_run(saved):
    settings, path, later = saved
    run, _ = checkpoint.load(path, settings)
    assert not differing(continued(run, settings), later)


def spoil(run: Run, name: str) -> None:
    """Change one part of what a checkpoint contains."""
    if name == "adam_t":
        run.adam.t += 5
    elif name == "rng":
        run.rng.random(50)
    elif name == "adam_M and adam_V swapped":
        M = run.adam.M.copy()
        run.adam.M[...], run.adam.V[...] = run.adam.V, np.abs(M)
    elif name.startswith("memory_"):
        array = run.memory[name.removeprefix("memory_")]
        array[...] = 0 if name == "memory_steps" else array + 3
    else:
        array = {"values": run.model.parameters.values, "adam_M": run.adam.M, "adam_V": run.adam.V}[name]
        array += np.float32(1e-3) * (1 + np.abs(array))


def test_changing_any_part_of_a_checkpoint_changes_the_continued_run(saved):
    """So the test that compares the continued runs detects a part that is not restored."""
    settings, path, later = saved
    names = [name for name in state(checkpoint.load(path, settings)[0])] + ["adam_M and adam_V swapped"]
    assert sum(name.startswith("memory_") for name in names) >= 2
    for name in names:
        run, _ = checkpoint.load(path, settings)
        spoil(run, name)
        assert {"values", "adam_M", "adam_V"} <= differing(continued(run, settings), later), name


def test_checkpoint_with_a_missing_or_wrongly_shaped_array_is_refused(saved, tmp_path):
    settings, path, _ = saved
    content = dict(np.load(path, allow_pickle=False))
    for name in content:
        rest = {key: array for key, array in content.items() if key != name}
        np.savez(tmp_path / "x.npz", **rest)
        with pytest.raises(InputError, match="not a checkpoint of this program"):
            checkpoint.load(tmp_path / "x.npz", settings)
        if name not in ("format", "settings", "rng", "adam_t"):
            np.savez(tmp_path / "x.npz", **rest, **{name: content[name][:-1]})
            with pytest.raises(InputError, match="not a checkpoint of this program"):
                checkpoint.load(tmp_path / "x.npz", settings)


@pytest.mark.parametrize("name", checkpoint.EARLIER)
def test_checkpoint_of_an_earlier_version_is_refused_with_advice(saved, tmp_path, name):
    settings, path, _ = saved
    np.savez(tmp_path / "x.npz", **{**np.load(path, allow_pickle=False), "format": name})
    advice = "earlier version of this program.*train it again in another folder"
    with pytest.raises(InputError, match=advice) as problem:
        checkpoint.load(tmp_path / "x.npz", settings)
    assert "\n" not in str(problem.value)


def test_error_names_every_setting_that_differs_from_the_checkpoint(saved):
    from dataclasses import replace

    settings, path, _ = saved
    with pytest.raises(InputError, match="other settings: lr is .*, not 0.5; seed is 0, not 9"):
        checkpoint.load(path, replace(settings, lr=0.5, seed=9))


def test_generator_state_that_numpy_would_change_is_refused(tmp_path, quick, monkeypatch):
    """Some versions of NumPy take the integers of a state modulo 2^128, instead of refusing larger ones."""
    class LaxGenerator:
        bit_generator = property(lambda self: self)

        def __setattr__(self, name, value):
            self.__dict__[name] = {**value, "state": {**value["state"], "state": value["state"]["state"] % 2**128}}

    settings = vae(hidden=4, limit=30, batch=30).resolved()
    loop.train(settings, 1, tmp_path)
    original_create, content = VAERun.create.__func__, dict(np.load(tmp_path / checkpoint.FILE, allow_pickle=False))

    def create(cls, settings, rng):
        run = original_create(cls, settings, rng)
        run.rng = LaxGenerator()
        return run

    monkeypatch.setattr(VAERun, "create", classmethod(create))
    checkpoint.load(tmp_path / checkpoint.FILE)
    state = json.loads(str(content["rng"]))
    state["state"]["state"] += 2**128
    np.savez(tmp_path / "x.npz", **{**content, "rng": json.dumps(state)})
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoint.load(tmp_path / "x.npz")


@pytest.mark.parametrize("name, place, value", [("adam_t", (), 1), ("adam_V", 0, -1e-9), ("history", (0, 0), 2.0)])
def test_checkpoint_with_inconsistent_numbers_is_refused(tmp_path, quick, name, place, value):
    """The number of steps disagrees with the history, a second moment is negative, or the history starts at epoch 2."""
    settings = vae(hidden=4, limit=30, batch=10).resolved()
    loop.train(settings, 1, tmp_path)
    content = dict(np.load(tmp_path / checkpoint.FILE, allow_pickle=False))
    content[name] = content[name].copy()
    content[name][place] = value
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoint.load(tmp_path / "x.npz", settings)


def impossible_measurements(settings) -> list[tuple[str, float]]:
    """Return pairs of a column and a value that this column cannot have."""
    run = kind_of(settings).start(settings)
    return [(name, value) for name in run.columns for value in (math.inf, 1e300, math.nan)
            if not (math.isnan(value) and name in run.may_be_missing)]


SMALL = {"one variable": vae(hidden=4, limit=30, batch=10).resolved(),
         "several": vae(hidden=4, n=12, k=2, limit=30, batch=10).resolved(),
         "classes": mixture(labels=10, pretrain=1, gaussian=2, limit=60, batch=30).resolved()}


@pytest.mark.parametrize("case", SMALL)
def test_history_with_impossible_measurements_is_refused(tmp_path, quick, case):
    """Each column refuses infinity, a number too large for an axis, and NaN if no value of it may be missing."""
    loop.train(SMALL[case], 1, tmp_path)
    content = dict(np.load(tmp_path / checkpoint.FILE, allow_pickle=False))
    names = checkpoint.load(tmp_path / checkpoint.FILE)[0].columns
    for name, value in impossible_measurements(SMALL[case]):
        history = content["history"].copy()
        history[-1, names.index(name)] = value
        np.savez(tmp_path / "x.npz", **{**content, "history": history})
        with pytest.raises(InputError, match="not a checkpoint of this program"):
            checkpoint.load(tmp_path / "x.npz")


def test_error_of_a_user_defined_estimator_is_not_reported_as_a_damaged_file(tmp_path, quick, monkeypatch):
    loop.train(SMALL["one variable"], 1, tmp_path)

    def create(cls, settings, rng):
        raise KeyError("a mistake in a user's memory()")

    monkeypatch.setattr(VAERun, "create", classmethod(create))
    with pytest.raises(KeyError, match="a mistake"):
        checkpoint.load(tmp_path / checkpoint.FILE)
