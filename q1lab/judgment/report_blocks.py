"""A comparison as blocks, in the order in which it is read: headline, sentences, figure, tables,
notes.

Words and numbers come from the modules ``*_text``. The terminal, the app, the documents, the page
and the pictures lay blocks out; this module decides which blocks there are and in which order.
Pure: plain text, nothing marked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from q1lab.ground.text_formats import DASH, grouped_number
from q1lab.judgment import (
    cost_columns,
    difference_text,
    figure,
    label_text,
    level_text,
    prediction_text,
    scope_text,
    short_text,
    table_text,
    verdict_text,
)
from q1lab.judgment.figure import Figure
from q1lab.judgment.run_notes import OF_THE_LEVEL
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment

Part = Literal[
    "short", "verdict", "level", "power", "floor", "note", "prediction", "record", "scope"
]


@dataclass(frozen=True)
class HeadlineBlock:
    """The verdict in capitals, the arms, and the mean difference with its unit (empty without
    one)."""

    word: str
    verdict: str
    names: tuple[str, str]
    mean: str
    seeds: str
    better: str


@dataclass(frozen=True)
class Sentence:
    """One thing that is said, a sentence or a few."""

    part: Part
    text: str


@dataclass(frozen=True)
class TableRow:
    """A row of numbers: the baseline's, the modified arm's, and what lies between them."""

    label: str
    baseline: str
    modified: str
    change: str


@dataclass(frozen=True)
class Table:
    """Numbers of both arms side by side, with a sentence below (empty without one)."""

    kind: Literal["losses", "costs"]
    heads: tuple[str, str, str, str]
    rows: tuple[TableRow, ...]
    foot: str = ""


Block = HeadlineBlock | Sentence | Figure | Table


def report_blocks(
    c: Judgment, *, published: bool = False, means_first: bool = False
) -> tuple[Block, ...]:
    """Everything that is told of a comparison. ``published``: for a document that others read, with
    every seed, numbers in full, and nothing that is said to the learner alone. ``means_first``: for
    a screen that is scrolled, with the mean and sd of each arm above the figure, too."""
    blocks: list[Block] = [
        _headline(c),
        Sentence("verdict", verdict_text.verdict_sentence(c, published=published)),
        Sentence("level", level_text.level_sentence(c)),
        *(means_table(c) if means_first else ()),
        figure.comparison_figure(c, published=published),
        Sentence("power", verdict_text.power_sentence(c, published=published)),
        Sentence("floor", _floor(c)),
        loss_table(c, published=published),
        cost_table(c, published=published),
        *(Sentence("note", text) for text in note_sentences(c, published=published)),
        Sentence("prediction", prediction_text.prediction_sentence(c)),
        Sentence("record", level_text.record_sentence(c, published=published)),
        Sentence("scope", scope_text.scope_sentence(c)),
    ]
    return tuple(block for block in blocks if not _is_empty(block))


def note_sentences(c: Judgment, *, published: bool = False) -> list[str]:
    """The notes, a sentence or two each; the reasons for the level stand with the verdict."""
    notes = [note for note in c.notes if not isinstance(note, OF_THE_LEVEL)]
    return [note.sentence(c, published=published) for note in notes]


def short_blocks(c: Judgment) -> tuple[Block, ...]:
    """The short form, six lines at most: the headline, what decides, and where the rest is."""
    lines = (*short_text.short_sentences(c), short_text.rest_line(c))
    return (_headline(c), *(Sentence("short", text) for text in lines))


def means_table(c: Judgment) -> tuple[Table, ...]:
    """The mean and sd of each arm of a study of model files that has a verdict."""
    own_loop = c.subject.are_model_files and c.subject.is_ours
    if not own_loop or c.analysis.reason is not None:
        return ()
    return (Table("losses", _loss_heads(c), _mean_and_sd(c)),)


def _loss_heads(c: Judgment) -> tuple[str, str, str, str]:
    return (c.metric.name, *label_text.arm_names(c), "difference")


def _headline(c: Judgment) -> HeadlineBlock:
    return HeadlineBlock(
        label_text.verdict_word(c),
        c.analysis.verdict,
        label_text.arm_names(c),
        "" if c.analysis.mean is None else difference_text.mean_text(c.analysis) + c.metric.suffix,
        label_text.sample_text(c),
        c.metric.direction,
    )


def _is_empty(block: Block) -> bool:
    match block:
        case Sentence(text=text):
            return not text
        case Figure(bars=rows) | Table(rows=rows):
            return not rows
    return False


def _floor(c: Judgment) -> str:
    """Why the row of the baseline against itself may be wider than all pairs, where it is."""
    analysis = c.analysis
    if c.floor is None or analysis.headline != "paired" or len(analysis.pairs) < 2:
        return ""
    pair_range = max(analysis.pairs.values()) - min(analysis.pairs.values())
    return label_text.floor_sentence(c) if c.floor.high - c.floor.low > pair_range else ""


def loss_table(c: Judgment, *, published: bool = False) -> Table:
    """The final value of every seed, and the means; the ends of many seeds unless ``published``."""
    seeds = sorted({seed for arm in c.arms.values() for seed in arm.values})
    shown = seeds if published else table_text.seeds_shown(c, seeds)
    rows = []
    for seed in shown:
        base, modified = (table_text.loss_cell(c, arm, seed) for arm in ARMS)
        name = c.subject.plan.run_label(seed)
        rows.append(TableRow(name, base, modified, table_text.difference_cell(c, seed)))
    arms = [c.arms[arm] for arm in ARMS]
    if len(seeds) > 1 and (published or any(arm.mean is not None for arm in arms)):
        rows += _mean_and_sd(c)
    foot = table_text.folded_note(c, len(shown), len(seeds)) if len(shown) < len(seeds) else ""
    return Table("losses", _loss_heads(c), tuple(rows), foot)


def _mean_and_sd(c: Judgment) -> tuple[TableRow, TableRow]:
    number, arms = difference_text.number_writer(c.analysis), [c.arms[arm] for arm in ARMS]
    base, modified = (number.loss(arm.mean) for arm in arms)
    mean = TableRow("mean", base, modified, difference_text.mean_text(c.analysis))
    base, modified = (number.loss(arm.std) for arm in arms)
    return mean, TableRow("sd", base, modified, "")


def cost_table(c: Judgment, *, published: bool = False) -> Table:
    """The cost of each arm; ``published``: to the last digit."""
    rows = []
    for column in cost_columns.COST_COLUMNS:
        values = [c.arms[arm].costs.get(column.key) for arm in ARMS]
        if not any(values):
            continue
        write = (lambda value: grouped_number(round(value))) if published else column.write
        base, modified = (DASH if value is None else write(value) for value in values)
        label = column.label + column.unit if published else column.label
        rows.append(TableRow(label, base, modified, table_text.cost_change(c, column.key)))
    base, modified = label_text.arm_names(c)
    return Table(
        "costs",
        ("cost", base, modified, "change"),
        tuple(rows),
        table_text.timing_note(c) if rows else "",
    )
