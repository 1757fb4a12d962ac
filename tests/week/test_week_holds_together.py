"""The shipped week holds together, for each of its learners: order, minutes, commands, words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from q1lab.app.pages import block_text
from q1lab.app.widgets.page_blocks import command_with_form
from q1lab.study import variants
from q1lab.week.content import load_week, week_for
from q1lab.week.syllabus import GLOSSARY, Action, Block, Fold, Part, Step, Text, Week
from tests.kit.changes import CHANGES
from tests.kit.commands import parse
from tests.kit.places import ROOT

SHIPPED = ROOT / "content"
LEARNERS = [
    pytest.param(course, variant, id=f"{variant}, {'course' if course else 'alone'}")
    for course in (True, False)
    for variant in CHANGES
]


@pytest.fixture
def week(course: bool, variant: str) -> Week:
    return week_for(load_week(SHIPPED, course), variant, ("Tiny Shakespeare", 65, "shakespeare"))


pytestmark = pytest.mark.parametrize(("course", "variant"), LEARNERS)


def blocks_of(week: Week) -> Iterator[tuple[Part, Block]]:
    """The blocks in the order in which the learner meets them."""
    return ((part, block) for part in week.parts() for block in part.blocks)


def actions_of(block: Block) -> tuple[Action, ...]:
    if isinstance(block, Step):
        return block.actions
    return (block,) if isinstance(block, Action) else ()


def markdown_of(week: Week) -> Iterator[str]:
    """All of its text, in order."""
    yield from (block_text(block) for block in week.overview if not isinstance(block, Action))
    for session in week.sessions:
        yield session.intro
        for part in session.parts:
            for block in part.blocks:
                if isinstance(block, Step):
                    yield block.detail
                    yield block.answer.markdown if block.answer else ""
                elif isinstance(block, Text | Fold):
                    yield block.markdown


def test_what_a_block_needs_comes_before_it(week: Week) -> None:
    met: set[str] = set()
    for _, block in blocks_of(week):
        if isinstance(block, Step | Fold):
            assert block.needs is None or block.needs in met, block
        if isinstance(block, Step):
            met.add(block.id)


def test_a_run_comes_after_the_prediction_and_after_its_file(week: Week) -> None:
    made = {
        f"{action.argv()[2]}.py"
        for _, block in blocks_of(week)
        for action in actions_of(block)
        if action.argv()[1:2] == ("new",) and len(action.argv()) == 3
    }
    predicted, there = False, set()
    for _, block in blocks_of(week):
        predicted |= isinstance(block, Step) and block.done_when == "prediction made"
        for action in actions_of(block):
            words = action.argv()
            used = {word.removeprefix("./") for word in words[2:] if word.endswith(".py")}
            assert not (used & made) - there, words
            assert action.kind != "run" or predicted, words
            if words[1:2] == ("new",) and len(words) == 3:
                there.add(f"{words[2]}.py")


def test_every_action_is_a_command_that_there_is(week: Week) -> None:
    names = variants.variant_names()
    for _, block in blocks_of(week):
        for action in actions_of(block):
            words = action.argv()
            if words:
                parse(words[1:])
            if words[1:2] == ("take",) and len(words) > 2:
                assert words[2] in week.files
            for key in ("variant", "baseline", "for"):
                name = str(action.options.get(key, ""))
                assert not name or "." in name or name in names, words


def test_every_step_can_be_done(week: Week) -> None:
    for step in week.steps():
        assert step.kind != "recall" or step.answer is not None, step.id
        if step.kind in ("run", "check"):
            assert step.kind in {action.kind for action in step.actions}, step.id
        own = step.done_when == step.behavior.done_when
        assert own or step.ticking_action or command_with_form(step), step.id


def test_an_experiment_says_how_to_read_its_result(week: Week) -> None:
    explained = {block.needs for _, block in blocks_of(week) if isinstance(block, Fold)}
    for step in week.steps():
        if step.into == "analysis" and any(a.argv()[1:2] == ("run",) for a in step.actions):
            assert step.id in explained


def test_minutes_add_up(week: Week) -> None:
    """The plan is the author's; the hours that the overview names are those of the rule."""
    overview = "\n".join(map(block_text, week.overview))
    assert f"plan on {week.hours} hours" in overview
    assert week.hours == sum(session.hours for session in week.sessions)
    for session in week.sessions:
        assert sum(part.minutes for part in session.parts) == session.minutes
    for part in week.parts():
        for table in tables_with_minutes(part):
            assert table == part.minutes, part.id


def tables_with_minutes(part: Part) -> Iterator[int]:
    """The sum of the column "minutes" of each table that has one."""
    for block in part.blocks:
        text = block.markdown if isinstance(block, Text | Fold) else ""
        for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
            rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
            if "minutes" in rows[0]:
                column = rows[0].index("minutes")
                found = [re.match(r"[0-9]+", row[column]) for row in rows[2:]]
                yield sum(int(match[0]) for match in found if match)


CODE_WIDTH = 70
"""Columns of code that fit on a terminal of 80, in a fold."""
FENCE = re.compile(r"^ *(`{3,}|~{3,}) *(\w*)[^\n]*\n(.*?)^ *\1 *$", re.DOTALL | re.MULTILINE)


def test_code_can_be_read_by_python_and_fits_on_a_small_screen(week: Week) -> None:
    for text in markdown_of(week):
        for _, language, code in FENCE.findall(text):
            assert max(map(len, code.splitlines()), default=0) <= CODE_WIDTH, code
            if language == "python":
                compile(code, "content", "exec")
    for _, block in blocks_of(week):
        for frame in block.frames if isinstance(block, Fold) else ():
            assert max(map(len, frame.splitlines())) <= CODE_WIDTH


GITHUB = re.compile(r"https?://(?:www\.)?github\.com/[\w.-]+/[\w.-]+(?P<rest>[\w./-]*)")
LASTS = re.compile(
    r"/(?:blob|tree|raw|commit)/[0-9a-f]{40}(?:/|$)|/(?:pull|issues|discussions)/[0-9]+"
)


def test_links_into_repositories_last(week: Week) -> None:
    for text in markdown_of(week):
        for link in GITHUB.finditer(text):
            assert LASTS.match(link["rest"].rstrip(".")), link[0]


WORD_LINK = re.compile(rf"(?<=\[)([^\[\]]+)\]\(((?:\.\./)*{re.escape(GLOSSARY)}#[^)\s]*)\)")
NO_LINK = re.compile(
    r"^(`{3,}|~{3,}).*?^\1\s*$|`[^`\n]+`|^#.*?$|<!--.*?-->|\]\([^)]*\)", re.DOTALL | re.MULTILINE
)
"""Text that holds no link: code, headings, comments, the addresses of links."""


def test_words_of_the_glossary_are_linked_where_they_are_first_said(week: Week) -> None:
    terms = {term.address: term for term in week.terms}
    unmet = list(week.terms)
    for markdown in markdown_of(week):
        links = {
            link.start(1): link[2].removeprefix("../") for link in WORD_LINK.finditer(markdown)
        }
        assert {*links.values()} <= terms.keys()
        prose = NO_LINK.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), markdown)
        for term in list(unmet):
            if (first := term.first_in(prose)) is not None:
                unmet.remove(term)
                assert links.get(first) == term.address, (term.name, markdown[first : first + 60])
