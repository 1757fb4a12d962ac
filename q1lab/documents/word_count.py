"""The words of a draft, section by section, against their word budgets. Pure functions.

A draft is Markdown. Its sections are the ``##`` headings; ``<!-- q1lab:budget 300 -->`` below one
is its budget in words. Comments never reach the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from q1lab.documents.code_fences import Fence

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
    width = max((len(item.title) for item in sections), default=0)
    lines = [
        f"{item.title.ljust(width)}  {item.words:>5}"
        + (f" of {item.budget:>4}  {item.state}" if item.budget else "")
        for item in sections
    ]
    words, budget = sum(item.words for item in sections), sum(item.budget or 0 for item in sections)
    return [*lines, f"{'together'.ljust(width)}  {words:>5} of {budget:>4}"]


_BUDGET = re.compile(r"<!--\s*q1lab:budget\s+(\d+)\s*-->")
_WORD = re.compile(r"[^\W_]+(?:['’.,\-/][^\W_]+)*")


def draft_sections(text: str) -> list[DraftSection]:
    """The sections with their words. Code blocks, tables, comments, folds, addresses and markers
    are not read aloud."""
    sections: list[DraftSection] = []
    title, start, budget, words = "", 1, None, 0
    in_fold = False
    for number, kind, line in lines_by_kind(text):
        in_fold = kind != "heading" and (in_fold or line.strip() == "<details>")
        if in_fold:
            in_fold = line.strip() != "</details>"
            continue
        if kind == "heading" and line.startswith("## "):
            if title or words:
                sections.append(
                    DraftSection(title or "(before the first heading)", start, words, budget)
                )
            title, start, budget, words = line[3:].strip(), number, None, 0
            continue
        if kind == "comment":
            marker = _BUDGET.search(line)
            if marker:
                budget = int(marker[1])
            continue
        if kind in ("text", "heading") and not (kind == "heading" and line.startswith("# ")):
            words += count_words(line)
    if title or words:
        sections.append(DraftSection(title or "(before the first heading)", start, words, budget))
    return sections


def count_words(line: str) -> int:
    """Words as they are read aloud: link addresses and image targets are not."""
    # bounded: without an end to each, a line of nothing but openings takes minutes
    line = re.sub(r"!\[([^\]]{0,999})\]\([^)]{0,1999}\)", "", line)
    line = re.sub(r"\]\(<?[^)>]{0,1999}>?\)", "]", line)
    line = re.sub(r"<?https?://\S+", "", line)
    return len(_WORD.findall(line))


def lines_by_kind(text: str) -> Iterator[tuple[int, str, str]]:
    """(number from 1, kind, line) with kind ``text``, ``heading``, ``code``, ``table`` or
    ``comment``.

    A comment that begins in mid-line is cut out of its line; inside code it is code.
    """
    fence, in_comment = Fence(), False
    for number, line in enumerate(split_lines(text), 1):
        if in_comment:
            head, closed, tail = line.partition("-->")
            yield number, "comment", head
            in_comment = not closed
            line = tail
            if not line.strip():
                continue
        if fence.takes(line):
            yield number, "code", line
            continue
        text_left, comments, in_comment = _cut_comments(line)
        for comment in comments:
            yield number, "comment", comment
        if comments and not text_left.strip():
            continue
        if re.match(r" {0,3}#{1,6}(\s|$)", text_left):
            yield number, "heading", text_left.strip()
        elif text_left.lstrip().startswith("|"):
            yield number, "table", text_left
        else:
            yield number, "text", text_left


def split_lines(text: str) -> list[str]:
    """Lines as an editor counts them: a form feed or a Unicode separator ends none."""
    return re.split(r"\r\n|\n|\r", text)


def _cut_comments(line: str) -> tuple[str, list[str], bool]:
    """(the line without its comments, the comments, whether the last one goes on in the next
    line)."""
    text_left = ""
    comments: list[str] = []
    while True:
        # A comment inside a code span is code: skip spans first.
        match = re.search(r"(`{1,9})(?:(?!\1).){1,1999}\1|<!--", line)
        if match is None:
            return text_left + line, comments, False
        if match[0] != "<!--":
            text_left += line[: match.end()]
            line = line[match.end() :]
            continue
        text_left += line[: match.start()]
        end = line.find("-->", match.start())
        if end < 0:
            return text_left, [*comments, line[match.start() :]], True
        comments.append(line[match.start() : end + 3])
        line = line[end + 3 :]
