"""The results of a model file's checks as blocks of lines.

Pure. Texts from or about the learner's file are data: control characters are taken out, and no
markup is read.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.study.own_model.run_checks import CheckReport, CheckResult, command_after_checks

Line = tuple[tuple[str, str], ...]
"""A line as pieces of (text, role). The roles: ``good``, ``bad``, ``warn``, ``name``, ``words``,
``label``, ``text``."""

LABELS = ("expected", "seen", "why")
"""The texts of a failed check that are shown, in this order."""
LABEL_CELLS = 14
"""Cells before the text of a label."""
PRINTED = 8
"""At most this many lines of the file's own output are shown."""


@dataclass(frozen=True)
class CheckBlock:
    """One thing that is told. ``name`` begins it and stands out; ``rows`` are (label, text) below
    it, and ``more`` are lines below it that are not wrapped."""

    sign: str = ""
    """✓, ✗, ! or nothing."""
    role: str = "words"
    """The role of the sign; without a sign, of the words."""
    name: str = ""
    words: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    more: tuple[str, ...] = ()


def result_block(result: CheckResult) -> CheckBlock:
    """A result: a line if it passed, else also the expectation, the observation and the reason."""
    name = printable(result.name)
    if result.failed:
        rows = ((label, printable(getattr(result, label))) for label in LABELS)
        return CheckBlock("✗", "bad", name, rows=tuple(row for row in rows if row[1]))
    # the words of one that passed name the convention in use, such as which pairs RoPE rotates
    words = printable(result.words).removeprefix(name)
    clear = result.passed and not result.warning
    return CheckBlock("✓" if clear else "!", "good" if clear else "warn", name, words)


def following_block(results: Iterable[CheckResult]) -> list[CheckBlock]:
    """One block for all failures that follow from another one; none without any."""
    names = [printable(result.name) for result in results if result.follows]
    if not names:
        return []
    many = "1 more check fails" if len(names) == 1 else f"{len(names)} more checks fail"
    words = f"{many}, usually for the same reason: {', '.join(names)}"
    return [CheckBlock("✗", "bad", words=words)]


def printed_block(report: CheckReport) -> list[CheckBlock]:
    """The file's own output; none without any. A print in __init__ is repeated for every model that
    is built, and is shown once."""
    lines = list(dict.fromkeys(printable(report.printed).splitlines()))
    if not lines:
        return []
    left = len(lines) - PRINTED
    more = (f"… and {plural(left, 'more line')}",) if left > 0 else ()
    return [CheckBlock(words="the file printed:", more=(*lines[:PRINTED], *more))]


def outcome_blocks(
    report: CheckReport,
    file: str,
    chosen: str | None = None,
    baseline: str | None = None,
    overrides: str = "",
    choices: Sequence[str] = (),
) -> list[CheckBlock]:
    """The outcome of the checks, with the modification that they checked for; after success also
    the next command, with the ``baseline`` and ``overrides`` of this one. ``chosen`` is the week's
    modification, ``choices`` are those to name while none is chosen."""
    if report.unusable is not None:
        return [CheckBlock(role="bad", words=printable(report.unusable))]
    outcome = f"{Path(report.file).name}, as {report.for_}: {report.summary}"
    if not report.passed:
        return [CheckBlock(role="text", words=outcome)]
    following = command_after_checks(report, file, chosen, baseline)
    if following.startswith("q1lab run"):
        first = "commit it if you haven't yet; then " if report.for_ == chosen else ""
        following = f"{first}{following}{overrides}"
    choose = "commit it if you haven't yet; then go back and choose a modification"
    if choices:
        choose = f"choose a modification ({', '.join(choices)}), then q1lab new NAME"
    return [
        CheckBlock(role="good", words=outcome),
        CheckBlock(role="text", words=f"Next: {following or choose}"),
    ]


def lay_out(block: CheckBlock, width: int | None) -> list[Line]:
    """The lines of a block, ``width`` cells wide; None: as long as they are."""
    indent = 2 if block.sign else 0
    first, *rest = _wrapped(block.name + block.words, indent, width)
    role = "words" if block.sign else block.role
    name_length = len(block.name) if first.startswith(block.name) else len(first)
    lines: list[Line] = [((first[:name_length], "name"), (first[name_length:], role))]
    if block.sign:
        lines = [((f"{block.sign} ", block.role), *lines[0])]
    lines += [((" " * indent + part, role),) for part in rest]
    for label, text in block.rows:
        lead = f"    {label + ':':<{LABEL_CELLS - 4}}"
        for part in _wrapped(text, LABEL_CELLS, width):
            lines.append(((lead, "label"), (part, "text")))
            lead = " " * LABEL_CELLS
    return [*lines, *(((f"  {line}", "words"),) for line in block.more)]


def _wrapped(text: str, indent: int, width: int | None) -> list[str]:
    """At least one line, of at most ``width`` cells behind an indent."""
    if width is None:
        return [text]
    return textwrap.wrap(text, max(20, width - indent)) or [""]
