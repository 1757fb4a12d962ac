"""All studies, newest first: beside the lab where there is room, else in a dialog with a field for
words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from q1lab.index.view import StudyLine
from q1lab.tui.widgets.listing import WALK, OneClick
from q1lab.tui.widgets.palette import Palette, palette

MARKS = {
    "running": "▶",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "crashed": "!",
    "planned": "·",
    "unreadable": "✗",
}
TONES = {"running": "foreground", "finished": "success", "stopped": "warning", "planned": "muted"}


MOST = 150
"""Studies listed at most. A long list would take longer to lay out than to read."""


def about(line: StudyLine) -> str:
    """The words by which a study is found."""
    return " ".join(
        (
            line.id,
            line.variant,
            line.baseline,
            line.preset,
            line.data,
            line.state,
            line.created[:10],
        )
    )


def row(line: StudyLine, current: str | None, colors: Palette) -> Text:
    """A study in a line; the one that is looked at is marked."""
    tone = getattr(colors, TONES.get(line.state, "error"))
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▸" if line.id == current else " ", style="bold")
    text.append(f"{MARKS.get(line.state, '?')} ", style=tone)
    text.append(line.id, style="bold" if line.id == current else "")
    told = f"{line.done}/{line.total} {line.preset} {line.data}"
    told = "damaged" if line.problem else told
    text.append(f"  {told}", style=colors.muted)
    return text


class StudyList(OneClick, OptionList):
    """Fills itself again only where something changed; an option's id is its study's."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id, markup=False, compact=True)
        self._rows: dict[str, Text] = {}

    def show(self, lines: Sequence[StudyLine], current: str | None) -> None:
        """Show these, with the cursor on the current one while it is elsewhere."""
        colors = palette(self.app)
        rows = {line.id: row(line, current, colors) for line in lines[:MOST]}
        if list(rows) == list(self._rows):
            for study_id, text in rows.items():
                if text != self._rows[study_id]:
                    self.replace_option_prompt(study_id, text)
        else:
            self.set_options(_options(rows, len(lines) - MOST, colors))
        self._rows = rows
        if current in rows and not self.has_focus:
            self.highlighted = list(rows).index(current)


def _options(rows: dict[str, Text], more: int, colors: Palette) -> Iterable[Option]:
    for study_id, text in rows.items():
        yield Option(text, id=study_id)
    if more > 0:
        yield Option(Text(f"  {more:,} older: / finds them", style=colors.muted), disabled=True)
