"""A comparison as blocks, in the order in which it is read: headline, sentences, figure, tables,
notes.

Words and numbers are wording.py's. The terminal, the app, the documents, the page and the pictures
lay blocks out; what a comparison says is decided here. Pure: plain text, nothing marked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from q1lab.compare import wording
from q1lab.compare.scoring import predicted_difference
from q1lab.formats import DASH, count, duration, given, rough
from q1lab.study.studies import ARMS

if TYPE_CHECKING:
    from q1lab.compare.comparison import Comparison

Part = Literal["verdict", "power", "floor", "note", "prediction", "scope"]
Kind = Literal["interval", "bootstrap", "pairs", "floor", "delta", "prediction"]


@dataclass(frozen=True)
class Headline:
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
class Bar:
    """A row of the figure: an interval, or points, on the axis of differences. ``ends`` is
    how the interval's are written; ``text`` is the number of what has none."""

    kind: Kind
    label: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    points: tuple[float, ...] = ()
    ends: tuple[str, str] | None = None
    text: str = ""


@dataclass(frozen=True)
class Figure:
    """The intervals and every pair on one axis in which 0 is marked."""

    bars: tuple[Bar, ...]
    title: str


@dataclass(frozen=True)
class Row:
    """A row of numbers: the baseline's, the modified arm's, and what lies between them."""

    label: str
    baseline: str
    modified: str
    change: str


@dataclass(frozen=True)
class Table:
    """Numbers of both arms side by side, with a sentence below (empty without one)."""

    what: Literal["losses", "costs"]
    heads: tuple[str, str, str, str]
    rows: tuple[Row, ...]
    foot: str = ""


Block = Headline | Sentence | Figure | Table

COSTS: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
    ("parameters", "n_params", rough, ""),
    ("matmul FLOPs/token", "flops_per_token", rough, ""),
    ("tokens/s", "tokens_per_s", rough, ""),
    ("wall clock per run", "wall_s", duration, " (s)"),
)
"""What an arm costs: its name, the field of ``ArmResult``, how it is written in short, and what its
name needs besides where it is written in full."""


def report(c: Comparison, *, published: bool = False) -> tuple[Block, ...]:
    """Everything that is told of a comparison. ``published``: for a document that others read, with
    every seed, numbers in full, and nothing that is said to the learner alone."""
    found: list[Block] = [
        Headline(
            wording.word(c),
            c.verdict,
            wording.names(c),
            "" if c.mean is None else wording.mean(c) + c.metric.suffix,
            wording.seeds(c),
            c.metric.direction,
        ),
        Sentence("verdict", wording.verdict(c)),
        Figure(bars(c, published=published), c.metric.difference),
        Sentence("power", wording.power(c)),
        Sentence("floor", _floor(c)),
        losses(c, published=published),
        costs(c, published=published),
        *(Sentence("note", note) for note in wording.notes(c)),
        Sentence("prediction", wording.prediction(c)),
        Sentence("scope", wording.scope(c)),
    ]
    return tuple(block for block in found if not _is_empty(block))


def _is_empty(block: Block) -> bool:
    match block:
        case Sentence(text=text):
            return not text
        case Figure(bars=rows) | Table(rows=rows):
            return not rows
    return False


def bars(c: Comparison, *, published: bool = False) -> tuple[Bar, ...]:
    """The rows of the figure; none without a pair and an interval."""
    number = wording.numbers(c)
    if not c.pairs and c.ends is None:
        return ()
    mean = () if c.mean is None else (c.mean,)
    found = []
    if c.ends is not None:
        label, note = wording.interval_label(c), wording.interval_note(c)
        ends = number.ends(c.ends)
        found.append(Bar("interval", label, note, c.ends.low, c.ends.high, mean, ends))
    if c.bootstrap is not None:
        label, boot = wording.BOOTSTRAP_LABEL, c.bootstrap
        note = wording.bootstrap_note(c, c.n if published else None)
        ends = number.ends(boot.interval())
        found.append(Bar("bootstrap", label, note, boot.low, boot.high, mean, ends))
    if c.pairs:
        label = f"each of {len(c.pairs)} pairs" if len(c.pairs) > 1 else "1 pair"
        found.append(Bar("pairs", label, points=tuple(c.pairs.values())))
    if c.floor is not None:
        label, note = wording.FLOOR_LABEL, wording.floor_note(c)
        ends = number.end(c.floor.low), number.end(c.floor.high)
        found.append(Bar("floor", label, note, c.floor.low, c.floor.high, ends=ends))
    if c.delta:
        text = f"±{c.delta:g}"
        found.append(Bar("delta", wording.DELTA_LABEL, "", -c.delta, c.delta, text=text))
    predicted = predicted_difference(c.prediction) if c.prediction else None
    if predicted is not None:
        label, text = wording.prediction_label(c), given(predicted, sign=True)
        found.append(Bar("prediction", label, points=(predicted,), text=text))
    return tuple(found)


def _floor(c: Comparison) -> str:
    """Why the row of the baseline against itself may be wider than all pairs, where it is."""
    if c.floor is None or c.headline != "paired" or len(c.pairs) < 2:
        return ""
    apart = max(c.pairs.values()) - min(c.pairs.values())
    return wording.floor_why(c) if c.floor.high - c.floor.low > apart else ""


def losses(c: Comparison, *, published: bool = False) -> Table:
    """What every seed ended with, and the means; of many seeds the ends, unless ``published``."""
    number = wording.numbers(c)
    seeds = sorted({seed for arm in c.arms.values() for seed in arm.values})
    shown = seeds if published else wording.seeds_shown(c, seeds)
    rows = []
    for seed in shown:
        base, modified = (wording.loss_of(c, arm, seed) for arm in ARMS)
        rows.append(Row(f"seed {seed}", base, modified, wording.pair_of(c, seed)))
    arms = [c.arms[arm] for arm in ARMS]
    if len(seeds) > 1 and (published or any(arm.mean is not None for arm in arms)):
        base, modified = (number.loss(arm.mean) for arm in arms)
        rows.append(Row("mean", base, modified, wording.mean(c)))
        base, modified = (number.loss(arm.std) for arm in arms)
        rows.append(Row("sd", base, modified, ""))
    foot = wording.folded(len(shown), len(seeds)) if len(shown) < len(seeds) else ""
    base, modified = wording.names(c)
    return Table("losses", (c.metric.name, base, modified, "difference"), tuple(rows), foot)


def costs(c: Comparison, *, published: bool = False) -> Table:
    """What each arm cost; ``published``: to the last digit."""
    rows = []
    for label, key, in_short, more in COSTS:
        values = [getattr(c.arms[arm], key) for arm in ARMS]
        if not any(values):
            continue
        write = (lambda value: count(round(value))) if published else in_short
        base, modified = (DASH if value is None else write(value) for value in values)
        named = label + more if published else label
        rows.append(Row(named, base, modified, wording.change(c, key)))
    base, modified = wording.names(c)
    return Table(
        "costs", ("cost", base, modified, "change"), tuple(rows), wording.timing(c) if rows else ""
    )
