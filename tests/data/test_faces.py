"""Drawn faces are reproducible, each attribute changes only its own region, and all variables are independent."""
from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from refimpl import data, joint, plots
from refimpl.arguments import InputError
from refimpl.data import faces
from refimpl.data.base import content_digest
from refimpl.experiments.faces import sheet as faces_sheet

FIGURE = Path(__file__).resolve().parent.parent.parent / "tutorials" / "figures" / "faces.png"
ALL = joint.values(3, 2)


@pytest.fixture(scope="module")
def whole() -> tuple[np.ndarray, np.ndarray]:
    """Return packed images and labels of the three parts, concatenated."""
    parts = data.load("faces")[1:]
    return np.concatenate([part.packed for part in parts]), np.concatenate([part.labels for part in parts])


# --- the same everywhere ----------------------------------------------------------------------------------------------

def test_parts_are_drawn_from_the_truth(whole):
    images, labels = whole
    dataset, entry = data.load("faces"), data.get("faces")
    assert [len(part) for part in dataset[1:]] == [50_000, 10_000, 10_000] and dataset.shape == (28, 28)
    assert entry.classes == 8 and entry.attributes == ("glasses", "long hair", "smile")
    assert content_digest(images, labels) == faces.SHA256
    attributes, nuisances = faces.truth()
    np.testing.assert_array_equal(ALL[labels], attributes)
    rows = np.array([0, 1, 49_999, 50_000, 59_999, 60_000, 69_999])
    for row in rows:                                                                # drawn alone or with others
        np.testing.assert_array_equal(np.packbits(faces.draw(attributes[row], nuisances[row])), images[row])
    few = faces.truth(300)
    np.testing.assert_array_equal(few.nuisances, nuisances[:300])
    np.testing.assert_array_equal(few.attributes, attributes[:300])


def test_faces_with_a_wrong_pixel_are_rejected(monkeypatch):
    """One pixel of one face is wrong.  The faces in the cache are kept for the other tests."""
    def draw(attributes, nuisances):
        drawn.append(len(attributes))
        pictures = np.zeros((len(attributes), faces.SIDE, faces.SIDE), bool)
        pictures[0, 0, 0] = len(drawn) == 1
        return pictures

    drawn: list[int] = []
    blank = np.zeros((faces.IMAGES, 98), np.uint8)
    labels = faces.truth().attributes @ np.array([4, 2, 1], np.uint8)
    monkeypatch.setattr(faces, "SHA256", content_digest(blank, labels))
    monkeypatch.setattr(faces, "_content", faces._content.__wrapped__)
    monkeypatch.setattr(faces, "draw", draw)
    with pytest.raises(InputError, match="^faces: the sha256"):
        data.load("faces")
    assert sum(drawn) == faces.IMAGES
    assert not data.load("faces").train.packed.any()                        # valid without that pixel


def test_faces_are_cached_and_read_only():
    one, other = data.load("faces").train, data.load("faces", limit=5).train
    assert np.shares_memory(one.packed, other.packed)
    for array in (one.packed, one.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def draw_with_fractions(attributes, nuisances) -> np.ndarray:
    """Draw one face without rounding: the conditions of faces.py, for each pixel, in fractions."""
    glasses, long_hair, smile = (bool(bit) for bit in attributes)
    across, down, tilt, a, b, apart, eye, line, mouth = (Fraction(float(value)) for value in nuisances)
    cosine, sine = (1 - tilt**2) / (1 + tilt**2), 2 * tilt / (1 + tilt**2)

    def number(text: str) -> Fraction:
        return Fraction(text)

    def ellipse(u, v, wide, high):
        return (u / wide) ** 2 + (v / high) ** 2 <= 1 and abs(v) <= high - number("0.4")

    picture = np.zeros((28, 28), bool)
    for row in range(28):
        for column in range(28):
            x, y = column - number("13.5") - across, row - number("13.5") - down
            u, v = cosine * x + sine * y, cosine * y - sine * x
            head, face = ellipse(u, v, a + line / 2, b + line / 2), ellipse(u, v, a - line / 2, b - line / 2)
            cap = (ellipse(u, v, a + number("1.2"), b + number("1.2")) and v < -b * number("0.15")
                   and not ellipse(u, v - b * number("0.45"), a * number("1.2"), b * number("1.05")))
            ink = (head and not face) or cap
            falls = v > 0 and abs(u) < a + number("2.6") and v < b * number("0.92")
            if long_hair and not head and (ellipse(u, v, a + number("2.6"), b + number("1.8")) or falls):
                ink = ink or v < b * number("0.1") or abs(u) > a * number("0.82")
            to_eye, above = abs(u) - apart, v + b * number("0.13")
            distance = to_eye**2 + above**2
            ink = ink or distance <= eye**2
            if glasses and face:
                ink = ink or number("2.55") ** 2 <= distance <= number("3.65") ** 2 \
                    or (abs(to_eye) > number("3.1") and abs(above) <= number("0.55"))
            below, half = v - mouth * b, max(line, number("1.15")) / 2
            if smile:
                curve = below + number("0.14") * u**2 - number("1.2")
                ink = ink or (abs(u) <= number("4.4") and abs(curve) <= half + number("0.16") * abs(u))
            else:
                ink = ink or (abs(u) <= number("3.2") and abs(below) <= half)
            picture[row, column] = ink
    return picture


@pytest.mark.slow
def test_faces_equal_those_drawn_with_fractions():
    for attributes, each in zip(ALL, faces.truth(8).nuisances):
        np.testing.assert_array_equal(faces.draw(attributes, each), draw_with_fractions(attributes, each))


def test_all_images_are_different(whole):
    images, _ = whole
    assert len(np.unique(images.view("V98"))) == 70_000


def test_every_face_fits_into_its_image(monkeypatch):
    """On a larger image, at all extremes of the ranges, there is no ink outside the middle 28 x 28 pixels."""
    corners = np.array(list(itertools.product(*faces.NUISANCES.values())))
    inner = faces.draw(ALL, corners[:, None])
    monkeypatch.setattr(faces, "SIDE", 40)
    outer = faces.draw(ALL, corners[:, None])
    np.testing.assert_array_equal(outer[..., 6:34, 6:34], inner)
    assert outer.sum() == inner.sum()


def test_code_of_the_page_about_faces_runs():
    page = (data.SHIPPED / "README.md").read_text(encoding="utf-8")
    assert faces.SHA256 in page
    (block,) = re.findall(r"```python\n(.*?)```", page, re.S)
    names: dict = {}
    exec(block, names)                                                     # noqa: S102  our own page
    assert names["with_glasses"].shape == (28, 28) and names["attributes"].shape == (1, 3)


# --- each attribute in its place --------------------------------------------------------------------------------------

def allowed_pixels(nuisances: np.ndarray) -> list[np.ndarray]:
    """Return the pixels that each attribute may change, (N, 28, 28) each, computed with angles.

    They are the box of the glasses inside the head, the outside of the head, and the box of the mouth, all enlarged by
    a hundredth of a pixel.
    """
    across, down, tilt, a, b, apart, _, line, mouth = nuisances.T[:, :, None, None]
    angle, spare = 2 * np.arctan(tilt), 0.01
    row, column = np.mgrid[:28, :28] - 13.5
    x, y = column - across, row - down
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside = np.hypot(u / (a - line / 2 + spare), v / (b - line / 2 + spare)) <= 1
    outside = np.hypot(u / (a + line / 2 - spare), v / (b + line / 2 - spare)) >= 1
    outside |= np.abs(v) >= b + line / 2 - 0.4 - spare                             # the ellipse's flat ends
    lens = 3.65 + spare
    glasses = inside & (np.abs(v + 0.13 * b) <= lens) & ((np.abs(np.abs(u) - apart) <= lens)
                                                         | (np.abs(v + 0.13 * b) <= 0.55 + spare))
    hair = outside & (np.abs(u) <= a + 2.6 + spare) & (v >= -b - 1.8 - spare) & (v <= b)
    below, half = v - mouth * b, np.maximum(line, 1.15) / 2 + spare
    return [glasses, hair, (np.abs(u) <= 4.4 + spare) & (below <= 1.2 + half + 0.2) & (below >= -2.0 - half - 0.3)]


def pixels_changed_elsewhere(draw, nuisances: np.ndarray) -> list[int]:
    """Return for each attribute the number of pixels outside its region that change when it is switched."""
    strays = []
    for attribute, place in enumerate(allowed_pixels(nuisances)):
        off = ALL[ALL[:, attribute] == 0]
        on = off.copy()
        on[:, attribute] = 1
        changed = draw(off, nuisances[:, None]) != draw(on, nuisances[:, None])     # (N, 4, 28, 28)
        assert changed.any(axis=(2, 3)).all(), "an attribute that changes no pixel"
        strays.append(int((changed & ~place[:, None]).sum()))
    return strays


SAMPLE = faces.truth(500).nuisances


def test_attribute_changes_only_pixels_in_its_own_region():
    assert pixels_changed_elsewhere(faces.draw, SAMPLE) == [0, 0, 0]


def test_every_attribute_changes_enough_pixels():
    """Faces have about 250 pixels of ink."""
    for attribute, least in enumerate((15, 70, 12)):
        off, on = np.zeros(3), np.eye(3)[attribute]
        changed = (faces.draw(off, SAMPLE) != faces.draw(on, SAMPLE)).sum(axis=(1, 2))
        assert changed.min() >= least, (attribute, changed.min())


def test_glasses_and_long_hair_only_add_ink():
    for attribute in (0, 1):
        off = ALL[ALL[:, attribute] == 0]
        on = off + np.eye(3, dtype=int)[attribute]
        assert (faces.draw(off, SAMPLE[:, None]) <= faces.draw(on, SAMPLE[:, None])).all()


PLANTED = {
    "glasses and hair exchanged": lambda bits, n: faces.draw(bits[..., [1, 0, 2]], n),
    "hair and smile exchanged": lambda bits, n: faces.draw(bits[..., [0, 2, 1]], n),
    "a smile raises the eyes": lambda bits, n: faces.draw(bits, leaking(bits, n, 2, "height", 0.05)),
    "long hair widens the head": lambda bits, n: faces.draw(bits, leaking(bits, n, 1, "width", 0.05)),
    "glasses move the face": lambda bits, n: faces.draw(bits, leaking(bits, n, 0, "across", 0.05)),
    "glasses thicken lines": lambda bits, n: faces.draw(bits, leaking(bits, n, 0, "line", 0.05)),
}


def leaking(bits: np.ndarray, nuisances: np.ndarray, attribute: int, name: str, share: float) -> np.ndarray:
    """Return the nuisances, with this one raised by a share of its range in faces with the attribute."""
    place = list(faces.NUISANCES).index(name)
    raised = np.broadcast_to(nuisances, np.broadcast_shapes(nuisances.shape[:-1], bits.shape[:-1]) + (9,)).copy()
    raised[..., place] += share * (faces.HIGH - faces.LOW)[place] * bits[..., attribute]
    return np.minimum(raised, faces.HIGH)


@pytest.mark.parametrize("error", PLANTED)
def test_check_detects_attributes_that_change_other_pixels(error):
    assert sum(pixels_changed_elsewhere(PLANTED[error], SAMPLE)) > 50


# --- fair and independent ---------------------------------------------------------------------------------------------

def p_values(truth: faces.Truth) -> list[float]:
    """Return the p-values of chi-square tests.

    They test that the eight combinations are equally frequent, that each nuisance is uniform and independent of the
    combination, and that any two nuisances are independent.
    """
    code = truth.attributes @ [4, 2, 1]
    share = (truth.nuisances - faces.LOW) / (faces.HIGH - faces.LOW)
    tenth = np.minimum((10 * share).astype(int), 9)
    values = [stats.chisquare(np.bincount(code, minlength=8)).pvalue]
    for column in tenth.T:
        values.append(stats.chisquare(np.bincount(column, minlength=10)).pvalue)
        values.append(_independent(code, column))
    return values + [_independent(one, other) for one, other in itertools.combinations(tenth.T, 2)]


def _independent(one: np.ndarray, other: np.ndarray) -> float:
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    return stats.chi2_contingency(table).pvalue


LEAST = 1e-3 / 55                       # with 55 tests, one set in a thousand would fail by chance


def test_attributes_are_fair_and_all_variables_are_independent():
    values = p_values(faces.truth())
    assert len(values) == 55 and min(values) > LEAST
    assert ((faces.truth().nuisances > faces.LOW) & (faces.truth().nuisances < faces.HIGH)).all()


def unfair(truth):
    truth.attributes[::40, 0] = 1


def leaky(truth):
    truth.nuisances[truth.attributes[:, 1] == 1, 3] = np.minimum(
        truth.nuisances[truth.attributes[:, 1] == 1, 3] + 0.05, faces.HIGH[3])


def twice_the_same_bits(truth):
    truth.nuisances[::20, 5] = faces.LOW[5] + (faces.HIGH - faces.LOW)[5] * (
        (truth.nuisances - faces.LOW) / (faces.HIGH - faces.LOW))[::20, 6]


@pytest.mark.parametrize("plant", [unfair, leaky, twice_the_same_bits])
def test_check_detects_unfair_or_dependent_variables(plant):
    truth = faces.truth()
    plant(truth)
    assert min(p_values(truth)) < LEAST


# --- calls by a user -------------------------------------------------------------------------------------------------

def test_batch_axes_of_draw_broadcast():
    nuisances = faces.truth(3).nuisances
    pictures = faces.draw(ALL, nuisances[:, None])
    assert pictures.shape == (3, 8, 28, 28) and pictures.dtype == bool
    np.testing.assert_array_equal(pictures[2, 5], faces.draw((1, 0, 1), nuisances[2]))
    assert faces.draw((True, False, True), nuisances[0]).shape == (28, 28)
    assert faces.draw(np.zeros((0, 3)), nuisances[0]).shape == (0, 28, 28)


MIDDLE = (faces.LOW + faces.HIGH) / 2


@pytest.mark.parametrize("attributes, nuisances, words", [
    ((1, 0), MIDDLE, "^attributes must have 3 entries"), (1, MIDDLE, "^attributes must have 3"),
    ((1, 0, 0.5), MIDDLE, "^attributes must be 0 or 1"), ((1, 0, math.nan), MIDDLE, "^attributes must be 0 or 1"),
    (("1", "0", "1"), MIDDLE, "^attributes must be real"), ((1, 0, 1), MIDDLE[:8], "^nuisances must have 9"),
    ((1, 0, 1), MIDDLE + [0, 0, 1, 0, 0, 0, 0, 0, 0], "^nuisances .* tilt is not in"),
    ((1, 0, 1), MIDDLE * math.nan, "^nuisances .* across is not in"),
    ((1, 0, 1), MIDDLE + 0j, "^nuisances must be real"),
    (np.zeros((2, 3)), np.tile(MIDDLE, (3, 1)), "^attributes must broadcast with nuisances")])
def test_draw_rejects_invalid_arguments(attributes, nuisances, words):
    with pytest.raises((TypeError, ValueError), match=words):
        faces.draw(attributes, nuisances)


def test_truth_rejects_invalid_numbers_of_images():
    for images in (0, 70_001, 2.5):
        with pytest.raises(ValueError, match="^images must be"):
            faces.truth(images)


def test_sheet_of_faces_on_the_page_is_up_to_date():
    figure = faces_sheet.draw()
    assert plots.digest_of(FIGURE) == plots.figure_digest(figure), \
        "run `python -m refimpl make faces-sheet --save tutorials/figures/…`"
    assert plots.figure_digest(faces_sheet.draw(7)) != plots.figure_digest(figure)
    canvas = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(canvas[32:60, 5 * 32:5 * 32 + 28], faces.draw((1, 0, 1), faces.truth(2).nuisances[1]))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [
        "none", "smile", "long hair", "long hair\nsmile", "glasses", "glasses\nsmile", "glasses\nlong hair",
        "glasses\nlong hair\nsmile"]
