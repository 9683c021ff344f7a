"""The lecture: its page for the lecturer shows what its commands print, its PDF has the pages that it lists."""
from __future__ import annotations

import code
import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_pdf import pdfRepr
from matplotlib.figure import Figure

from lecture import pages, proof, slide
from refimpl import cli, direct, exact, gumbel, plots
from refimpl.experiments.theory import theorem1
from refimpl.report import lecture
from tests import spawn

TUTORIALS = Path(__file__).resolve().parent.parent.parent / "tutorials"
TEACH = (TUTORIALS / "teach.md").read_text(encoding="utf-8")
PDF = TUTORIALS / "lecture/lecture.pdf"
TITLES = [title for title, _ in pages.PAGES]
TRAINING = "python -m refimpl.one_page"


def shown(language: str, page: str = TEACH) -> list[tuple[str, str]]:
    """(block, what the page says that it prints) of a language."""
    return re.findall(rf"```{language}\n([^`]*)```\n\n```text\n([^`]*)```", page)


def pasted(source: str, session: code.InteractiveConsole) -> str:
    """What an interpreter prints while these lines are pasted into it, and Enter is pressed once more."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for line in [*source.splitlines(), ""]:
            session.push(line)
    return said.getvalue()


def test_what_the_lecturer_pastes_prints_what_the_page_shows():
    session, blocks = code.InteractiveConsole(), shown("python")
    assert len(blocks) == TEACH.count("```python") == 4
    for source, said in blocks:
        assert pasted(source, session) == said


def test_the_lecturer_s_commands_print_what_the_page_shows(tmp_path, monkeypatch, capsys):
    """verify's two longest pictures are left out; differences of the size of rounding may have other digits."""
    for picture in ("errors", "component"):
        monkeypatch.setattr(theorem1, picture, lambda *numbers: Figure())
    monkeypatch.chdir(tmp_path)
    commands = [(line, said) for line, said in shown("sh") if line.strip() != TRAINING]
    assert len(commands) == TEACH.count("```sh") - 1 == 1
    for line, said in commands:
        program, arguments = line[:len("python -m refimpl")], shlex.split(line)[3:]
        assert program == "python -m refimpl" and cli.main(arguments) == 0
        printed = capsys.readouterr().out
        assert re.sub(r"\de-\d+", "…", printed) == re.sub(r"\de-\d+", "…", said)


@pytest.mark.slow
def test_the_training_prints_what_the_page_shows():
    """To a nat: another machine rounds otherwise."""
    (said,) = [said for line, said in shown("sh") if line.strip() == TRAINING]
    done = spawn.python("-m", "refimpl.one_page")
    assert done.returncode == 0
    number = re.compile(r"\d+\.\d+")
    assert number.sub("…", done.stdout) == number.sub("…", said)
    assert np.allclose([float(x) for x in number.findall(done.stdout)], [float(x) for x in number.findall(said)], atol=1)


def test_the_pages_are_those_of_the_lecturer_s_table_and_of_the_pdf():
    table = re.findall(r"^\| (\d+) \| (.*) \| (\d+) \|$", TEACH, re.M)
    assert [(int(number), title) for number, title, _ in table] == list(enumerate(TITLES, start=1))
    minutes = [int(minute) for _, _, minute in table]
    assert minutes == sorted(minutes) and minutes[-1] < 90
    heads = [tuple(map(int, head)) for head in re.findall(r"^## Minutes (\d+) to (\d+)", TEACH, re.M)]
    assert heads[0][0] == 0 and heads[-1][1] == 90 and all(one[1] == other[0] for one, other in zip(heads, heads[1:]))
    for head, numbers in re.findall(r"^## Minutes (.*): .*\(pages? (.*)\)$", TEACH, re.M):
        first, last = map(int, head.split(" to "))
        assert all(first <= minutes[int(number) - 1] <= last for number in numbers.split(", ")), head
    content = PDF.read_bytes()
    assert len(re.findall(rb"/Type /Page\b", content)) == len(TITLES) and len(content) < 3e6
    assert pdfRepr("\n".join(TITLES)) in content, "`python -m refimpl make lecture --write`"


def test_titles_are_sentences_of_two_lines_at_most():
    for title in TITLES:
        assert slide.lines(title).count("\n") <= 1 and title[0].isupper() and not title.endswith(".")


def test_without_write_the_pages_are_only_listed(monkeypatch, capsys):
    monkeypatch.setattr(lecture, "draw", lambda: pytest.fail("drawn"))
    assert cli.main(["make", "lecture"]) == 0
    said = capsys.readouterr().out
    assert all(title in said for title in TITLES) and "--write" in said


def test_what_the_pages_compute_beside_the_package():
    """The walls' densities are those of the differences of q; both ways in which the wall moves give one number."""
    step = 1e-5
    by_difference = [(gumbel.choice_probabilities(proof.H + step * unit)
                      - gumbel.choice_probabilities(proof.H - step * unit)) / (2 * step) for unit in np.eye(3)]
    assert np.allclose(proof.jacobian(), np.array(by_difference).T, rtol=0, atol=1e-9)
    pair, payoff = proof.H[:2], proof.F[:2]
    wall = pair[0] - pair[1]
    assert np.isclose(proof.chance(wall), gumbel.choice_probabilities(pair)[0])
    assert np.isclose((payoff[1] - payoff[0]) * proof.density(wall), exact.gradient(pair, payoff)[1])
    assert np.isclose(direct.expected_gradient(pair, payoff, 1e-6)[1], exact.gradient(pair, payoff)[1], rtol=1e-5)


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return lecture.draw()


@pytest.mark.slow
def test_the_committed_pdf_shows_what_is_drawn_now(figures):
    assert lecture.content(figures).encode() in PDF.read_bytes(), "`python -m refimpl make lecture --write`"


@pytest.mark.slow
def test_every_page_can_be_read_from_the_last_row(figures):
    """No letter is too small, nothing is cut by the page's edge, and no two texts lie on each other."""
    for number, figure in enumerate(figures, start=1):
        with plots.own_settings():
            figure.savefig(io.BytesIO(), dpi=30)
        texts = [text for text in figure.findobj(plots.style.matplotlib.text.Text)
                 if text.get_visible() and text.get_text().strip()]
        boxes = [text.get_window_extent() for text in texts]
        width, height = figure.bbox.size
        drawn = [(text, box) for text, box in zip(texts, boxes) if box.x1 > 0 and box.y1 > 0]
        title = texts[[text.get_text() for text in texts].index(slide.lines(TITLES[number - 1]))]
        assert title.get_fontsize() >= 28
        for text, box in drawn:
            assert text.get_fontsize() >= 18, (number, text.get_text())
            assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height, (number, text.get_text())
        for place, (text, box) in enumerate(drawn):
            for other, another in drawn[:place]:
                across = min(box.x1, another.x1) - max(box.x0, another.x0)
                up = min(box.y1, another.y1) - max(box.y0, another.y0)
                assert across < 2 or up < 2, (number, text.get_text(), other.get_text())


@pytest.mark.slow
def test_the_same_pages_are_the_same_bytes(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(lecture, "draw", lambda: figures)
    for name in ("one.pdf", "two.pdf"):
        lecture.write(tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
