"""The lecture: the page for the lecturer shows the real output of its commands, and lists the pages of the PDF."""
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
    """Return all blocks of this language, each with the output that the page shows after it."""
    return re.findall(rf"```{language}\n([^`]*)```\n\n```text\n([^`]*)```", page)


def pasted(source: str, session: code.InteractiveConsole) -> str:
    """Return what an interpreter prints if these lines and an empty line are pasted into it."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        for line in [*source.splitlines(), ""]:
            session.push(line)
    return output.getvalue()


def test_python_blocks_of_the_lecture_print_the_output_that_the_page_shows():
    session, blocks = code.InteractiveConsole(), shown("python")
    assert len(blocks) == TEACH.count("```python") == 4
    for source, output in blocks:
        assert pasted(source, session) == output


def test_python_blocks_of_the_solutions_print_the_output_that_the_page_shows():
    page = (TUTORIALS / "lecture/solutions.md").read_text(encoding="utf-8")
    session, blocks = code.InteractiveConsole(), shown("python", page)
    assert len(blocks) == page.count("```python") == 11
    for source, output in blocks:
        assert pasted(source, session) == output
    sheet = (TUTORIALS / "lecture/problems.md").read_text(encoding="utf-8")
    for text in (sheet, page):
        assert re.findall(r"^\*\*(\d+)\.\*\*", text, re.M) == [str(number) for number in range(1, 16)]
    assert "](" not in sheet and "above" not in sheet and "hapter" not in sheet


def test_commands_of_the_lecture_print_the_output_that_the_page_shows(tmp_path, monkeypatch, capsys):
    """Compare the beginning of the output of verify, without its two slowest pictures.

    Differences of the size of rounding may have other digits.
    """
    for picture in ("errors", "component"):
        monkeypatch.setattr(theorem1, picture, lambda *numbers: Figure())
    monkeypatch.chdir(tmp_path)
    commands = [(line, output) for line, output in shown("sh") if line.strip() != TRAINING]
    assert len(commands) == TEACH.count("```sh") - 1 == 1
    for line, output in commands:
        program, arguments = line[:len("python -m refimpl")], shlex.split(line)[3:]
        assert program == "python -m refimpl" and cli.main(arguments) == 0
        printed = capsys.readouterr().out
        assert re.sub(r"\de-\d+", "…", printed).startswith(re.sub(r"\de-\d+", "…", output))


@pytest.mark.slow
def test_training_prints_the_output_that_the_page_shows():
    """The bounds agree to three nats, because rounding depends on the machine and the number of threads."""
    (output,) = [output for line, output in shown("sh") if line.strip() == TRAINING]
    done = spawn.python("-m", "refimpl.one_page")
    assert done.returncode == 0
    number = re.compile(r"\d+\.\d+")
    assert number.sub("…", done.stdout).startswith(number.sub("…", output)) and output.count("epoch") == 3
    bounds, expected = ([float(text) for text in number.findall(page)] for page in (done.stdout, output))
    assert np.allclose(bounds[:3], expected, rtol=0, atol=3)


def test_table_of_the_lecture_and_pdf_have_the_same_pages():
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


def test_page_titles_have_at_most_two_lines_and_no_full_stop():
    for title in TITLES:
        assert slide.lines(title).count("\n") <= 1 and title[0].isupper() and not title.endswith(".")


def test_make_lecture_without_write_only_lists_the_pages(monkeypatch, capsys):
    monkeypatch.setattr(pages, "draw", lambda: pytest.fail("drawn"))
    assert cli.main(["make", "lecture"]) == 0
    output = capsys.readouterr().out
    assert all(title in output for title in TITLES) and "--write" in output


def test_formulas_of_the_pages_agree_with_the_package():
    """The densities of the walls agree with differences of q, and both ways to move the wall give the same number."""
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
def test_committed_pdf_is_up_to_date(figures):
    assert pages.about(figures)["Keywords"].encode() in PDF.read_bytes(), "`python -m refimpl make lecture --write`"


def texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Return every text of a page with its place in pixels, except for tick labels beyond the ends of an axis."""
    with plots.own_settings():
        figure.draw_without_rendering()
    beyond = {text for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks()
              if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
              for text in (tick.label1, tick.label2)}
    return [(text, text.get_window_extent()) for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and text not in beyond]


@pytest.mark.slow
def test_texts_of_every_page_are_large_and_do_not_overlap(figures):
    """No text is too small, crosses the edge of the page, or overlaps another text."""
    for number, figure in enumerate(figures, start=1):
        all_texts = texts(figure)
        (title,) = [text for text, _ in all_texts if text.get_text() == slide.lines(TITLES[number - 1])]
        assert title.get_fontsize() >= 28
        for place, (text, box) in enumerate(all_texts):
            where = number, text.get_text()
            assert text.get_fontsize() >= 18, where
            assert min(box.x0, box.y0) >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, where
            for other, other_box in all_texts[:place]:
                both = Bbox.intersection(box, other_box)
                shared = both.width * both.height if both else 0
                assert shared < 0.1 * min(box.width * box.height, other_box.width * other_box.height), (
                    *where, other.get_text())       # tick labels may touch at the origin


@pytest.mark.slow
def test_committed_results_support_the_last_two_titles():
    """Direct leaves the plateau in its first epoch, but most runs of enumeration stay on it for two.

    At n = 15, two minimum cuts take less time than the sum.
    """
    on = 205.0                                          # nats; the plateau is at 208
    after = {(label, epoch): [-record.rows[epoch - 1]["test_elbo"] for record in
                              training.store().select("plateau", "mnist", label)]
             for label, epoch in (("direct, decoder z*", 1), ("exact, decoder q", 2))}
    assert max(after["direct, decoder z*", 1]) < 195 and sum(x > on for x in after["exact, decoder q", 2]) >= 3
    seconds = {row["method"]: row["seconds"] for row in training.store().measurements("structured-timing", "batch 100")
               if row["n"] == 15}
    assert 4 * seconds["direct, maxflow"] < seconds["joint Gumbel-softmax"]


@pytest.mark.slow
def test_writing_the_same_pages_twice_gives_the_same_bytes(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "draw", lambda: figures)
    for name in ("one.pdf", "two.pdf"):
        lecture.write(tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
