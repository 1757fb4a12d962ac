"""A learner meets no measured result of a modification before their own verdict."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from q1lab.app.pages import block_text
from q1lab.commands.cli import MODULES, cli
from q1lab.week.content import load_week, week_for
from q1lab.week.syllabus import Fold, Step, Week
from tests.kit.changes import CHANGES
from tests.kit.places import ROOT

SHIPPED = ROOT / "content"
DATA = (None, ("Tiny Shakespeare", 65, "shakespeare"), ("Python's own source", 98, "stdlib"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


# ── results, and numbers that equal one


class Result(NamedTuple):
    """A number of a measured result: a difference, an end of its interval, or a loss."""

    value: float
    kind: str
    variant: str


def week_results() -> list[Result]:
    """What content/results.toml holds."""
    rows = tomllib.loads((SHIPPED / "results.toml").read_text())["results"]
    return [
        Result(row[kind], kind, row["variant"]) for row in rows for kind in ("mean", "low", "high")
    ]


HIDDEN = [result for result in week_results() if result.variant in CHANGES]
EXPERIMENTS = [result for result in week_results() if result.variant not in CHANGES]
"""The results of the week's own experiments, which it tells."""


def card_results() -> list[Result]:
    """What the runs behind docs/card.md say of the four."""
    found = []
    for line in (ROOT / "docs/results/card.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["kind"] == "study" and row["variant"] in CHANGES:
            found += [Result(row[kind], kind, row["variant"]) for kind in ("mean", "low", "high")]
        elif row["kind"] == "run" and row["model"] in CHANGES:
            found.append(Result(row["val_loss"], "loss", row["model"]))
    return found


SMALL = 0.02
"""Below this, two digits are as often an example's as a result's."""
NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>[+\u2212-]?)(?P<digits>[0-9]+\.(?P<decimals>[0-9]{3,}))(?!\w|\.[0-9])"
    r"(?P<unit> nats)?"
)


def leaks(text: str, known: Iterable[Result]) -> list[str]:
    """The results that a text gives away: numbers of three significant digits or more, of two where
    a sign or a unit says that it is a difference, and losses of four decimals, as they are
    printed."""
    known = tuple(known)
    return [
        f"{match[0]}, a result of {result.variant}"
        for match in NUMBER.finditer(text)
        if (result := next((each for each in known if equals(match, each)), None))
    ]


def equals(match: re.Match[str], result: Result) -> bool:
    digits, decimals = match["digits"], len(match["decimals"])
    if f"{abs(result.value):.{decimals}f}" != digits:
        return False
    if result.kind == "loss":
        return decimals >= 4 and not match["sign"]
    if match["sign"] and (match["sign"] == "+") != (result.value > 0):
        return False
    is_difference = bool(match["sign"] or match["unit"])
    marked = result.kind == "mean" and abs(result.value) >= SMALL and is_difference
    return len(digits.replace(".", "").lstrip("0")) >= (2 if marked else 3)


def picture_text(text: str) -> str:
    """The words and numbers that a picture shows; any other text as it is."""
    if not text.startswith(("<svg", "<?xml")):
        return text
    return re.sub(r"<style.*?</style>|<[^>]*>|&#160;", " ", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It fell by 0.157, we found.", ["0.157"]),
        ("It is −0.1645.", ["−0.1645"]),
        ("It ends at 1.6213.", ["1.6213"]),
        ("<svg><path d='0.157'/><text>−0.157</text></svg>", ["−0.157"]),
        ("It fell by 0.16, +0.157 or 0.1574, 30.157 or v0.157, to 1.621.", []),
    ],
)
def test_numbers_that_equal_a_result_are_found(text: str, found: list[str]) -> None:
    rye = [Result(-0.1573, "mean", "rye"), Result(-0.1645, "low", "rye")]
    seen = leaks(picture_text(text), [*rye, Result(1.62134, "loss", "rye")])
    assert [leak.partition(",")[0] for leak in seen] == found


# ── the week


def verdict_step(week: Week) -> str:
    """The step of the learner's own verdict: the first to write in once the comparison was seen."""
    steps = list(week.steps())
    seen = next(n for n, step in enumerate(steps) if step.done_when == "comparison seen")
    return next(step.id for step in steps[seen:] if step.kind == "write")


def text_before_the_verdict(week: Week) -> Iterator[tuple[str, str]]:
    """What one learner meets up to the verdict of their own, each with its place."""
    verdict = verdict_step(week)
    for block in week.overview:
        yield "the overview", block_text(block)
    for session in week.sessions:
        yield session.id, session.intro
        for part in session.parts:
            place = part.id
            for block in part.blocks:
                place = block.id if isinstance(block, Step) else place
                yield place, block_text(block)
                if isinstance(block, Fold):
                    yield from ((place, frame) for frame in block.frames)
                if isinstance(block, Step) and block.id == verdict:
                    return


@cache
def open_pages() -> tuple[tuple[str, str], ...]:
    """The pages that a learner may open at any time: glossary, hints and files, README (whose
    pictures name none of the four), and the help of every command."""
    pages = [SHIPPED / "glossary.md", *SHIPPED.glob("hints/*.md"), *SHIPPED.glob("files/*.*")]
    pages += [ROOT / "README.md"]
    shown = [(page.name, picture_text(page.read_text(encoding="utf-8"))) for page in pages]
    return (*shown, ("--help", help_of_all(cli, "q1lab")))


def pictures() -> list[str]:
    return re.findall(r'"(docs/screens/[\w-]+\.svg)"', README)


def help_of_all(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name)
    pages = [command.get_help(context)]
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            pages += [help_of_all(below, each)] if below else []
    return "\n".join(pages)


@cache
def week_before_the_verdict() -> tuple[tuple[str, str], ...]:
    """The week up to the verdict, for any learner, by any way; what several meet is there once."""
    places: dict[str, str] = {}
    for course in (True, False):
        for variant in CHANGES:
            for data in DATA:
                week = week_for(load_week(SHIPPED, course), variant, data)
                for place, text in text_before_the_verdict(week):
                    places.setdefault(text, f"{place}, for {variant}")
    return tuple((place, text) for text, place in places.items())


def test_the_week_shows_no_result_before_the_verdict() -> None:
    assert {result.variant for result in HIDDEN} == {*CHANGES}
    pages = week_before_the_verdict()
    assert {(place, leak) for place, text in pages for leak in leaks(text, HIDDEN)} == set()


def test_pages_that_are_always_open_show_no_result() -> None:
    assert len(MODULES) > 20
    known = [*HIDDEN, *card_results()]
    assert len(known) > len(HIDDEN)
    pages = open_pages()
    assert {(place, leak) for place, text in pages for leak in leaks(text, known)} == set()


@pytest.mark.parametrize("variant", ["rope", "swiglu"])
def test_the_results_come_after_the_verdict(variant: str) -> None:
    """So that the first test looks for numbers as the week writes them."""
    week = week_for(load_week(SHIPPED), variant, DATA[1])
    text = "\n".join(block_text(block) for part in week.parts() for block in part.blocks)
    assert any(leak.endswith(variant) for leak in leaks(text, HIDDEN))


# ── pages with answers, and the ways that lead there

OFFERED = re.compile(r"\b(?:llama|rope|rmsnorm|swiglu|gqa)\b", re.IGNORECASE)
SIGNED = re.compile(r"(?<![\w.,])[+\u2212-]\d\.\d{2,}(?![\d%])|\d\.\d{2,} nats (?:below|above)")
"""A difference of losses, by its form."""
CITED = re.compile(
    r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|((?:docs|content|tools|benchmarks)/[\w./-]*\w|\b[A-Z]+\.md\b)"
)
"""The address of a link, or the path of a file that a sentence names."""


def told_results(text: str) -> list[str]:
    """The results of the four that a text tells: lines that name one and have a difference, which
    is none of an experiment's."""
    lines = [line for line in picture_text(text).splitlines() if OFFERED.search(line)]
    own = {f"{abs(result.value):.3f}" for result in EXPERIMENTS}
    return [
        line[:100] for line in lines if SIGNED.search(line) and not any(map(line.__contains__, own))
    ]


def cited_pages(text: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of the repository that a text links or names, each with the paragraph, or the row
    of a table, that does."""
    for paragraph in re.split(r"\n(?=\s*\n|\||- )", text):
        for linked, named in CITED.findall(paragraph):
            for page in {(folder / linked).resolve() if linked else ROOT / named, ROOT / named}:
                if page.is_file() and page.is_relative_to(ROOT):
                    yield page, paragraph
                elif page.is_dir() and page.is_relative_to(ROOT / "docs"):
                    yield from ((file, paragraph) for file in page.rglob("*") if file.is_file())


def answer_pages() -> set[Path]:
    """The files that README lists as those that hold the answers."""
    (paragraph,) = re.findall(r"(?s)The answers to the\s+four\s+are in.*?\n\n", README)
    return {page for page, _ in cited_pages(paragraph, ROOT)}


def test_no_page_with_answers_is_cited_before_the_verdict() -> None:
    names = {page.name for page in answer_pages()}
    assert "card.md" in names
    shown = [*week_before_the_verdict(), *open_pages()]
    shown = [(place, text) for place, text in shown if place != "README.md"]
    assert {(place, name) for place, text in shown for name in names if name in text} == set()
    assert {(place, line) for place, text in shown for line in told_results(text)} == set()


def test_links_from_readme_help_and_week_lead_to_no_result() -> None:
    """Link after link, but for those whose own line says that the page holds the answers."""
    answers = answer_pages()
    readme = ROOT / "README.md"
    shown = [
        (readme, ROOT, README),
        *((SHIPPED, ROOT, text) for _, text in week_before_the_verdict()),
    ]
    shown += [(SHIPPED, ROOT, text) for _, text in open_pages()]
    met = {readme}
    unflagged, told = set(), []
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
    assert len(met) > 10
    for page in met:
        told += [(page.name, line) for line in told_results(page.read_text(encoding="utf-8"))]
    assert told == []


def test_readme_lists_all_that_holds_the_answers() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*"), *SHIPPED.glob("*.toml")]
    texts = {".md", ".svg", ".html", ".txt", ".json", ".jsonl"}
    telling = {
        page
        for page in pages
        if page.suffix in texts and told_results(page.read_text(encoding="utf-8"))
    }
    answers = answer_pages()
    assert telling | {SHIPPED / "results.toml"} <= answers
    for page in answers:
        if page.suffix in (".md", ".toml"):
            assert "holds the answers" in page.read_text(encoding="utf-8")[:500], page


def test_the_first_run_is_of_a_change_that_the_week_does_not_offer() -> None:
    makefile = (ROOT / "Makefile").read_text()
    variant = re.search(r"(?m)^VARIANT \?= (\w+)$", makefile)
    assert variant
    offered = {variant.name for variant in load_week(SHIPPED).variants}
    assert variant[1] not in {*offered, "llama"}
    assert pictures()
    for name in pictures():
        picture = picture_text((ROOT / name).read_text())
        assert not offered & set(re.findall(r"\w+", picture))
