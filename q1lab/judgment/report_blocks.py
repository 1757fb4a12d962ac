"""A comparison as blocks, in the order in which it is read: headline, sentences, figure, tables,
notes.

Words and numbers come from the modules ``*_text``. The terminal, the app, the documents, the page
and the pictures lay blocks out; this module decides which blocks there are and in which order.
Pure: plain text, nothing marked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.judgment import (
    figure,
    label_text,
    level_sentences,
    prediction_text,
    scope_text,
    verdict_text,
)
from q1lab.judgment.arm_tables import cost_table, loss_table, means_table
from q1lab.judgment.blocks import Block, Figure, Sentence, Table
from q1lab.judgment.run_notes import OF_THE_LEVEL
from q1lab.judgment.short_text import headline_block

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def report_blocks(
    c: Judgment, *, published: bool = False, means_first: bool = False
) -> tuple[Block, ...]:
    """Everything that is told of a comparison. ``published``: for a document that others read, with
    every seed, numbers in full, and nothing that is said to the learner alone. ``means_first``: for
    a screen that is scrolled, with the mean and sd of each arm above the figure."""
    means = (means_table(c),) if means_first and c.has_means else ()
    blocks: list[Block] = [
        headline_block(c),
        Sentence("verdict", verdict_text.verdict_sentence(c, published=published)),
        Sentence("level", level_sentences.level_sentence(c)),
        *means,
        figure.comparison_figure(c, published=published),
        Sentence("power", verdict_text.power_sentence(c, published=published)),
        Sentence("floor", _floor(c)),
        loss_table(c, published=published, has_means=not means),
        cost_table(c, published=published),
        *(Sentence("note", text) for text in note_sentences(c, published=published)),
        Sentence("prediction", _prediction(c)),
        Sentence("record", level_sentences.record_sentence(c, published=published)),
        Sentence("scope", scope_text.scope_sentence(c)),
    ]
    return tuple(block for block in blocks if not _is_empty(block))


def note_sentences(c: Judgment, *, published: bool = False) -> list[str]:
    """The notes, a sentence or two each; the reasons for the level stand with the verdict."""
    notes = [note for note in c.notes if not isinstance(note, OF_THE_LEVEL)]
    return [note.sentence(c, published=published) for note in notes]


def _prediction(c: Judgment) -> str:
    """The prediction against the outcome; of an A/A test there is none to make."""
    return "" if c.subject.is_floor else prediction_text.prediction_sentence(c)


def _is_empty(block: Block) -> bool:
    match block:
        case Sentence(text=text):
            return not text
        case Figure(bars=rows) | Table(rows=rows):
            return not rows
    return False


def _floor(c: Judgment) -> str:
    """Why the row of the baseline against itself may be wider than all pairs, where it is."""
    pairs = c.analysis.pairs.values()
    if c.floor is None or c.analysis.headline != "paired" or len(pairs) < 2:
        return ""
    is_wider = c.floor.high - c.floor.low > max(pairs) - min(pairs)
    return label_text.floor_sentence(c) if is_wider else ""
