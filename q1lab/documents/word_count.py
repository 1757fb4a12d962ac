"""The words of a draft, section by section, against their word budgets. Pure functions.

A draft is Markdown. Its sections are the ``##`` headings; ``<!-- q1lab:budget 300 -->`` below one
is its budget in words. Comments never reach the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from q1lab.documents.markdown_escape import parser
from q1lab.judgment.lines import column_sizes, row_text

WITHIN = 0.15
"""A section is on budget within this share of it."""


@dataclass(frozen=True)
class DraftSection:
    """A section of the draft: ``words`` of prose, ``budget`` from its comment (None without), and
    the ``line`` it begins on, from 1."""

    title: str
    line: int
    words: int
    budget: int | None

    @property
    def state(self) -> str:
        """``empty``, ``short``, ``long`` or ``ok``; ``""`` without a budget."""
        if self.budget is None:
            return ""
        if not self.words:
            return "empty"
        if self.words < self.budget * (1 - WITHIN):
            return "short"
        return "long" if self.words > self.budget * (1 + WITHIN) else "ok"


def section_lines(sections: Sequence[DraftSection]) -> list[str]:
    """A line for each section, with its words, budget and state, and one for all of them."""
    words, budget = sum(item.words for item in sections), sum(item.budget or 0 for item in sections)
    rows = [
        (item.title, str(item.words), f"of {item.budget}" if item.budget else "", item.state)
        for item in sections
    ]
    rows.append(("together", str(words), f"of {budget}", ""))
    sizes = column_sizes(rows)
    return [row_text(row, sizes, right=(1, 2)) for row in rows]


_BUDGET = re.compile(r"<!--\s*q1lab:budget\s+(\d+)\s*-->")
_WORD = re.compile(r"[^\W_]+(?:['’.,\-/][^\W_]+)*")


def draft_sections(text: str) -> list[DraftSection]:
    """The sections with their words. Code blocks, tables, comments, folds, addresses and markers
    are not read aloud."""
    sections = [DraftSection("", 1, 0, None)]
    in_fold = False
    for number, kind, line in lines_by_kind(text):
        in_fold = kind != "heading" and (in_fold or line.strip() == "<details>")
        section = sections[-1]
        if in_fold:
            in_fold = line.strip() != "</details>"
        elif kind == "heading" and line.startswith("## "):
            sections.append(DraftSection(line[3:].strip(), number, 0, None))
        elif kind == "comment" and (marker := _BUDGET.search(line)):
            sections[-1] = replace(section, budget=int(marker[1]))
        elif kind == "text" or (kind == "heading" and not line.startswith("# ")):
            sections[-1] = replace(section, words=section.words + count_words(line))
    before, *titled = sections
    if before.words:
        titled.insert(0, replace(before, title="(before the first heading)"))
    return titled


def count_words(line: str) -> int:
    """Words of a line of Markdown as they are read aloud: images, with their alt text, and
    addresses count nothing; ``don't`` and ``3.5`` are one word."""
    # bounded: without an end to each, a line of nothing but openings takes minutes
    line = re.sub(r"!\[([^\]]{0,999})\]\([^)]{0,1999}\)", "", line)
    line = re.sub(r"\]\(<?[^)>]{0,1999}>?\)", "]", line)
    line = re.sub(r"<?https?://\S+", "", line)
    return len(_WORD.findall(line))


_KINDS = {
    "fence": "code",
    "code_block": "code",
    "heading_open": "heading",
    "table_open": "table",
}
"""The kinds of lines by the tokens of markdown-it that span them; all others are text."""
_SPAN_OR_COMMENT = re.compile(r"(`{1,9})(?:(?!\1).){1,1999}\1|<!--(?:.|\n)*?(?:-->|\Z)")
"""A comment, or a code span in one line, inside of which a comment is code."""


def lines_by_kind(text: str) -> Iterator[tuple[int, str, str]]:
    """(number from 1, kind, line) with kind ``text``, ``heading``, ``code``, ``table`` or
    ``comment``.

    A comment is cut out of its lines, and comes before what is left of the first of them; one
    inside code is code.
    """
    lines = split_lines(text)
    kinds = ["text"] * len(lines)
    for token in parser().parse("\n".join(lines)):
        if token.type in _KINDS and token.map is not None:
            first, end = token.map
            kinds[first:end] = [_KINDS[token.type]] * (end - first)
    prose = "\n".join(
        "" if kind == "code" else line for kind, line in zip(kinds, lines, strict=True)
    )
    comments: dict[int, list[str]] = {}

    def cut(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        first, breaks = prose.count("\n", 0, match.start()), match[0].count("\n")
        comments.setdefault(first, []).append(match[0])
        for later in range(first + 1, first + breaks + 1):
            comments.setdefault(later, [])
        return "\n" * breaks

    left = _SPAN_OR_COMMENT.sub(cut, prose).split("\n")
    for index, (kind, line) in enumerate(zip(kinds, left, strict=True)):
        for comment in comments.get(index, ()):
            yield index + 1, "comment", comment
        if kind == "code":
            yield index + 1, kind, lines[index]
        elif line.strip() or index not in comments:
            yield index + 1, kind, line.strip() if kind == "heading" else line


def split_lines(text: str) -> list[str]:
    """Lines as an editor counts them: a form feed or a Unicode separator ends none."""
    return re.split(r"\r\n|\n|\r", text)
