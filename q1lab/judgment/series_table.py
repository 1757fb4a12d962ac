"""Judgments that share one level, as one table: several modifications ranked by their differences
from one baseline.

Nothing is left out: a member that diverged, failed, still trains, was deleted or can't be read is a
row like the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from q1lab.ground.text_formats import DASH, cut, printable
from q1lab.judgment import difference_text, facts, layout, names
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import Line, column_sizes, prose, row_text
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.subject import Share, run_word
from q1lab.judgment.terminal_figure import figure_pieces

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
    def comparisons(self) -> list[Judgment]:
        """Those of the members that have one."""
        return [m.comparison for m in self.members if m.comparison is not None]

    @property
    def metric(self) -> Metric:
        """The metric that all of its studies measure."""
        return next((c.metric for c in self.comparisons), VAL_LOSS)

    @property
    def sample_word(self) -> str:
        """The word for what is counted: ``pairs``, or ``seeds`` or ``runs`` where arms are no
        pairs."""
        comparisons = self.comparisons
        if all(c.analysis.headline == "paired" for c in comparisons):
            return "pairs"
        return f"{run_word(comparisons[0].plan.has_seeds)}s"

    @property
    def any_claim_chance(self) -> float:
        """The largest share of such series that make any claim when nothing has changed."""
        return sum(self.spends(member) for member in self.members)

    def spends(self, member: SeriesMember) -> float:
        """The chance that a member claims something when nothing has changed."""
        c = member.comparison
        return self.share.alpha if c is None else c.false_claims


# ── in words


def series_lines(series: SeriesResult, width: int = 80) -> list[Line]:
    """The series, no line wider than ``width`` columns (60 and more are meant): what it is, its
    table, each member's interval on one axis, and sentences."""
    width, drawing = max(width, 60), _drawing(series)
    lines = [*prose(series_heading(series), width), []]
    lines += _ranking(series, width)
    lines += [[], *figure_pieces(drawing, width)] if drawing.bars else []
    for text in series_sentences(series):
        lines += [[], *prose(text, width)]
    return lines


def series_heading(result: SeriesResult) -> str:
    """The series in one line: its members, baseline and seeds, as declared."""
    share, base = result.share, names.short_name(result.baseline)
    counts = sorted({n for c in result.comparisons for n in names.sample_sizes(c)})
    sizes = " to ".join(map(str, counts[:1] + counts[-1:] * (len(counts) > 1)))
    seeds = f"{sizes} {result.sample_word} each"
    if result.pairs_planned is not None:
        fewest, most = result.pairs_planned
        seeds = f"{fewest} to {most} pairs each, stopping when known"
    return f"{printable(share.id)}: {share.many} modifications against {base}, {seeds}"


def series_sentences(result: SeriesResult) -> list[str]:
    """The sentences that a reader of the table needs."""
    return [
        correction_sentence(result),
        "Ranked by the mean difference, the best first. Each interval is against the baseline, "
        "so it does not show that neighbors in the table differ.",
        *_caveats(result),
        *filter(None, map(facts.scope, result.comparisons[:1])),
    ]


def correction_sentence(result: SeriesResult) -> str:
    """How often one comparison, and the whole series, claims something by chance (Bonferroni), and
    the intervals' level where all share one."""
    each = " or ".join(sorted({f"{100 * result.spends(member):.3g}%" for member in result.members}))
    text = (
        f"Corrected for {result.share.many} comparisons (Bonferroni): with no true difference, "
        f"each claims one in at most {each} of studies, so at most "
        f"{difference_text.percent_text(result.any_claim_chance)} of such series claim anything."
    )
    levels = {difference_text.level_text(c.analysis) for c in result.comparisons}
    if len(levels) == 1:
        text += f" Each interval is a {levels.pop()} one"
        text += " at every look." if result.pairs_planned is not None else "."
    return text


def _caveats(result: SeriesResult) -> list[str]:
    """The caveats of single members, each said once with the members that it is about."""
    members_by_caveat: dict[str, list[str]] = {}
    for member in result.ranked:
        for fact in [] if member.comparison is None else facts.facts_of(member.comparison):
            if fact.part == "caveat":
                members_by_caveat.setdefault(fact.text, []).append(member.name)
    every = len(result.members)
    return [
        text if len(members) == every else f"{', '.join(members)}: {text}"
        for text, members in members_by_caveat.items()
    ]


def _ranking(result: SeriesResult, width: int) -> list[Line]:
    """The table: a row for each member, numbers to the right, and why there is no verdict below
    it."""
    rows: list[tuple[str, ...]] = [
        ("", "modification", "verdict", "difference", "interval", result.sample_word)
    ]
    for rank, member in enumerate(result.ranked, 1):
        c = member.comparison
        place = f"{rank}" if not member.why else ""
        cells = ("NO VERDICT", DASH, DASH, DASH if c is None else names.sample_number(c))
        if c is not None and not member.why:
            cells = (
                c.analysis.verdict.upper(),
                difference_text.mean_text(c.analysis),
                difference_text.interval_text(c.analysis),
                names.sample_number(c),
            )
        rows.append((place, cut(printable(member.name), NAME), *cells))
    first = 0 if any(row[0] for row in rows) else 1
    rows = [row[first:] for row in rows]
    sizes, words = column_sizes(rows), 3 - first
    lines: list[Line] = []
    for row, why in zip(rows, ["", *(member.why for member in result.ranked)], strict=True):
        lines.append([(row_text(row, sizes, range(words, len(sizes))), "")])
        lines += prose(why, width, indent="     ")
    return lines


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
                else layout.to_json(member.comparison),
            }
            for member in result.ranked
        ],
        "sentences": series_sentences(result),
    }
