"""A figure of differences as lines for the app: pair by pair while a study trains, then with
interval and verdict. Layout only; rows, labels and caveats come from judgment/figure.py."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.ground.text_formats import pad_cells
from q1lab.judgment import table_text
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.character_axis import CharacterAxis
from q1lab.tui.widgets.study_text import TONES
from q1lab.tui.widgets.theme_colors import Palette, palette

LABEL = 16
"""Width of a row's label in cells; a longer one continues below, beside the line of 0."""
LOOKS = {
    "interval": ("foreground", "bold", "─", "●"),
    "bootstrap": ("muted", "", "─", "●"),
    "pairs": ("modified", "", "─", "○"),
    "floor": ("baseline", "", "╌", "●"),
    "delta": ("muted", "", "┄", "●"),
    "study": ("modified", "bold", "─", "●"),
}
"""A row's look by its kind: color, weight, the character that fills an interval, and a point's
character. Other kinds have no row: the verdict's text gives the prediction."""


def forest_lines(figure: Figure, width: int, colors: Palette) -> list[Text]:
    """The plot as lines of at most ``width`` cells (designed for 24 and more)."""
    lines: list[Text] = []
    if figure.word:
        role = TONES.get(figure.word.lower(), "foreground")
        lines.append(Text(figure.word, style=f"bold {getattr(colors, role)}"))
    lines += [Text(part, "bold" if figure.word else "") for part in wrap_lines(figure.title, width)]
    caveats = list(figure.caveats)
    if figure.bars:
        lines.append(_cut(Text(figure.basis, style=colors.muted), width))
        bars, left_out = _one_by_one(figure.bars)
        lines += _rows(bars, width, colors)
        caveats = [left_out, *caveats]
    for caveat in caveats:
        lines += [Text(line, style=colors.muted) for line in wrap_lines(caveat, width)]
    return lines


def _one_by_one(bars: Sequence[Bar]) -> tuple[list[Bar], str]:
    """The rows: one per pair (of many pairs, the first and last), then the intervals; and a
    sentence about the pairs left out."""
    pairs = [part for bar in bars for part in bar.parts]
    shown = table_text.pairs_shown({at: part.points[0] for at, part in enumerate(pairs)})
    others = [bar for bar in bars if bar.kind in LOOKS and not bar.parts]
    return [*(pairs[at] for at in shown), *others], table_text.folded_pairs_note(
        len(shown), len(pairs)
    )


def _rows(bars: Sequence[Bar], width: int, colors: Palette) -> list[Text]:
    numbers = 8 if width >= 44 else 0
    columns = max(8, width - LABEL - numbers)
    ends = [end for bar in bars for end in (bar.low, bar.high, *bar.points) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = (high - low) * 0.06 or 0.005
    axis = CharacterAxis(low - pad, high + pad, columns)
    lines = [Text(" " * LABEL + axis.ticks(), style=colors.muted)]
    for bar in bars:
        role, weight, fill, symbol = LOOKS[bar.kind]
        label, *more = wrap_lines(bar.label, LABEL - 1)
        line = Text(pad_cells(label, LABEL), style=weight)
        style = f"{weight} {getattr(colors, role)}".strip()
        before, zero, after = axis.around_zero(_bar_text(bar, axis, fill, symbol))
        line.append(before, style).append(zero, colors.muted).append(after, style)
        if numbers and bar.text:
            line.append(f" {bar.text}", style=colors.muted)
        lines.append(line)
        for rest in more:
            lines.append(Text(pad_cells(rest, LABEL), style=weight))
            lines[-1].append(axis.draw_row(lambda cells: None), style=colors.muted)
        note = " · ".join(filter(None, (" to ".join(bar.ends or ()), bar.note)))
        for part in note.splitlines():
            lines += [Text(f"  {text}", style=colors.muted) for text in wrap_lines(part, width - 2)]
    return lines


def _bar_text(bar: Bar, axis: CharacterAxis, fill: str, symbol: str) -> str:
    if bar.low is None or bar.high is None:
        return axis.points(bar.points, symbol, stem=True)
    edges = "├┤" if fill == "─" else fill * 2
    return axis.bar(bar.low, bar.high, bar.points[0] if bar.points else None, fill, edges, symbol)


def wrap_lines(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken between words."""
    return [line.plain.strip() for line in Content(text).wrap(max(10, width))] if text else []


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text


class ForestPlot(Widget):
    """Draws ``figure`` into its width, as high as needed."""

    figure: reactive[Figure] = reactive(Figure(), layout=True)

    def render(self) -> Text:
        return Text("\n").join(
            forest_lines(self.figure, max(24, self.size.width), palette(self.app))
        )
