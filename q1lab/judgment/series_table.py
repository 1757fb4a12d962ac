"""Judgments that share one level, as one table: several modifications ranked by their differences
from one baseline.

Nothing is left out: a member that diverged, failed, still trains, was deleted or can't be read is a
row like the others. Words and numbers of one judgment come from the modules ``*_text``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from q1lab.ground.text_formats import DASH, cut, printable
from q1lab.judgment import (
    comparison_record,
    difference_text,
    label_text,
    level_text,
    scope_text,
)
from q1lab.judgment.blocks import Bar, Block, Figure, Ranking, Sentence
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.notes import Note, OtherRuns
from q1lab.judgment.records import Judgment
from q1lab.judgment.run_notes import OfSeries, UnfinishedRuns
from q1lab.judgment.subject import Share
from q1lab.judgment.terminal_text import block_lines

NAME = 16
"""Columns of a member's name."""


@dataclass(frozen=True)
class SeriesMember:
    """One place of a series: its study and the result, if there is one."""

    at: int
    name: str
    study: str | None = None
    comparison: Judgment | None = None
    why: str = ""
    """Why there is no verdict here; empty where there is one."""

    @property
    def is_complete(self) -> bool:
        """True if its study has come to its end."""
        return self.comparison is not None and self.comparison.analysis.complete

    @property
    def mean(self) -> float | None:
        return None if self.comparison is None else self.comparison.analysis.mean


@dataclass(frozen=True)
class SeriesResult:
    """A series with all of its members, in the order of their turns."""

    share: Share
    baseline: str
    pairs_planned: tuple[int, int] | None
    members: tuple[SeriesMember, ...]

    @property
    def complete(self) -> bool:
        """True if every member has come to its end."""
        return all(member.is_complete for member in self.members)

    @property
    def ranked(self) -> list[SeriesMember]:
        """The best difference first, then those without one in the order of their turns."""
        answered = [member for member in self.members if member.mean is not None and not member.why]
        rest = [member for member in self.members if member not in answered]
        sign = self.metric.sign
        return [
            *sorted(answered, key=lambda member: (sign * (member.mean or 0.0), member.at)),
            *rest,
        ]

    @property
    def metric(self) -> Metric:
        """The metric that all of its studies measure."""
        of_members = (m.comparison.metric for m in self.members if m.comparison is not None)
        return next(of_members, VAL_LOSS)

    @property
    def sample_word(self) -> str:
        """The word for what is counted: ``pairs``, or ``seeds`` or ``runs`` where arms are no
        pairs."""
        comparisons = [m.comparison for m in self.members if m.comparison is not None]
        if all(c.analysis.headline == "paired" for c in comparisons):
            return "pairs"
        return f"{comparisons[0].subject.plan.run_word}s"

    @property
    def any_claim_chance(self) -> float:
        """The largest share of such series that make any claim when nothing has changed."""
        return sum(self.spends(member) for member in self.members)

    def spends(self, member: SeriesMember) -> float:
        """The chance that a member claims something when nothing has changed."""
        c = member.comparison
        return self.share.alpha if c is None else level_text.claim_rate(c)


# ── in words


def series_lines(series: SeriesResult, width: int = 80) -> list[str]:
    """The series as text, no line wider than ``width`` columns (60 and more are meant)."""
    return plain_lines(block_lines(series_blocks(series), max(width, 60)))


def series_blocks(series: SeriesResult) -> tuple[Block, ...]:
    """The series: what it is, its table, each member's interval on one axis, and sentences."""
    drawing = _drawing(series)
    return (
        Sentence("series", series_heading(series)),
        _ranking(series),
        *((drawing,) if drawing.bars else ()),
        *(Sentence("series", text) for text in series_sentences(series)),
    )


def series_heading(result: SeriesResult) -> str:
    """The series in one line: its members, baseline and seeds, as declared."""
    share = result.share
    base = label_text.short_name(result.baseline)
    counts = sorted({m.comparison.analysis.n for m in result.members if m.comparison is not None})
    sizes = " to ".join(map(str, counts[:1] + counts[-1:] * (len(counts) > 1)))
    seeds = f"{sizes} {result.sample_word} each"
    if result.pairs_planned is not None:
        fewest, most = result.pairs_planned
        seeds = f"{fewest} to {most} pairs each, stopping when known"
    return f"{printable(share.id)}: {share.many} modifications against {base}, {seeds}"


def series_sentences(result: SeriesResult) -> list[str]:
    """The sentences that a reader of the table needs."""
    sentences = [
        correction_sentence(result),
        "Ranked by the mean difference, the best first. Each interval is against the baseline, "
        "so it does not show that neighbors in the table differ.",
        *_notes(result),
    ]
    comparisons = [member.comparison for member in result.members if member.comparison is not None]
    scope = scope_text.scope_sentence(comparisons[0]) if comparisons else ""
    return [*sentences, scope] if scope else sentences


def correction_sentence(result: SeriesResult) -> str:
    """The Bonferroni correction for several comparisons, in a sentence."""
    many = result.share.many
    each = " or ".join(sorted({f"{100 * result.spends(member):.3g}%" for member in result.members}))
    text = (
        f"Corrected for {many} comparisons (Bonferroni): each claims a difference in at most "
        f"{each} of studies where nothing changed, so at most "
        f"{difference_text.percent_text(result.any_claim_chance)} of such series claim anything."
    )
    levels = {
        difference_text.level_text(m.comparison.analysis)
        for m in result.members
        if m.comparison is not None
    }
    if len(levels) == 1:
        text += f" Each interval is a {levels.pop()} one"
        text += " at every look." if result.pairs_planned is not None else "."
    return text


def _notes(result: SeriesResult) -> list[str]:
    """Notes of single members, each said once with the members that it is about."""
    members_by_note: dict[str, list[str]] = {}
    for member in result.ranked:
        c = member.comparison
        for note in c.notes if c is not None else ():
            if c is not None and not _is_said_elsewhere(note, c):
                members_by_note.setdefault(note.sentence(c), []).append(member.name)
    return [f"{', '.join(names)}: {text}" for text, names in members_by_note.items()]


def _is_said_elsewhere(note: Note, c: Judgment) -> bool:
    """True for a note that the table or its scope says: of runs from elsewhere which others there
    were, and which did not finish."""
    if isinstance(note, UnfinishedRuns):
        return not c.subject.run_command
    return isinstance(note, OfSeries | OtherRuns)


def _ranking(result: SeriesResult) -> Ranking:
    rows = [
        (
            "",
            "modification",
            "verdict",
            "difference",
            "interval",
            result.sample_word,
        )
    ]
    below = [""]
    for rank, member in enumerate(result.ranked, 1):
        c = member.comparison
        place = f"{rank}" if not member.why else ""
        cells = ("NO VERDICT", DASH, DASH, DASH if c is None else label_text.sample_number(c))
        if c is not None and not member.why:
            cells = (
                c.analysis.verdict.upper(),
                difference_text.mean_text(c.analysis),
                difference_text.interval_text(c.analysis),
                label_text.sample_number(c),
            )
        rows.append((place, cut(printable(member.name), NAME), *cells))
        below.append(member.why)
    return Ranking(tuple(rows), tuple(below))


def _drawing(result: SeriesResult) -> Figure:
    """Each member's interval on one axis."""
    bars = [
        Bar(
            "study",
            cut(printable(m.name), NAME),
            "",
            c.analysis.ends.low,
            c.analysis.ends.high,
            (c.analysis.mean or 0.0,),
        )
        for m in result.ranked
        if (c := m.comparison) is not None and c.analysis.ends is not None and not m.why
    ]
    return Figure(tuple(bars), result.metric.difference)


# ── the border


def series_json(result: SeriesResult) -> dict[str, Any]:
    """Every fact, ranked; each member with the whole record of its comparison."""
    return {
        "series": result.share.id,
        "baseline": result.baseline,
        "plan": None
        if result.pairs_planned is None
        else {"first": result.pairs_planned[0], "most": result.pairs_planned[1]},
        "correction": {
            "method": "Bonferroni",
            "members": result.share.many,
            "each": result.share.alpha,
            "total": result.any_claim_chance,
        },
        "complete": result.complete,
        "members": [
            {
                "name": member.name,
                "study": member.study,
                "why": member.why or None,
                "comparison": None
                if member.comparison is None
                else comparison_record.comparison_json(member.comparison),
            }
            for member in result.ranked
        ],
        "sentences": series_sentences(result),
    }
