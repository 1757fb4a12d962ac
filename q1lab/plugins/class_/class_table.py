"""The table of a class, as text for a terminal of 80 columns, as a page, and as a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from html import escape

from q1lab.ground.text_formats import DASH, cut_cells, first_names, plural, printable
from q1lab.judgment.difference_text import NumberWriter, percent_text
from q1lab.judgment.page import STYLE
from q1lab.plugins.class_.class_lines import ClassLine, line_sentences
from q1lab.plugins.class_.hand_in_results import (
    FAILED_CHECK,
    NOT_RUN,
    HandInResult,
)
from q1lab.plugins.class_.hand_ins import ClassFolder

HEADS = ("who", "checks", "verified", "verdict", "level", "difference")
WIDEST = (18, 8, 8, 11, 5, 24)
"""The most columns of each cell: with two between them, 80 in all at most."""
WHY = "Why not, and what to look at"
MOST_CHARACTERS = 600
"""Characters of a sentence in the text; the page and the CSV have all."""
NO_GIT = (
    "If no commit holds a study, its earlier looks can't be seen: only the declarations that its "
    "giver shows are known. That is so for {} studies."
)


def cells(result: HandInResult) -> tuple[str, ...]:
    """One row of the table."""
    checks = result.checks_words or result.checks
    if result.checks == FAILED_CHECK:
        checks = f"{checks} ✗"
    difference = level = DASH
    if result.mean is not None and result.interval is not None:
        number = NumberWriter(result.interval, None, abs(result.mean))
        low, high = number.ends(result.interval)
        difference = f"{low} to {high}"
    if result.level is not None:
        level = percent_text(result.level)
    verdict = result.verdict.upper().replace(" TO MATTER", "") or DASH
    who = ("◆ " if result.apart else "") + result.label
    return who, checks, result.verified, verdict, level, difference


def why_sentences(lines: Sequence[ClassLine]) -> Iterator[tuple[str, str]]:
    """(label, sentence): why a hand-in is not verified, did not pass, or needs a look."""
    for line in lines:
        for result in line.results:
            if result.same_as:
                yield (
                    result.label,
                    f"the same runs, byte for byte, as {first_names(result.same_as)}",
                )
            for sentence in result.why:
                yield result.label, " ".join(printable(sentence).split())


def closing_sentences(lines: Sequence[ClassLine], folder: ClassFolder) -> list[str]:
    """The sentences below all tables."""
    results = [result for line in lines for result in line.results]
    studies = [result for result in results if result.study is not None]
    unseen = sum(not result.commits for result in studies)
    sentences = []
    if studies:
        sentences.append(
            "Each verdict is at the level that its own declarations leave it; nobody pays for the "
            "looks of others."
        )
    if unseen:
        sentences.append(NO_GIT.format(f"{unseen} of {len(studies)}"))
    if all(result.checks == NOT_RUN for result in results):
        sentences.append("Checks were not run: --checks runs them, and with them the files.")
    if folder.without:
        sentences.append(f"Nothing handed in: {', '.join(folder.without)}.")
    if folder.others:
        sentences.append(f"{plural(folder.others, 'other file')} in the folder: not looked at.")
    return sentences


# ── text


def table_text(lines: Sequence[ClassLine], folder: ClassFolder, columns: int = 80) -> str:
    """The whole table, in lines of at most ``columns``."""
    parts = []
    for line in lines:
        head = f"{line.title}: {plural(len(line.results), 'hand-in')}"
        rows = [HEADS, *map(cells, line.results)]
        below = [
            part
            for lines_of_why in line_sentences(line)
            for part in _wrapped(lines_of_why, columns, "  ")
        ]
        parts.append([cut_cells(head, columns), *_aligned(rows), *below])
    if why := list(why_sentences(lines)):
        lines_of_why = [part for pair in why for part in _wrapped(": ".join(pair), columns, "  ")]
        parts.append([WHY, *lines_of_why])
    closing = closing_sentences(lines, folder)
    parts.append([part for sentence in closing for part in _wrapped(sentence, columns)])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    from rich.cells import cell_len

    cut = [[cut_cells(cell, most) for cell, most in zip(row, WIDEST, strict=True)] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cut, strict=True)]
    for row in cut:
        padded = (c + " " * (width - cell_len(c)) for c, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _wrapped(sentence: str, columns: int, indent: str = "") -> list[str]:
    """A sentence in lines, the first of which begins at ``indent``; a long one is cut."""
    from rich.console import Console
    from rich.text import Text

    cut = sentence if len(sentence) <= MOST_CHARACTERS else f"{sentence[:MOST_CHARACTERS]}…"
    lines = Text(cut).wrap(Console(), columns - 2 * len(indent))
    return [
        indent * (2 if number else 1) + line.plain.rstrip() for number, line in enumerate(lines)
    ]


# ── page


def table_page(lines: Sequence[ClassLine], folder: ClassFolder) -> str:
    """The table as one HTML page, without scripts and without anything from elsewhere."""
    body = ["<h1>Hand-ins of a class</h1>"]
    for line in lines:
        rows = "".join(_row("td", cells(result)) for result in line.results)
        body.append(f"<h2>{escape(line.title)}</h2>")
        body.append(f"<table>\n{_row('th', HEADS)}{rows}</table>")
        body += [f"<p>{escape(text)}</p>" for text in line_sentences(line)]
    if why := list(why_sentences(lines)):
        items = "".join(f"<li>{escape(f'{label}: {text}')}</li>\n" for label, text in why)
        body.append(f"<h2>{WHY}</h2>\n<ul>\n{items}</ul>")
    body += [f"<p>{escape(text)}</p>" for text in closing_sentences(lines, folder)]
    return html_page("Hand-ins of a class", "\n".join(body))


def html_page(title: str, body: str, style: str = "") -> str:
    """A page that stands alone; ``style`` is added to that of a judgment's page."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _row(tag: str, row: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>\n"


# ── CSV

CSV_HEADS = (
    *("who", "place", "kind", "line", "study", "checks", "verified", "verdict", "level", "pairs"),
    *("difference", "low", "high", "looks_before", "commits", "apart", "same_as", "why"),
)
_FORMULA = re.compile(r"\s*[=+@\t-]")


def table_csv(lines: Sequence[ClassLine]) -> str:
    """A row for each hand-in, and one for the mean of each line (``kind`` is "mean")."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for line in lines:
        for result in line.results:
            writer.writerow(map(_no_formula, _csv_row(line, result)))
        if not isinstance(line.pooled, str):
            p = line.pooled
            mean = ["", "", "mean", line.title, *[""] * 5, p.hand_ins, p.mean, p.low, p.high]
            writer.writerow(map(_no_formula, mean + [""] * (len(CSV_HEADS) - len(mean))))
    return out.getvalue()


def _csv_row(line: ClassLine, result: HandInResult) -> list[object]:
    ends = ("", "") if result.interval is None else (result.interval.low, result.interval.high)
    checks = f"{result.checks} {result.checks_words}".strip()
    return [
        *(result.who, printable(result.place), result.kind, line.title),
        *("" if result.study is None else result.study.name, checks, result.verified),
        *(result.verdict, result.level, result.pairs or "", result.mean),
        *ends,
        *(result.looks_before, result.commits, "yes" if result.apart else ""),
        *("; ".join(result.same_as), "; ".join(result.why)),
    ]


def _no_formula(cell: object) -> object:
    """A text that a spreadsheet would run gets an apostrophe first."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
