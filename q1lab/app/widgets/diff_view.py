"""A unified diff as colored text: removed lines red, added ones green, as on the pages that are
shared, with Python syntax highlighted."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text
from textual.color import Color
from textual.widgets import Static

from q1lab.app.widgets.theme_colors import Palette, palette

SIGNS = ("+", "-", " ")
"""The first characters of a hunk's lines."""
WIDEST = 240
"""No ground is wider than this many cells: a longer line is a file that is no code."""
TEXT_SHARE = 0.3
"""The share of the text's color in those of the syntax."""
MOST_LINES = 2_000
"""Longer diffs are cut: they can't be read on a screen, and coloring them takes too long."""


class DiffView(Static):
    """Shows a diff in the colors of the app's theme."""

    def __init__(self, diff: str = "") -> None:
        super().__init__(markup=False, id="diff")
        self._diff = diff

    def on_mount(self) -> None:
        self._recolor()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolor())

    def _recolor(self) -> None:
        if self._diff:
            self.show(self._diff)

    def show(self, diff: str, colored: Text | None = None) -> None:
        """Show the diff in place of any words; ``colored``: what `diff_text` makes of it."""
        self._diff = diff
        self.update(colored or diff_text(diff, palette(self.app)))


def diff_text(diff: str, colors: Palette, wrap_at: int | None = None) -> Text:
    """The diff's lines, each changed one on a ground as wide as the widest: removed ones red, added
    ones green.

    The signs + and − stay in front, so that nothing is said by color alone. The text is data: no
    markup is read. With ``wrap_at`` it is prose, wrapped at so many cells.
    """
    lines = diff.splitlines()
    cut = len(lines) - MOST_LINES
    body = _body(lines[:MOST_LINES])
    spoken = [line[1:] if line[:1] in SIGNS else "" for line in body]
    share = 0.2 if colors.dark else 0.12  # the words' colors need a light ground to be read on
    looks = {
        "-": (f"bold {colors.error}", f"on {colors.tint(colors.error, share)}"),
        "+": (f"bold {colors.success}", f"on {colors.tint(colors.success, share)}"),
    }
    if wrap_at is None:
        painted = painted_python("\n".join(spoken), colors)
        width = min(WIDEST, 2 + max(map(cell_len, spoken), default=0))
    else:
        painted, width = [Text(line) for line in spoken], wrap_at
    out = Text(no_wrap=True, overflow="crop")
    for line, text in zip(body, painted, strict=False):  # the lexer may add an empty line
        sign = line[:1] or " "
        if sign not in SIGNS:
            out.append(line + "\n", style=colors.muted)
            continue
        of_sign, ground = looks.get(sign, (colors.muted, ""))
        if sign == " ":
            text = Text(text.plain, colors.muted)
        parts = [text]
        if wrap_at is not None:
            parts = list(text.wrap(Console(), max(8, width - 2))) or [text]
        for number, part in enumerate(parts):
            row = Text.assemble((f"{' ' if number else sign} ", of_sign), part)
            if ground:
                row.append(" " * (width - row.cell_len))
                row.stylize(ground)
            out.append_text(row).append("\n")
    if cut > 0:
        out.append(f"… {cut:,} more lines; `q1lab diff` shows them\n", style=colors.muted)
    return out


def painted_python(code: str, colors: Palette) -> list[Text]:
    """Lines of Python in the colors of their syntax, mixed with the text's color: they are read on
    colored grounds. What a theme paints red or green is in the accent's color: here those say which
    line was removed, and which one was added."""
    theme = "github-dark" if colors.dark else "default"
    text = Syntax("", "python", theme=theme, background_color="default").highlight(code)
    for span in text.spans:
        color = span.style.color if isinstance(span.style, Style) else None
        if color is None or color.triplet is None:
            continue
        red, green, blue = color.triplet
        if max(red, green) > blue + 40 and abs(red - green) > 40:
            text.stylize(colors.accent, span.start, span.end)
        else:
            text.stylize(_mixed(color.triplet.hex, colors.foreground), span.start, span.end)
    return list(text.split("\n", allow_blank=True))


@lru_cache
def _mixed(color: str, foreground: str) -> str:
    return Color.parse(color).blend(Color.parse(foreground), TEXT_SHARE).hex6


HEADS = ("diff --git ", "index ", "--- ", "+++ ", "new file mode ", "deleted file mode ")


def _body(lines: list[str]) -> list[str]:
    """The lines without file headers: the screen names the files elsewhere. Inside a hunk, a line
    that looks like a header is a changed line that itself begins with dashes or pluses."""
    body, in_hunk = [], False
    for line in lines:
        in_hunk = (in_hunk or line.startswith("@@")) and not line.startswith("diff --git ")
        if in_hunk or not line.startswith(HEADS):
            body.append(line)
    return body
