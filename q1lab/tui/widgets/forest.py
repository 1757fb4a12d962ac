"""The difference as bars on one axis: pair by pair while a study trains, with interval and verdict
when done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.index.view import RunView
from q1lab.study.states import State
from q1lab.tui.widgets.palette import Palette, palette
from q1lab.tui.widgets.words import signed

LABEL = 15
VERDICT_COLOURS = {"helps": "success", "hurts": "error"}


@dataclass(frozen=True)
class Bar:
    """One row: a point, or an interval with a point. ``role`` is a palette colour; ``fill`` draws
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


@dataclass(frozen=True)
class Forest:
    """All that the plot shows. Differences are modified − baseline in nats: lower is better."""

    title: str = ""
    verdict: str | None = None
    says: str = ""
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()


def so_far(
    runs: Sequence[RunView], planned: int, variant: str, baseline: str, needed: int = 3
) -> Forest:
    """Finished pairs while a study goes on. No mean and no interval: looking early invites stopping
    early."""
    pairs = finished_pairs(runs)
    bars = [Bar(f"pair {seed}", None, None, value, "modified") for seed, value in pairs]
    whole = planned >= needed
    if whole:
        notes = [f"no verdict before all {planned} planned pairs: looking early and stopping when it looks good "
                 "makes noise win."]  # fmt: skip
    else:
        notes = [f"{planned} {'pair says' if planned == 1 else 'pairs say'} too little: a verdict takes at least "
                 f"{needed}."]  # fmt: skip
    if not pairs:
        notes.insert(0, "no pair has finished yet.")
    return Forest(
        f"{len(pairs)} of {planned} pairs",
        None,
        f"{variant} − {baseline}",
        tuple(bars),
        tuple(notes),
    )


def finished_pairs(runs: Sequence[RunView]) -> list[tuple[int, float]]:
    """(seed, modified − baseline) for seeds that both arms have finished."""
    ends = {(run.arm, run.seed): run.val_loss for run in runs if run.state is State.FINISHED}
    found = []
    for (arm, seed), value in ends.items():
        other = ends.get(("modified", seed))
        if arm == "baseline" and value is not None and other is not None:
            found.append((seed, other - value))
    return sorted(found)


def of_record(record: Mapping[str, Any]) -> Forest:
    """The comparison of a finished study."""
    difference = record.get("difference") or {}
    paired = difference.get("headline") == "paired"
    interval = difference.get("paired" if paired else "welch") or {}
    boot = difference.get("bootstrap") or {}
    floor, delta = record.get("floor") or {}, record.get("delta")
    mean = difference.get("mean")
    bars: list[Bar] = []
    for seed, value in sorted(
        (difference.get("pairs") or {}).items(), key=lambda item: int(item[0])
    ):
        bars.append(Bar(f"pair {seed}", None, None, value, "modified", mark="○"))
    if interval.get("low") is not None:
        level = f"{100 * (1 - float(record.get('alpha') or 0.05)):.3g}%"
        note = f"{'paired' if paired else 'Welch'} t; it decides"
        bars.append(
            Bar(
                f"{level} interval",
                interval["low"],
                interval["high"],
                mean,
                "foreground",
                weight="bold",
                note=note,
            )
        )
    if boot.get("low") is not None:
        covers = boot.get("true_coverage")
        note = (
            f"covers {covers:.0f}%, not 95%"
            if covers is not None and covers < 94.5
            else "covers about 95%"
        )
        bars.append(Bar("bootstrap CI", boot["low"], boot["high"], mean, "muted", note=note))
    if floor.get("low") is not None:
        bars.append(
            Bar(
                "A/A floor",
                floor["low"],
                floor["high"],
                None,
                "baseline",
                "░",
                note="baseline against itself",
            )
        )
    if delta:
        bars.append(Bar("±δ", -delta, delta, None, "muted", "┄", note="too small to matter"))
    n = int(record.get("n") or 0)
    notes = [str(text) for text in (record.get("warnings") or ())[:1]]
    says = f"{record.get('variant')} − {record.get('baseline')}"
    if mean is not None:
        says += f" = {signed(mean)} nats"
    title = f"{n} {'pair' if n == 1 else 'pairs'}" if paired else f"{n} seeds an arm"
    return Forest(
        title, str(record.get("verdict") or "no verdict"), says, tuple(bars), tuple(notes)
    )


def draw(forest: Forest, width: int, colours: Palette) -> list[Text]:
    """The plot as lines of at most ``width`` cells (24 and up are meant)."""
    lines: list[Text] = []
    if forest.verdict is not None:
        role = VERDICT_COLOURS.get(
            forest.verdict, "warning" if forest.verdict == "cannot tell" else "foreground"
        )
        lines.append(Text(forest.verdict.upper(), style=f"bold {getattr(colours, role)}"))
    if forest.says:
        says = forest.says if len(forest.says) <= width else forest.says.removesuffix(" nats")
        lines.append(_cut(Text(says, style="bold" if forest.verdict else ""), width))
    if forest.bars:
        lines.append(_cut(Text(f"{forest.title}, lower is better", style=colours.muted), width))
        lines += _rows(forest.bars, width, colours)
    for note in forest.notes:
        lines += [Text(line, style=colours.muted) for line in wrap(note, width)]
    return lines


def _rows(bars: Sequence[Bar], width: int, colours: Palette) -> list[Text]:
    numbers = 8 if width >= 44 else 0
    columns = max(8, width - LABEL - numbers)
    ends = [value for bar in bars for value in (bar.low, bar.high, bar.point) if value is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = (high - low) * 0.06 or 0.005
    axis = _Axis(low - pad, high + pad, columns)
    lines = [Text(" " * LABEL + axis.labels(), style=colours.muted)]
    for bar in bars:
        line = Text(f"{bar.label[: LABEL - 1]:<{LABEL}}", style=bar.weight)
        style = f"{bar.weight} {getattr(colours, bar.role)}".strip()
        line.append(axis.bar(bar), style=style)
        if numbers and bar.point is not None and bar.low is None:
            line.append(f" {signed(bar.point, 4)}", style=colours.muted)
        lines.append(line)
        if bar.note:
            lines.append(_cut(Text(f"  {bar.note}", style=colours.muted), width))
    return lines


class _Axis:
    """Nats to columns, with 0 always on it."""

    def __init__(self, low: float, high: float, columns: int) -> None:
        self.low, self.high, self.columns = low, high, columns
        self.zero = self.at(0.0)

    def at(self, value: float) -> int:
        share = (value - self.low) / (self.high - self.low)
        return min(self.columns - 1, max(0, round(share * (self.columns - 1))))

    def bar(self, bar: Bar) -> str:
        cells = [" "] * self.columns
        cells[self.zero] = "│"
        if bar.low is not None and bar.high is not None:
            first, last = self.at(bar.low), self.at(bar.high)
            for column in range(first, last + 1):
                cells[column] = "┼" if column == self.zero and bar.fill == "─" else bar.fill
            if bar.fill == "─":
                cells[first], cells[last] = "├", "┤"
        elif bar.point is not None:
            first, last = sorted((self.zero, self.at(bar.point)))
            for column in range(first + 1, last):
                cells[column] = "·"
        if bar.point is not None:
            cells[self.at(bar.point)] = bar.mark
        return "".join(cells)

    def labels(self) -> str:
        size = 10.0 ** math.floor(math.log10((self.high - self.low) / 2))
        fits = max(2, self.columns // 9)
        step = next(
            size * m for m in (0.5, 1, 2, 5, 10, 20) if (self.high - self.low) / (size * m) <= fits
        )
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        cells = [" "] * self.columns
        for index in sorted(
            range(math.ceil(self.low / step), math.floor(self.high / step) + 1), key=abs
        ):
            text = "0" if index == 0 else signed(index * step, digits)
            start = min(max(0, self.at(index * step) - len(text) // 2), self.columns - len(text))
            if all(cell == " " for cell in cells[max(0, start - 1) : start + len(text) + 1]):
                cells[start : start + len(text)] = list(text)
        return "".join(cells)


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
