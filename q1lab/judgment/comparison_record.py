"""A comparison for programs: the record of ``compare --json``, and the columns of a CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from q1lab.judgment.difference_text import interval_text, level_text
from q1lab.judgment.label_text import interval_label
from q1lab.judgment.level_sentences import level_sentence, record_sentence
from q1lab.judgment.report_blocks import note_sentences
from q1lab.judgment.short_text import short_sentences
from q1lab.judgment.verdict_text import verdict_sentence

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def verdict_columns(c: Judgment) -> dict[str, Any]:
    """The comparison in a table of runs: one value per column, unrounded; None where there is
    none."""
    analysis = c.analysis
    return {
        "verdict": analysis.verdict,
        "level": level_text(analysis) if analysis.ends is not None else None,
        "pairs": len(analysis.pairs),
        "difference": analysis.mean,
        "low": analysis.ends.low if analysis.ends is not None else None,
        "high": analysis.ends.high if analysis.ends is not None else None,
    }


def comparison_json(c: Judgment) -> dict[str, Any]:
    """The record of ``compare --json``: every fact, and the sentences about them."""
    return {
        **c.facts(),
        "sentence": verdict_sentence(c),
        "short": list(short_sentences(c)),
        "interval": {"name": interval_label(c.analysis), "between": interval_text(c.analysis)},
        "level_sentence": level_sentence(c),
        "record_sentence": record_sentence(c),
        "warnings": note_sentences(c),
        "caveats": [note.sentence(c) for note in c.notes if note.may_explain],
    }
