"""A learner meets no measured result of a modification before their own verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from q1lab.plugins.author.lint import _lint_open_pages, _places, _texts, _verdict_step
from q1lab.plugins.author.result_leaks import (
    ResultNumber,
    picture_text,
    result_numbers,
    written_results,
)
from q1lab.week.content import load_week
from q1lab.week.syllabus import Step
from tests.kit.places import ROOT
from tests.kit.small_weeks import MIX, TOML, edit, said

SHIPPED = ROOT / "content"
VARIANTS = ("rmsnorm", "rope", "swiglu", "gqa")

RESULTS = """\
[[results]]
preset = "quick"
variant = "rye"
data = "shakespeare"
pairs = 3
mean = -0.1573
low = -0.1645
high = -0.1501
sd = 0.0086
pair_sd = 0.0029
source = "q1lab run rye --preset quick --data shakespeare --seeds 3"

[[results]]
preset = "quick"
variant = "salt"
data = "shakespeare"
pairs = 3
mean = 0.2378
low = 0.2257
high = 0.2499
sd = 0.0024
pair_sd = 0.0049
source = "q1lab run salt --preset quick --data shakespeare --seeds 3"
"""
VERDICT = """\

- [ ] See both {#knead-compare done_when="comparison seen"}

```q1lab command
command = "q1lab compare {variant}"
```

- [ ] Say which is better {#knead-verdict kind=write}

It rose by {measured.quick.rye}.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "week.toml").write_text(
        TOML.replace('default = "rye"', 'default = "rye"\nresults = "results.toml"').replace(
            'guide = "rye.md"\n', ""
        )
    )
    (tmp_path / "results.toml").write_text(RESULTS)
    (tmp_path / "mix.md").write_text(MIX + VERDICT)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "salt.py").write_text('"""An experiment of the week."""\n')
    return tmp_path


LEAKS = [
    ("It rose by {measured.quick.rye.mean}.", "part 'knead' shows {measured.quick.rye.mean}"),
    ("It rose by 0.157, we found.", "part 'knead' shows 0.157, a result of rye"),
    (
        "- [ ] Wait {#wait}\n  It is −0.1645.",
        "step 'wait' shows −0.1645, a result of rye",
    ),
]


@pytest.mark.parametrize(("text", "finding"), LEAKS)
def test_a_result_before_the_verdict_is_named_with_its_step(
    folder: Path, text: str, finding: str
) -> None:
    assert said(folder) == []
    edit(folder / "mix.md", "First.", text)
    (leak,) = said(folder)
    assert re.match(rf"mix\.md:3[12]: {re.escape(finding)}", leak)
    assert leak.endswith("before 'knead-verdict'; move it below")


NO_LEAKS = [
    "It rose by 0.16, +0.157 or 0.1574, 30.157 or v0.157.",  # rounder, another sign, other digits
    "Without salt {measured.quick.salt.mean} (`results.toml`).",  # the week's own experiment
    "Pairs spread by {measured.quick.rye.sd} (`results.toml`).",
]


@pytest.mark.parametrize("text", NO_LEAKS)
def test_other_numbers_are_no_leak(folder: Path, text: str) -> None:
    edit(folder / "mix.md", "First.", text)
    assert said(folder) == []


def test_pages_that_are_always_open_hold_no_result(folder: Path) -> None:
    (folder / "files" / "rise.svg").write_text("<svg><path d='0.157'/><text>−0.157</text></svg>")
    (folder / "hints").mkdir()
    (folder / "hints" / "rye.md").write_text("# Hints\n\nIt helps by 0.1573.\n")
    assert [leak.partition(" is a result of rye")[0] for leak in said(folder)] == [
        "files/rise.svg:1: −0.157",
        "hints/rye.md:3: 0.1573",
    ]


def card_numbers() -> list[ResultNumber]:
    """Every difference and every loss of a modification that docs/card.md was made from."""
    lines = (ROOT / "docs" / "results" / "card.jsonl").read_text().splitlines()
    numbers = []
    for row in map(json.loads, lines):
        if row["kind"] == "study":
            for field in ("mean", "low", "high"):
                numbers.append(ResultNumber(row[field], row["variant"], is_mean=field == "mean"))
        elif row["kind"] == "run" and row["model"] in VARIANTS:
            numbers.append(ResultNumber(row["val_loss"], row["model"], is_loss=True))
    return numbers


OFFERED = re.compile(r"\b(?:llama|rope|rmsnorm|swiglu|gqa)\b", re.IGNORECASE)
SIGNED = re.compile(r"(?<![\w.,])[+\u2212-]\d\.\d{2,}(?![\d%])|\d\.\d{2,} nats (?:below|above)")
"""A difference of losses, by its form."""
CITED = re.compile(
    r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|((?:docs|content|tools|benchmarks)/[\w./-]*\w|\b[A-Z]+\.md\b)"
)
"""The address of a link, or the path of a file that a sentence names."""


def told_results(text: str) -> list[str]:
    """The results of the four modifications that a text tells: lines that name one and have a
    difference. A picture is one line."""
    lines = [picture_text(text)] if text.startswith(("<svg", "<?xml")) else text.splitlines()
    return [line[:100] for line in lines if OFFERED.search(line) and SIGNED.search(line)]


def cited_pages(text: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of the repository that a text links or names, each with the paragraph, or the row of
    a table, that does."""
    for paragraph in re.split(r"\n(?=\s*\n|\||- )", text):
        for linked, named in CITED.findall(paragraph):
            for page in {(folder / linked).resolve() if linked else ROOT / named, ROOT / named}:
                if page.is_file() and page.is_relative_to(ROOT):
                    yield page, paragraph
                elif page.is_dir() and page.is_relative_to(ROOT / "docs"):
                    yield from ((file, paragraph) for file in page.rglob("*") if file.is_file())


def answer_pages() -> set[Path]:
    """The files that README lists as those that hold the answers."""
    readme = (ROOT / "README.md").read_text()
    (paragraph,) = re.findall(r"(?s)The answers to the\s+four\s+are in.*?\n\n", readme)
    return {page for page, _ in cited_pages(paragraph, ROOT)}


def text_before_the_verdict() -> Iterator[tuple[str, str]]:
    """What the week shows before one's own verdict, each with its place: to each of its learners,
    with the glossary, hints and files."""
    for course in (True, False):
        week = load_week(SHIPPED, course)
        for variant in week.variants:
            for place, block in _places(week, variant.name):
                for file, _, markdown in _texts(block):
                    yield f"{file}, {place}", markdown
                if isinstance(block, Step) and block.id == _verdict_step(week, variant.name):
                    break
    for file in (
        SHIPPED / "glossary.md",
        *SHIPPED.glob("files/*.*"),
        *SHIPPED.glob("hints/*.md"),
    ):
        yield file.name, file.read_text(encoding="utf-8")


def test_before_the_week_nothing_shows_a_result() -> None:
    """README with its pictures, every command's help, the glossary, hints and files."""
    week = load_week(SHIPPED)
    assert list(_lint_open_pages(week)) == []
    numbers = [*result_numbers(week.numbers.measured), *card_numbers()]
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"\((docs/screens/\w+\.svg)\)", readme)
    assert pictures
    pages = {"README.md": readme, "commands.md": (ROOT / "docs" / "commands.md").read_text()}
    pages |= {name: picture_text((ROOT / name).read_text()) for name in pictures}
    for file in (*(SHIPPED / "files").glob("*.*"), *(SHIPPED / "hints").glob("*.md")):
        pages[file.name] = picture_text(file.read_text())
    leaks = [
        (name, leak.number, leak.result.description)
        for name, text in pages.items()
        for leak in written_results(text, numbers)
    ]
    assert leaks == []


def test_no_page_with_answers_is_cited_before_the_verdict() -> None:
    """The week's text and files, and every command's help."""
    shown = [*text_before_the_verdict(), ("--help", (ROOT / "docs" / "commands.md").read_text())]
    names = {page.name for page in answer_pages()}
    assert "card.md" in names
    assert [(place, name) for place, text in shown for name in names if name in text] == []
    prose = [(place, text) for place, text in shown if not place.endswith(".svg")]
    assert [(place, line) for place, text in prose for line in told_results(text)] == []


def test_links_from_readme_help_and_week_lead_to_no_result() -> None:
    """Link after link, but for those whose own line says that the page holds the answers."""
    answers = answer_pages()
    starts = [ROOT / "README.md", ROOT / "docs" / "commands.md"]
    shown = [(start, start.parent, start.read_text()) for start in starts]
    shown += [(SHIPPED, ROOT, text) for _, text in text_before_the_verdict()]
    met = {*starts}
    unflagged, leaks = set(), []
    old_lines = ROOT / "CHANGELOG.md"  # they name pages, whose tops say what they hold
    while shown:
        source, folder, text = shown.pop()
        for page, paragraph in cited_pages(text, folder):
            if page in answers:
                if "answers" not in paragraph and source != old_lines:
                    unflagged.add(f"{source.relative_to(ROOT)} cites {page.relative_to(ROOT)}")
            elif page not in met and page.suffix not in (".py", ".cast"):
                met.add(page)
                shown.append((page, page.parent, page.read_text(encoding="utf-8")))
    assert unflagged == set()
    assert len(met) > 30
    for page in met:
        leaks += [(page.name, line) for line in told_results(page.read_text(encoding="utf-8"))]
    assert leaks == []


def test_readme_lists_all_that_holds_the_answers() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*"), *SHIPPED.glob("*.toml")]
    texts = {".md", ".svg", ".html", ".txt", ".json", ".jsonl"}
    telling = {page for page in pages if page.suffix in texts and told_results(page.read_text())}
    results = SHIPPED / "results.toml"
    answers = answer_pages()
    assert telling | {results} <= answers
    for page in answers:
        if page.suffix in (".md", ".toml"):
            top = page.read_text(encoding="utf-8")[:500]
            assert "holds the answers" in top, page


def test_the_first_run_is_of_a_change_that_the_week_does_not_offer() -> None:
    makefile = (ROOT / "Makefile").read_text()
    variant = re.search(r"(?m)^VARIANT \?= (\w+)$", makefile)
    assert variant
    offered = {variant.name for variant in load_week(SHIPPED).variants}
    assert variant[1] not in {*offered, "llama"}
    for name in ("film", "verdict"):
        picture = picture_text((ROOT / "docs" / "screens" / f"{name}.svg").read_text())
        assert not offered & set(re.findall(r"\w+", picture))
