"""A judgment laid out: the first lines of a terminal, everything in a terminal, a page, JSON. Only
layout: facts.py has the sentences, and every form prints the same ones. Pure.

Lines are lists of (text, role) pieces, so that plain and colored text cannot drift apart. Roles
name what a piece is ("baseline", "modified", a verdict, "dim", "warn", …); color repeats what a
word or a mark already says. Nothing in a judgment is read as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

from q1lab.ground.text_formats import MINUS
from q1lab.judgment import arrange
from q1lab.judgment.blocks import Table
from q1lab.judgment.facts import Fact, Part, facts_of, next_step
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import Line, packed, prose
from q1lab.judgment.names import finished_runs
from q1lab.judgment.subject import ARMS
from q1lab.judgment.terminal_figure import figure_pieces, table_pieces

if TYPE_CHECKING:
    from rich.text import Text

WIDTH, MOST_ROWS = 80, 6
NARROWEST = 40
REST = "Everything else: the same command with --full"
HEAD: tuple[Part, ...] = ("answer", "caveat", "level", "power", "limits")
"""The parts of which the first lines are taken."""


def first_lines(j: Judgment, width: int = WIDTH, rest: str = REST) -> list[Line]:
    """Six rows: the headline, the first facts that fit whole, what to do next, and where the
    ``rest`` is. What to do next is left out where the first caveat, its reason, would have no
    room."""
    width = max(width, NARROWEST)
    below = prose(f"Everything else: `q1lab compare {j.id} --full`" if j.id else rest, width)
    head, step = headline(j, width), prose(next_step(j), width)
    room = MOST_ROWS - len(head) - len(below)
    facts = _head_facts(facts_of(j))
    told = _fitting(facts, width, room - len(step))
    caveats = [fact for fact in facts if fact.part == "caveat"]
    if caveats and caveats[0] not in told:
        told, step = _fitting(facts, width, room), []
    return [*head, *_lines(told, width), *step, *below]


def leading_lines(j: Judgment, width: int, rows: int) -> list[Line]:
    """The first facts that fit whole into so many rows, and the answer in any case."""
    return _lines(_fitting(_head_facts(facts_of(j)), width, rows), width)


def _fitting(facts: Sequence[Fact], width: int, rows: int) -> list[Fact]:
    """The first of the facts that fit whole. Nothing lighter follows where something heavier did
    not fit."""
    told: list[Fact] = []
    for fact in facts:
        if told and len(_lines([*told, fact], width)) > rows:
            break
        told.append(fact)
    return told


def _lines(told: Sequence[Fact], width: int) -> list[Line]:
    return [line for fact in told for line in prose(fact.text, width)]


def _head_facts(facts: Sequence[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.part in HEAD]


def full_lines(j: Judgment, width: int = WIDTH) -> list[Line]:
    """Everything: the headline, and what stands below it."""
    return [*headline(j, width), [], *lines_below(j, width)]


def lines_below(j: Judgment, width: int = WIDTH) -> list[Line]:
    """The figure, the facts of the first lines, the tables, the other facts."""
    width = max(width, NARROWEST)
    lines, facts = figure_pieces(arrange.figure(j), width), facts_of(j)
    lines += [[]] if lines else []
    for fact in _head_facts(facts):
        caveat = {"first": "⚠ ", "role": "warn"} if fact.part == "caveat" else {}
        role = {"role": "" if fact.part == "answer" else "dim"}
        lines += prose(fact.text, width, **role | caveat)
    lines += prose(next_step(j), width)
    for table in arrange.tables(j):
        lines += [[], *table_pieces(table, width), *prose(table.foot, width, role="dim")]
    rest = [fact for fact in facts if fact.part not in HEAD]
    lines += [[]] if rest else []
    for fact in rest:
        lines += prose(fact.text, width, role="dim" if fact.part == "scope" else "")
    return lines


def headline(j: Judgment, width: int = WIDTH) -> list[Line]:
    """The verdict, the arms and their difference, in as few rows as they need."""
    return packed(arrange.headline_parts(j), max(width, NARROWEST))


ARM_COLORS = {"baseline": "#2b87c8", "modified": "#d55e00"}  # apart for color-blind eyes too
STYLES = {
    **ARM_COLORS,
    "helps": "bold green",
    "hurts": "bold red",
    "too small to matter": "bold cyan",
    "cannot tell": "bold yellow",
    "no verdict": "bold",
    "dim": "dim",
    "bold": "bold",
    "warn": "yellow",
    "prediction": "magenta",
}


def rich_lines(lines: Sequence[Line], styles: Mapping[str, str] = STYLES) -> list[Text]:
    """Lines as Rich text; ``styles`` are those of a theme, where it has colors of its own."""
    from rich.text import Text

    result = []
    for line in lines:
        text = Text(no_wrap=True, overflow="crop")
        for piece, role in line:
            text.append(piece, style=styles.get(role, ""))
        text.rstrip()
        result.append(text)
    return result


def html(j: Judgment, picture: str = "") -> str:
    """One page, without scripts and without anything from elsewhere."""
    title, sample = escape(arrange.title(j)), escape(arrange.sample_text(j))
    facts = facts_of(j)
    told = "\n".join(f"<p>{escape(fact.text)}</p>" for fact in _head_facts(facts))
    rest = "\n".join(f"<p>{escape(fact.text)}</p>" for fact in facts if fact.part not in HEAD)
    tables = "\n".join(map(_html_table, arrange.tables(j, every_seed=True)))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>\n{STYLE}{CHIP_STYLE}</style>\n</head>\n<body>\n{html_heading(j)}\n"
        f"<p>{sample}</p>\n{picture}\n{told}\n{tables}\n{rest}\n</body>\n</html>\n"
    )


def html_heading(j: Judgment) -> str:
    """The heading of a page: the answer as a chip, and the arms."""
    chip = (
        f'<span class="chip {j.analysis.verdict.replace(" ", "-")}">{arrange.answer_text(j)}</span>'
    )
    return f"<h1>{chip} {escape(f'{j.names[1]} {MINUS} {j.names[0]}')}</h1>"


STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; line-height: 1.4; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; }
table { display: block; overflow-x: auto; margin: 1em 0; }
td, th { padding: 0.1em 0.8em 0.1em 0; text-align: right; }
td + td { white-space: nowrap; }
td:first-child, th:first-child { text-align: left; font-weight: normal; }
@media (max-width: 34em) { table { font-size: .8em; } td, th { padding-right: .4em; } }
"""
CHIP_STYLE = """\
.chip { background: #56606e; color: #fff; border-radius: .3em; padding: .1em .5em;
  white-space: nowrap; }
.chip.helps { background: #0f6e55; }
.chip.hurts { background: #8f0a26; }
.chip.cannot-tell { background: #7a6000; }
"""


def _html_table(table: Table) -> str:
    rows = [table.heads, *((r.label, r.baseline, r.modified, r.change) for r in table.rows)]
    tags = ["th", *["td"] * len(table.rows)]
    body = "\n".join(
        f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"
        for tag, row in zip(tags, rows, strict=True)
    )
    return f"<table>\n{body}\n</table>" + (f"\n<p>{escape(table.foot)}</p>" if table.foot else "")


def to_json(j: Judgment) -> dict[str, Any]:
    """Every number, and the facts by their keys, in JSON's own types; what is not finite is
    null."""
    from q1lab.ground import json_records

    analysis = j.analysis
    dumped: dict[str, Any] = json_records.to_json(
        {
            "study": j.id,
            "variant": j.names[1],
            "baseline": j.names[0],
            "metric": j.metric,
            "verdict": analysis.verdict,
            "reason": analysis.reason,
            "level": analysis.level,
            "n": analysis.n,
            "alpha": analysis.alpha,
            "delta": analysis.delta,
            "difference": {
                "mean": analysis.mean,
                "headline": analysis.headline,
                "welch": analysis.welch,
                "paired": analysis.paired,
                "bootstrap": analysis.bootstrap,
                "pairs": analysis.pairs,
            },
            "detectable": analysis.detectable,
            "seeds_needed": analysis.seeds_needed,
            "diverged": analysis.diverged,
            "complete": analysis.complete,
            "arms": {
                arm: {
                    "variant": name,
                    "n": n,
                    "values": j.arms[arm].values,
                    "mean": j.arms[arm].mean,
                    "std": j.arms[arm].std,
                    **j.arms[arm].costs,
                }
                for arm, name, n in zip(ARMS, j.names, finished_runs(j), strict=True)
            },
            "asked": asdict(j.asked),
            "plan": asdict(j.plan),
            "setting": asdict(j.setting),
            "found": asdict(j.found),
            "outlier": j.outlier,
            "floor": j.floor,
            "timed": j.timed,
            "beside": j.beside,
            "prediction": j.prediction,
            "facts": [fact._asdict() for fact in facts_of(j)],
            "next": next_step(j) or None,
        }
    )
    return dumped
