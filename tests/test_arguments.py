"""Limits of arguments: each limit is allowed, and a number just beyond it is rejected by an error with its name."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import arguments
from refimpl.arguments import NotFinite

ABOVE = np.nextafter(1e300, np.inf)


def refused(call, message, error=ValueError):
    with pytest.raises(error, match=message):
        call()


def test_scores_may_be_at_most_1e300():
    for limit in (1e300, -1e300):
        assert arguments.scores(h=[limit])[0].tolist() == [limit]
        beyond = [limit, limit / 1e300 * ABOVE]
        refused(lambda: arguments.scores(h=beyond), "^h must be finite and at most 1e\\+300", NotFinite)


def test_error_about_two_shapes_names_the_later_argument_first():
    for h, f in ((np.zeros(2), np.zeros(3)), (np.zeros(3), np.zeros(2))):
        refused(lambda: arguments.scores(h=h, f=f),
                "^f must have as many values of z on its last axis as h: got shapes")
    refused(lambda: arguments.scores(h=np.zeros((2, 3)), f=np.zeros((4, 3))), "^f must broadcast with h")


def test_eps_must_be_between_1e_305_and_1e305():
    for limit, beyond in ((1e-305, 9e-306), (1e305, 1.1e305)):
        assert arguments.epsilon(limit).tolist() == [limit]
        refused(lambda: arguments.epsilon(beyond), "^eps must be at ")
    assert arguments.epsilon([0.1, 2], (2,)).shape == (2, 1)
    assert arguments.epsilon(-1e305, positive=False) == -1e305 and arguments.epsilon(0, positive=False) == 0
    refused(lambda: arguments.epsilon(-1.1e305, positive=False), "^eps must be at most 1e\\+305 in absolute value")
    for wrong in (0.0, -0.1):
        refused(lambda: arguments.epsilon(wrong), "^eps must be above 0")
    refused(lambda: arguments.epsilon(True), "^eps must be a real number", TypeError)
    refused(lambda: arguments.epsilon(np.ones(3), (2,)), "^eps must broadcast with the batch axes")


def test_product_of_eps_and_f_may_be_at_most_1e300():
    arguments.perturbation(np.array([1e150]), np.array([1e150]))
    refused(lambda: arguments.perturbation(np.array([1e150]), np.array([-1.0001e150])), "^eps must be so small")


def test_integer_accepts_whole_numbers_within_their_limits():
    assert [arguments.integer("n", value, 1, 5) for value in (1, 5, 5.0, np.int8(3))] == [1, 5, 5, 3]
    for wrong in (0, 6):
        refused(lambda: arguments.integer("n", wrong, 1, 5), "^n must be in 1 ... 5, got")
    refused(lambda: arguments.integer("n", 2, 3, 10**6), "^n must be in 3 ... 1,000,000, got 2")
    assert arguments.integer("n", 10**300, 1) == 10**300                     # integers may have more than 64 bits
    refused(lambda: arguments.integer("n", 10**300 + 1, 1), "^n must be in 1 ... 1e\\+300")
    refused(lambda: arguments.integer("n", True, 1), "^n must be a whole number, got bool", TypeError)


def test_shape_accepts_64_axes_and_fewer_than_2_to_the_59_numbers():
    assert arguments.shape((1,) * 64) == (1,) * 64 and arguments.shape(3) == (3,) and arguments.shape([2, 0]) == (2, 0)
    refused(lambda: arguments.shape((1,) * 65), "^shape must have at most 64 axes, got 65")
    assert arguments.shape((2**59 - 1,)) == (2**59 - 1,)
    refused(lambda: arguments.shape((2**29, 2**30)), "^shape must hold fewer than 2\\^59")


def test_indices_must_be_integers_from_0_to_the_last_value():
    assert arguments.indices([0, 2], 3).tolist() == [0, 2]
    for wrong in ([3], [-1]):
        refused(lambda: arguments.indices(wrong, 3), "^index must lie in 0 ... 2")
    refused(lambda: arguments.indices([True], 3), "^index must hold integers", TypeError)


def test_numbers_that_must_be_finite_or_positive():
    for bad in (np.nan, np.inf, -np.inf):
        refused(lambda: arguments.finite("f", np.array([0.0, bad])),
                "^f must be finite, got NaN or infinity", NotFinite)
        refused(lambda: arguments.positive("lr", bad), "^lr must be above 0 and finite")
        refused(lambda: arguments.no_overflow(np.array([0.0, bad]), "f", "be small"),
                "^f must be small: the result exceeds")
    refused(lambda: arguments.positive("lr", 0.0), "^lr must be above 0 and finite, got 0.0")
    assert arguments.positive("lr", 5e-324) == 5e-324


@pytest.mark.parametrize("check, least, most", [(arguments.temperature, *arguments.TEMPERATURES),
                                                (arguments.learning_rate, *arguments.LEARNING_RATES),
                                                (arguments.kl_weight, *arguments.KL_WEIGHTS),
                                                (arguments.weight, *arguments.WEIGHTS)])
def test_settings_of_a_run_must_lie_in_their_ranges(check, least, most):
    for good in (least, most, int(most), 1):
        assert check("x", good) == good and type(check("x", good)) is float
    for bad in (least * 0.999 or -1e-300, most * 1.001, -1.0, np.nan, np.inf, 1e308):
        refused(lambda: check("x", bad), "^x must be at least .* and at most .*, got [^\n]*$")
    for wrong in ("x", 1j, [0.3], None, True, np.ones(2), 10**400):
        refused(lambda: check("x", wrong), "^x must be [^\n]*$", TypeError)


def test_flag_must_be_true_or_false():
    assert arguments.flag("x", True) is True and arguments.flag("x", np.False_) is False
    for wrong in (1, 0, "no", None, [True], 1000):
        refused(lambda: arguments.flag("x", wrong), "^x must be True or False, got ", TypeError)


def test_array_rejects_cyclic_and_ragged_lists_and_more_than_24_axes():
    cyclic = [1.0]
    cyclic.append(cyclic)
    refused(lambda: arguments.array("h", cyclic), "^h must be an array, not a list that contains itself$")
    refused(lambda: arguments.array("h", np.zeros((1,) * 25)), "^h must have at most 24 axes, got 25$")
    assert arguments.array("h", np.zeros((1,) * 24)).ndim == 24
    refused(lambda: arguments.array("h", [[1, 2], [1]]), "^h must be an array with rows of equal length$")


def test_error_about_minus_infinity_explains_how_to_exclude_a_value():
    refused(lambda: arguments.scores(h=[0, -np.inf]), "^h must be .*; to exclude a value, give it a score of -1e.300$",
            NotFinite)
    refused(lambda: arguments.finite("h", np.array([0, -np.inf], np.float32)), "give it a score of -1e30$", NotFinite)
    with pytest.raises(NotFinite) as problem:
        arguments.scores(h=[0, np.inf])
    assert "exclude" not in str(problem.value)


def test_corners_must_be_one_hot_vectors():
    assert arguments.corners("z", np.eye(3)).tolist() == [0, 1, 2]
    for wrong in ([0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [2.0, -1.0], [np.nan, 1.0]):
        refused(lambda: arguments.corners("z", np.array([wrong])), "^z must be one-hot vectors")


def test_array_rejects_masked_arrays_at_any_depth_of_a_list():
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    for wrong in (masked, [masked], [[masked], [masked]], (masked, masked)):
        refused(lambda: arguments.array("h", wrong), "^h must not be a masked array", TypeError)
