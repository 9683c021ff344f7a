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
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lecture import pages, proof, slide, training
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


def test_the_solutions_print_what_the_page_shows():
    page = (TUTORIALS / "lecture/solutions.md").read_text(encoding="utf-8")
    session, blocks = code.InteractiveConsole(), shown("python", page)
    assert len(blocks) == page.count("```python") == 11
    for source, said in blocks:
        assert pasted(source, session) == said
    sheet = (TUTORIALS / "lecture/problems.md").read_text(encoding="utf-8")
    for text in (sheet, page):
        assert re.findall(r"^\*\*(\d+)\.\*\*", text, re.M) == [str(number) for number in range(1, 16)]
    assert "](" not in sheet and "above" not in sheet and "hapter" not in sheet


def test_the_lecturer_s_commands_print_what_the_page_shows(tmp_path, monkeypatch, capsys):
    """verify's beginning, without its two longest pictures; differences of the size of rounding may have other
    digits."""
    for picture in ("errors", "component"):
        monkeypatch.setattr(theorem1, picture, lambda *numbers: Figure())
    monkeypatch.chdir(tmp_path)
    commands = [(line, said) for line, said in shown("sh") if line.strip() != TRAINING]
    assert len(commands) == TEACH.count("```sh") - 1 == 1
    for line, said in commands:
        program, arguments = line[:len("python -m refimpl")], shlex.split(line)[3:]
        assert program == "python -m refimpl" and cli.main(arguments) == 0
        printed = capsys.readouterr().out
        assert re.sub(r"\de-\d+", "…", printed).startswith(re.sub(r"\de-\d+", "…", said))


@pytest.mark.slow
def test_the_training_prints_what_the_page_shows():
    """To three nats: another machine, or number of threads, rounds otherwise."""
    (said,) = [said for line, said in shown("sh") if line.strip() == TRAINING]
    done = spawn.python("-m", "refimpl.one_page")
    assert done.returncode == 0
    number = re.compile(r"\d+\.\d+")
    assert number.sub("…", done.stdout).startswith(number.sub("…", said)) and said.count("epoch") == 3
    found, expected = ([float(text) for text in number.findall(page)] for page in (done.stdout, said))
    assert np.allclose(found[:3], expected, rtol=0, atol=3)


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
    monkeypatch.setattr(pages, "draw", lambda: pytest.fail("drawn"))
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
    return pages.draw()


@pytest.mark.slow
def test_the_committed_pdf_shows_what_is_drawn_now(figures):
    assert pages.about(figures)["Keywords"].encode() in PDF.read_bytes(), "`python -m refimpl make lecture --write`"


def texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Every text of a page with its place, in pixels; without the names of ticks beyond the ends of an axis."""
    with plots.own_settings():
        figure.draw_without_rendering()
    beyond = {text for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks()
              if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
              for text in (tick.label1, tick.label2)}
    return [(text, text.get_window_extent()) for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and text not in beyond]


@pytest.mark.slow
def test_every_page_can_be_read_from_the_last_row(figures):
    """No letter is too small, nothing is cut by the page's edge, and no two texts lie on each other."""
    for number, figure in enumerate(figures, start=1):
        found = texts(figure)
        (title,) = [text for text, _ in found if text.get_text() == slide.lines(TITLES[number - 1])]
        assert title.get_fontsize() >= 28
        for place, (text, box) in enumerate(found):
            where = number, text.get_text()
            assert text.get_fontsize() >= 18, where
            assert min(box.x0, box.y0) >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, where
            for other, another in found[:place]:
                both = Bbox.intersection(box, another)
                shared = both.width * both.height if both else 0
                assert shared < 0.1 * min(box.width * box.height, another.width * another.height), (
                    *where, other.get_text())       # corners of tick names may meet at the origin


@pytest.mark.slow
def test_the_committed_rows_support_the_last_two_sentences():
    """Every seed of direct has left the plateau after its first epoch, most of enumeration's are on it after two; at
    n = 15 two minimum cuts take less time than the sum."""
    on = 205.0                                          # nats; the plateau is at 208
    after = {(label, epoch): [-record.rows[epoch - 1]["test_elbo"] for record in
                              training.store().select("plateau", "mnist", label)]
             for label, epoch in (("direct, decoder z*", 1), ("exact, decoder q", 2))}
    assert max(after["direct, decoder z*", 1]) < 195 and sum(x > on for x in after["exact, decoder q", 2]) >= 3
    seconds = {row["method"]: row["seconds"] for row in training.store().measurements("structured-timing", "batch 100")
               if row["n"] == 15}
    assert 4 * seconds["direct, maxflow"] < seconds["joint Gumbel-softmax"]


@pytest.mark.slow
def test_the_same_pages_are_the_same_bytes(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "draw", lambda: figures)
    for name in ("one.pdf", "two.pdf"):
        lecture.write(tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
