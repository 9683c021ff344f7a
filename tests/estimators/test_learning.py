"""learning_from: the decoder's learning signal is chosen independently of the encoder's gradient."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refimpl import estimators, joint
from refimpl.estimators.learning import SIGNALS, learning_from
from refimpl.models.toy import Toy


@pytest.fixture
def h(rng):
    return rng.normal(size=(3, 2, 2))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", ["exact", "direct", "local-expectation"])
def test_learning_from_changes_the_signal_and_keeps_the_gradient(name, signal, h):
    entry, toy = estimators.get(name), Toy(3, 2, 2, np.random.default_rng(1))
    settings = {"eps": 0.5} if entry.temperature else {}
    default = entry.estimate(h, toy, np.random.default_rng(2), **settings)
    changed = learning_from(entry, signal)
    grad, decoder_term = changed.estimate(h, toy, np.random.default_rng(2), **settings)
    assert (grad == default.grad).all() and replace(changed, estimate=entry.estimate) == entry
    if signal == "q":
        np.testing.assert_allclose(decoder_term.weights, np.exp(joint.log_q(h)), rtol=1e-12)


def test_signal_z_star_is_a_sample_of_q(rng):
    """The counts of 40,000 samples are within four standard deviations of their means."""
    h, times = rng.normal(size=(2, 2)), 40_000
    many, toy = np.broadcast_to(h, (times, 2, 2)), Toy(1, 2, 2, rng).repeated(0, times)
    _, decoder_term = learning_from(estimators.get("exact"), "z_star").estimate(many, toy, rng)
    q = np.exp(joint.log_q(h))
    counts = np.bincount(joint.index(decoder_term.z), minlength=4)
    assert (np.abs(counts - times * q) < 4 * np.sqrt(times * q * (1 - q))).all()


def test_passes_for_the_learning_signal_are_not_counted_as_evaluations(h, rng):
    toy = Toy(3, 2, 2, rng)
    learning_from(estimators.get("exact"), "z_star").estimate(h, toy, rng)
    assert toy.evaluations == 4


def test_unknown_signal_is_rejected():
    with pytest.raises(ValueError, match="^signal must be one of z_star, q, got 'z'"):
        learning_from(estimators.get("exact"), "z")
