"""Check results as text: one line per check; below a failed one, the expected and seen values and
the reason. Pure.

Texts from or about the learner's file are data: no markup is read from them.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from textual.content import Content

from q1lab.ground.errors import Problem
from q1lab.ground.files import open_regular, os_reason, printable
from q1lab.study import variants
from q1lab.week.own_model import diffs
from q1lab.week.own_model.parents import Parent
from q1lab.week.own_model.run_checks import (
    CheckReport,
    CheckResult,
    command_after_checks,
    words_for_following,
)

MOST = 400_000
"""At most this many bytes of a file are compared."""

PRINTED = 4
"""At most this many lines of the file's output are shown."""


class CheckRows:
    """The results on screen by check name. A new round dims them, and each new result replaces the
    old one in its row."""

    def __init__(self) -> None:
        self.rows: dict[str, CheckResult] = {}
        self.fresh: set[str] = set()

    def begin(self) -> None:
        self.fresh.clear()

    def put(self, result: CheckResult) -> None:
        self.rows[result.name] = result
        self.fresh.add(result.name)

    def end(self) -> None:
        """Drop the results of checks that this round did not run."""
        self.rows = {name: result for name, result in self.rows.items() if name in self.fresh}

    def content(self, width: int) -> Content:
        """All rows, for a widget that is ``width`` cells wide."""
        lines = (
            line
            for name, row in self.rows.items()
            if not row.follows
            for line in _lines(row, name in self.fresh, width)
        )
        following = textwrap.wrap(
            printable(words_for_following(self.rows.values())), max(20, width - 2)
        )
        marks = ["✗ ", *["  "] * len(following)]
        more = (
            Content.assemble((mark, "bold $error"), part)
            for mark, part in zip(marks, following, strict=False)
        )
        return Content("\n").join([*lines, *more])


def _lines(check: CheckResult, fresh: bool, width: int) -> list[Content]:
    quiet, sign = ("" if fresh else "$muted"), ("bold $error" if check.failed else "$success")
    if check.warning or not check.judged:
        sign = "$warning"
    if not fresh:
        sign = "$muted"
    name = printable(check.name)
    if not check.failed:
        # the result names the convention in use, such as which coordinates RoPE pairs
        words = printable(check.words)
        first, *more = textwrap.wrap(words, max(20, width - 2)) or [name]
        head = first.removeprefix(name)
        lines = [
            Content.assemble(
                ("✓ " if check.passed and not check.warning else "! ", sign),
                (first[: len(first) - len(head)], quiet),
                (head, "$muted"),
            )
        ]
        return lines + [Content.styled(f"  {part}", "$muted") for part in more]
    lines = [Content.assemble(("✗ ", sign), (name, "bold" if fresh else quiet))]
    for label in ("expected", "seen", "why", "doubt"):
        text = getattr(check, label)
        for number, part in enumerate(textwrap.wrap(printable(text), max(20, width - 12))):
            lead = f"  {'' if number else label:<9} "
            lines.append(Content.assemble((lead, "$muted"), (part, quiet)))
    return lines


def round_summary(report: CheckReport, file: str, variant: str | None, hints: bool) -> Content:
    """The summary below the results of a finished round; after success, with the next step.
    ``hints``: True if the file's modification has hints."""
    if report.unusable is not None:
        text = Content.styled(printable(report.unusable), "$error")
    elif report.passed:
        offer = (
            "\n^o  compares it with the reference"
            if report.for_ in variants.modifications()
            else ""
        )
        command = command_after_checks(report, file, variant)
        choose = ("Commit it if you haven't yet; then go back and choose a modification.", "")
        following = (command, "$accent") if command else choose
        text = Content.assemble(
            (report.summary, "bold $success"), " Next, when you like:\n", following, offer
        )
    else:
        helps = "h gives the hint that helps" if hints else "doubt says how it overrules a check"
        text = Content(f"{report.summary} Fix the file and save it; {helps}.")
    printed = list(dict.fromkeys(printable(report.printed).splitlines()))
    if printed:
        shown = "\n  ".join([*printed[:PRINTED], *(["…"] if len(printed) > PRINTED else [])])
        text = Content.assemble(text, "\n", (f"the file printed:\n  {shown}", "$muted"))
    return text


def diff_against_source(file: Path, source: Parent) -> tuple[str, str]:
    """(heading, unified diff) from the file's source to the file. Problem if one can't be read."""
    old, new = (_bytes(path).decode(errors="replace") for path in (source.variant.path, file))
    diff = diffs.unified_diff(printable(old), printable(new), source.name, file.name)
    return diff_heading(diff, source.name), diff


def diff_heading(diff: str, against: str) -> str:
    """``against model.py  +12 −3 lines``."""
    added, removed = diffs.count_changed_lines(diff)
    return (
        f"against {against}  +{added} −{removed} lines" if diff else f"the same code as {against}"
    )


def _bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            return stream.read(MOST)
    except OSError as error:
        raise Problem(f"cannot read {path}: {os_reason(error)}", file=path) from None
