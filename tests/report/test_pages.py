"""The committed pages agree with the rows; and `make report` with marks, pictures, bad rows and other folders."""
from __future__ import annotations

import re
from dataclasses import replace

import pytest

from refimpl import cli, plots
from refimpl.arguments import InputError
from refimpl.experiments import records, registry
from refimpl.report import markdown, pages
from refimpl.report.store import Store
from tests.experiments.records import RUN

END = markdown.END
RESULTS = tuple(page for page in pages.PAGES if page.startswith("tutorials/") and "attributes" not in page)
TEN = {"epoch": 10.0, "valid_elbo": -170.0, "test_elbo": -166.0, "test_log_likelihood": -165.0, "gap": 1.0,
       "seconds": 12.0, "evaluations": 1e6}


@pytest.fixture(scope="module")
def store():
    return Store.read(pages.ROOT / pages.ROWS)


# --- the committed pages ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("page", pages.PAGES)
def test_committed_pages_are_up_to_date_with_the_rows(page, store):
    text = (pages.ROOT / page).read_text(encoding="utf-8")
    assert markdown.blocks(text), "the page has no blocks"
    assert markdown.filled(text, lambda name: pages.block(store, name)) == text, \
        "run `python -m refimpl make report --write`"


def test_committed_pictures_are_up_to_date_with_the_rows(store):
    pictures = pages.pictures(store)
    assert len(pictures) > 4
    for file, draw in pictures.items():
        path = pages.ROOT / pages.FIGURES / file
        assert plots.digest_of(path) == plots.figure_digest(draw()), f"{file}: see `make report`"


@pytest.mark.parametrize("method", ["direct, coordinate ascent", "direct, maxflow", "joint Gumbel-softmax"])
def test_a_table_of_times_may_lack_a_method(store, method):
    (times,) = store.select("structured-timing")
    few = Store([replace(times, rows=[row for row in times.rows if row["method"] != method])])
    (ax,) = pages.pictures(few)["structured-timing.png"]().axes
    assert method not in [line.get_label() for line in ax.lines] and len(ax.lines) == len(ax.texts) == 5
    (claim,) = [claim for claim in pages.claims.CLAIMS if "stays cheap" in claim.words]
    assert (pages.claims.find(claim, few) is None) == ("coordinate" not in method)


def test_every_block_occurs_on_exactly_one_page():
    shown = [name for page in pages.PAGES
             for name in markdown.blocks((pages.ROOT / page).read_text(encoding="utf-8"))]
    assert set(shown) == set(pages.BLOCKS) and len(set(shown)) == len(shown)


def test_every_picture_is_shown_and_every_shown_picture_exists(store):
    text = "".join((pages.ROOT / page).read_text(encoding="utf-8") for page in RESULTS)
    shown = set(re.findall(r"\]\(figures/([\w-]+\.png)\)", text))
    drawn = {"classes-mnist.png", "faces-samples.png", "faces-switched.png", "subset.png",
             "jigsaw-solved-mnist.png", "jigsaw-solved-fashion-mnist.png"}          # pictures from models
    assert set(pages.pictures(store)) == shown - drawn
    assert all((pages.ROOT / pages.FIGURES / file).is_file() for file in shown)


def test_rows_are_small_and_name_their_commits(store):
    files = list((pages.ROOT / pages.ROWS).rglob("*.csv"))
    assert sum(path.stat().st_size for path in files) < 4 * 2**20
    for record in store.records:
        assert record.commits and all(re.fullmatch("[0-9a-f]{12}", commit) for commit in record.commits), record.file


def test_links_into_the_results_point_to_existing_sections():
    """The links are on these pages, on the other pages and in the notebooks."""
    texts = {page.name: page.read_text(encoding="utf-8") for page in (
        pages.ROOT / "README.md", *sorted((pages.ROOT / "tutorials").glob("*.md")),
        *sorted((pages.ROOT / "tutorials").glob("*.py")))}
    for name in ("results.md", "results-details.md", "results-gradients.md", "plateau.md"):
        sections = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
                    for title in re.findall(r"^###? (.*)$", texts[name], re.MULTILINE)}
        linked = set(re.findall(r"\]\(#([\w-]+)\)", texts[name]))
        for text in texts.values():
            linked |= set(re.findall(rf"\]\((?:tutorials/)?{re.escape(name)}#([\w-]+)\)", text))
        assert linked and linked <= sections, linked - sections


def test_pages_of_results_have_at_most_300_lines():
    for page in RESULTS:
        assert (pages.ROOT / page).read_text(encoding="utf-8").count("\n") <= 300, page


def test_first_table_has_short_cells():
    """A page shows only about 130 characters side by side."""
    text = (pages.ROOT / "tutorials/results.md").read_text(encoding="utf-8")
    for line in text.split(markdown.END)[0].split("\n"):
        for cell in re.sub(r"\]\([^)]*\)", "]", line).strip("| ").split(" | ") if line.startswith("|") else []:
            assert len(cell) <= 170 and max(map(len, re.split(r"[ -]", cell))) <= 14, cell


# --- marks ------------------------------------------------------------------------------------------------------------

def test_filling_changes_only_text_between_marks():
    page = f"# Page\n<!-- report: a -->\nold\n\nold\n{END}\nbetween\n<!-- report: b -->\n{END}\n"
    assert markdown.blocks(page) == ["a", "b"]
    filled = markdown.filled(page, lambda name: f"| {name} |")
    assert filled == (f"# Page\n<!-- report: a -->\n\n| a |\n\n{END}\nbetween\n<!-- report: b -->\n\n| b |\n\n{END}\n")
    assert markdown.filled(filled, lambda name: f"| {name} |") == filled


@pytest.mark.parametrize("page, words", [
    ("<!-- report: a -->\n", "the block a has no end"), (f"x\n{END}\n", "line 2: .* has no beginning"),
    (f"<!-- report: a -->\n<!-- report: b -->\n{END}\n", "line 2: .* is inside another block"),
    (f"<!-- report: a -->\n{END}\n<!-- report: a -->\n{END}\n", "line 3: there is already a block a")])
def test_marks_that_do_not_match_are_rejected(page, words):
    with pytest.raises(InputError, match=words):
        markdown.filled(page, str)


# --- the command ------------------------------------------------------------------------------------------------------

@pytest.fixture
def root(tmp_path):
    """Return a repository that has all pages with all blocks, but no rows."""
    (tmp_path / "tutorials/figures").mkdir(parents=True)
    (tmp_path / "README.md").write_text(f"a\n<!-- report: readme-claims -->\n{END}\n")
    (tmp_path / "tutorials/results.md").write_text(f"b\n<!-- report: binary -->\n{END}\nc\n")
    for name in ("results-details", "results-gradients", "plateau"):
        (tmp_path / f"tutorials/{name}.md").write_text("d\n")
    (tmp_path / "tutorials/jigsaw.md").write_text("e\n")
    others = [name for name in pages.BLOCKS if name not in ("readme-claims", "binary")]
    (tmp_path / "tutorials/attributes.md").write_text(
        "d\n" + "".join(f"<!-- report: {name} -->\n{END}\n" for name in others))
    return tmp_path


def run_of(label="direct", **changed):
    settings = {**registry.settings_of("binary", "fashion-mnist", 0)[label], **changed}
    return replace(RUN, label=label, settings=settings, rows=[TEN])


def test_added_run_appears_on_the_page_and_in_a_picture(root, tmp_path, capsys):
    records.write(tmp_path / "x/rows", run_of())
    before = (root / "tutorials/results.md").read_text()
    assert cli.main(["make", "report", "--root", str(root)]) == 1                             # nothing is written
    printed = capsys.readouterr().out
    assert "results.md: would change" in printed and "Nothing was changed" in printed
    assert (root / "tutorials/results.md").read_text() == before
    assert cli.main(["make", "report", "--root", str(root), "--write", "--add", str(tmp_path / "x")]) == 0
    printed = capsys.readouterr().out
    assert "binary/fashion-mnist-direct-seed0.csv: added, 1 rows" in printed and "binary.png: written" in printed
    page = (root / "tutorials/results.md").read_text()
    assert "| direct | – | 166.00 | 165.00 | 1.00 | 0.10 |" in page and page.startswith("b\n")
    assert plots.digest_of(root / pages.FIGURES / "binary.png")
    assert cli.main(["make", "report", "--root", str(root)]) == 0
    assert "are up to date with the rows" in capsys.readouterr().out


def test_bad_rows_are_rejected_in_one_line_and_change_nothing(root, tmp_path, capsys):
    good = run_of()
    records.write(root / pages.ROWS, good)
    for name, record in (("other", run_of(lr=5.0)),):
        records.write(tmp_path / name / "rows", record)
    (tmp_path / "bad/rows").mkdir(parents=True)
    (tmp_path / "bad/rows/x.csv").write_text("no rows")
    before = {path: path.read_bytes() for path in root.rglob("*.csv")}
    for add, words in ((tmp_path / "other", "are not those of 'direct': lr"), (tmp_path / "bad", "is damaged"),
                       (tmp_path / "none", "is missing")):
        assert cli.main(["make", "report", "--root", str(root), "--write", "--add", str(add)]) == 2
        printed = capsys.readouterr()
        assert words in printed.err and printed.err.count("\n") == 1
        assert {path: path.read_bytes() for path in root.rglob("*.csv")} == before


def test_check_fails_for_changed_numbers_and_missing_marks(root, capsys):
    """Windows line ends are allowed; changed numbers are an outdated page, and missing or unknown marks are errors."""
    page = root / "tutorials/results.md"
    records.write(root / pages.ROWS, run_of())
    assert cli.main(["make", "report", "--root", str(root), "--write"]) == 0
    right = page.read_bytes()
    for content, status in ((right.replace(b"\n", b"\r\n"), 0), (right.replace(b"166.00", b"99.00"), 1),
                            (right.replace(b"166.00", b"99.00").replace(b"\n", b"\r\n"), 1),
                            (re.sub(rb"<!--.*-->\n", b"", right), 2), (right.replace(b"binary", b"joint"), 2),
                            (b"\xff" + right, 2)):
        page.write_bytes(content)
        assert cli.main(["make", "report", "--root", str(root)]) == status, content
        assert capsys.readouterr().err.count("\n") == (status == 2) and page.read_bytes() == content


def test_bad_folders_to_add_are_rejected(root, tmp_path, capsys, monkeypatch):
    """The name is empty, or links form a loop."""
    records.write(tmp_path / "x/rows", run_of())
    monkeypatch.chdir(tmp_path / "x")
    with pytest.raises(SystemExit):
        cli.main(["make", "report", "--root", str(root), "--write", "--add", ""])
    assert "must name a folder, got an empty name" in capsys.readouterr().err
    (tmp_path / "x/rows/loop.csv").symlink_to("loop.csv")
    (tmp_path / "loop").symlink_to("loop")
    for add in (tmp_path / "x", tmp_path / "loop"):
        assert cli.main(["make", "report", "--root", str(root), "--write", "--add", str(add)]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1 and "Too many levels of symbolic links" in printed.err
    assert (root / pages.ROWS / run_of().file).exists()


def test_damaged_file_is_named_and_other_rows_are_reported(root, tmp_path, capsys):
    for label in ("direct", "arm"):
        records.write(root / pages.ROWS, run_of(label))
    bad = root / pages.ROWS / "binary/fashion-mnist-arm-seed0.csv"
    bad.write_text(bad.read_text().replace("-166", "lots"))
    assert cli.main(["make", "report", "--root", str(root), "--write"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and f"{bad} is damaged" in printed.err and "test_elbo of row 1" in printed.err
    page = (root / "tutorials/results.md").read_text()
    assert "| direct | – | 166.00 |" in page and "| arm |" not in page


def test_select_rejects_unknown_experiments_and_labels(store):
    for arguments in (("binary", "mnist", "dirct"), ("binery",), ("variance", None, "k 10"),
                  ("faces-switch", "faces", "x")):
        with pytest.raises(ValueError, match="no label|not an experiment"):
            store.select(*arguments)
    assert store.select("binary", "omniglot", "direct") == []                              # a valid label without runs


class RecordingStore(Store):
    """Record which experiments are selected."""

    def select(self, experiment, dataset=None, label=None):
        self.asked.add(experiment)
        return super().select(experiment, dataset, label)


@pytest.mark.slow
def test_damaged_cell_is_rejected_or_pages_can_still_be_made(root, store):
    """Each cell of a row of each kind of table is emptied, or replaced by a word or by a number out of range.

    Only blocks that select the rows of an experiment can be affected by them, so only those are made.
    """
    recording, asked = RecordingStore(store.records), {}
    for block, make in pages.BLOCKS.items():
        asked[block] = recording.asked = set()
        make(recording)
    assert set().union(*asked.values()) >= {record.experiment for record in store.records} - {"tuning"}
    firsts = {record.experiment: record for record in reversed(store.records)}
    for name, record in firsts.items():
        path = root / pages.ROWS / record.file
        records.write(root / pages.ROWS, record)
        _, head, titles, *lines = path.read_text().split("\n")
        for place in range(titles.count(",") + 1 if '"' not in lines[0] else 1):
            for value in ("", "x|y", "-1e200"):
                cells = lines[0].split(",")
                cells[place] = value
                path.write_text("\n".join([records.FIRST_LINE, head, titles, ",".join(cells), *lines[1:]]))
                try:
                    damaged = records.read(path)
                except InputError as problem:
                    assert str(path) in str(problem) and "\n" not in str(problem)
                    continue
                assert value == ""                                 # an empty cell may mean that nothing was computed
                changed = Store([damaged if one.file == record.file else one for one in store.records])
                for block in pages.BLOCKS:
                    if name in asked[block]:
                        pages.BLOCKS[block](changed)
                for draw in pages.pictures(Store(changed.select(name))).values():
                    draw()


def test_folder_without_pages_and_unknown_block_are_rejected(root, tmp_path, capsys):
    assert cli.main(["make", "report", "--root", str(tmp_path / "tutorials")]) == 2
    assert "has no README.md" in capsys.readouterr().err
    (root / "tutorials/results.md").write_text(f"<!-- report: binery -->\n{END}\n")
    assert cli.main(["make", "report", "--root", str(root)]) == 2
    assert "results.md: unknown block 'binery'; did you mean 'binary'? there are claims," in capsys.readouterr().err
