"""The difference as bars on one axis: pair by pair while a study trains, with interval and verdict
when done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.compare import wording
from q1lab.compare.axis import Axis
from q1lab.compare.comparison import Comparison
from q1lab.compare.stats import MIN_FOR_VERDICT
from q1lab.formats import MINUS, signed
from q1lab.index.view import RunView
from q1lab.study.design import Design
from q1lab.study.states import State
from q1lab.study.studies import Study
from q1lab.tui.widgets.palette import Palette, palette
from q1lab.tui.widgets.study_words import TONES

LABEL = 16  # a level has up to four digits: "98.75% interval"


@dataclass(frozen=True)
class Bar:
    """One row: a point, or an interval with a point. ``role`` is a palette color; ``fill`` draws
    the inside."""

    label: str
    low: float | None
    high: float | None
    point: float | None
    role: str
    fill: str = "─"
    mark: str = "●"
    weight: str = ""
    note: str = ""
    text: str = ""
    """The number of a point, beside it."""


@dataclass(frozen=True)
class Forest:
    """All that the plot shows. Differences are modified − baseline."""

    title: str = ""
    verdict: str | None = None
    says: str = ""
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()


def so_far(study: Study, runs: Sequence[RunView]) -> Forest:
    """Finished pairs of ``runs`` while their study goes on. No mean and no interval: looking
    early invites stopping early; but for a design that declares its looks, which are paid for, the
    interval after each."""
    planned, design = len(study.seeds), study.design
    pairs = dict(finished_pairs(runs))
    shown = wording.pairs_shown(pairs)
    bars = _of_pairs(pairs, shown, signed)
    if design.level is not None:
        bars += _narrowing(design, _first_pairs(runs, pairs))
        notes = [wording.declared(*design.pairs, design.level)]
    elif planned >= MIN_FOR_VERDICT:
        notes = [wording.not_yet(planned)]
    else:
        notes = [wording.too_few(planned)]
    if not pairs:
        notes.insert(0, "No pair has finished yet.")
    elif planned >= MIN_FOR_VERDICT and len(pairs) == planned:
        notes = ["All pairs have finished; the comparison is being computed."]
    if folded := wording.folded_pairs(len(shown), len(pairs)):
        notes.insert(0, folded)
    return Forest(
        f"{len(pairs)} of {planned} pairs, {study.metric.direction}",
        None,
        f"{study.variant} {MINUS} {study.baseline}",
        tuple(bars),
        tuple(notes),
    )


def _of_pairs(
    pairs: Mapping[int, float], shown: Iterable[int], write: Callable[[float], str], mark: str = "●"
) -> list[Bar]:
    return [
        Bar(f"pair {k}", None, None, pairs[k], "modified", mark=mark, text=write(pairs[k]))
        for k in shown
    ]


def _first_pairs(runs: Sequence[RunView], pairs: Mapping[int, float]) -> list[float]:
    """The differences of the first pairs, up to the first seed whose pair has not finished."""
    seeds = dict.fromkeys(run.seed for run in runs)
    return [pairs[seed] for seed in takewhile(pairs.__contains__, seeds)]


def _narrowing(design: Design, values: Sequence[float]) -> list[Bar]:
    """The interval after each pair at which the design declares a look: it may be seen, since each
    look is paid for."""
    found = []
    for n in range(design.pairs[0], len(values) + 1):
        ends = design.interval_at(values[:n])
        if ends is not None:
            mean = sum(values[:n]) / n
            found.append(Bar(f"after {n} pairs", *ends, mean, "foreground", weight="bold"))
    return found


def finished_pairs(runs: Sequence[RunView]) -> list[tuple[int, float]]:
    """(seed, modified − baseline) for seeds that both arms have finished."""
    ends = {(run.arm, run.seed): run.val_loss for run in runs if run.state is State.FINISHED}
    found = []
    for (arm, seed), value in ends.items():
        other = ends.get(("modified", seed))
        if arm == "baseline" and value is not None and other is not None:
            found.append((seed, other - value))
    return sorted(found)


def of_record(c: Comparison) -> Forest:
    """The comparison of a finished study."""
    number = wording.numbers(c)
    shown = wording.pairs_shown(c.pairs)
    bars = _of_pairs(c.pairs, shown, number, "○")
    if c.ends is not None:
        label = f"{wording.level(c)} interval"
        note = f"{wording.between(c)} ({wording.method(c.headline)}){wording.decides(c)}"
        ends = (c.ends.low, c.ends.high)
        bars.append(Bar(label, *ends, c.mean, "foreground", weight="bold", note=note))
    if c.bootstrap is not None:
        ends, note = (c.bootstrap.low, c.bootstrap.high), wording.bootstrap_note(c)
        bars.append(Bar("bootstrap CI", *ends, c.mean, "muted", note=note))
    if c.floor is not None:
        ends = (c.floor.low, c.floor.high)
        note = f"{wording.FLOOR_LABEL}, {wording.floor_note(c)}"
        bars.append(Bar("against itself", *ends, None, "baseline", "╌", note=note))
    if c.delta:
        bars.append(Bar("±δ", -c.delta, c.delta, None, "muted", "┄", note=wording.DELTA_LABEL))
    notes = wording.notes(c)[:1] if c.reason is None else [wording.reason(c)]
    if folded := wording.folded_pairs(len(shown), len(c.pairs)):
        notes.append(folded)
    base, modified = wording.names(c)
    says = f"{modified} {MINUS} {base}"
    if c.mean is not None:
        says += f" = {wording.mean(c)}{c.metric.suffix}"
    title = f"{wording.seeds(c)}, {c.metric.direction}"
    return Forest(title, wording.word(c).lower(), says, tuple(bars), tuple(notes))


def draw(forest: Forest, width: int, colors: Palette) -> list[Text]:
    """The plot as lines of at most ``width`` cells (24 and up are meant)."""
    lines: list[Text] = []
    if forest.verdict is not None:
        role = TONES.get(forest.verdict, "foreground")
        lines.append(Text(forest.verdict.upper(), style=f"bold {getattr(colors, role)}"))
    if forest.says:
        lines += [Text(part, "bold" if forest.verdict else "") for part in wrap(forest.says, width)]
    if forest.bars:
        lines.append(_cut(Text(forest.title, style=colors.muted), width))
        lines += _rows(forest.bars, width, colors)
    for note in forest.notes:
        lines += [Text(line, style=colors.muted) for line in wrap(note, width)]
    return lines


def _rows(bars: Sequence[Bar], width: int, colors: Palette) -> list[Text]:
    numbers = 8 if width >= 44 else 0
    columns = max(8, width - LABEL - numbers)
    ends = [value for bar in bars for value in (bar.low, bar.high, bar.point) if value is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = (high - low) * 0.06 or 0.005
    axis = Axis(low - pad, high + pad, columns)
    lines = [Text(" " * LABEL + axis.ticks(), style=colors.muted)]
    for bar in bars:
        line = Text(f"{bar.label[: LABEL - 1]:<{LABEL}}", style=bar.weight)
        style = f"{bar.weight} {getattr(colors, bar.role)}".strip()
        line.append(_drawn(bar, axis), style=style)
        if numbers and bar.text:
            line.append(f" {bar.text}", style=colors.muted)
        lines.append(line)
        for note in bar.note.splitlines():
            lines += [Text(f"  {part}", style=colors.muted) for part in wrap(note, width - 2)]
    return lines


def _drawn(bar: Bar, axis: Axis) -> str:
    if bar.low is not None and bar.high is not None:
        edges = "├┤" if bar.fill == "─" else bar.fill * 2
        return axis.bar(bar.low, bar.high, bar.point, bar.fill, edges, bar.mark)
    return axis.points([] if bar.point is None else [bar.point], bar.mark, stem=True)


def wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(10, width))


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text


class ForestPlot(Widget):
    """Draws ``forest`` into its width; as high as it needs."""

    forest: reactive[Forest] = reactive(Forest(), layout=True)

    def render(self) -> Text:
        return Text("\n").join(draw(self.forest, max(24, self.size.width), palette(self.app)))
