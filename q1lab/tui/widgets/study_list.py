"""All studies, newest first: beside the lab where there is room, else in a dialog with a field for
words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets.option_list import Option

from q1lab.index.study_view import StudyRow
from q1lab.study.run_states import STATE_SYMBOLS, RunState
from q1lab.tui.widgets.choice_list import WALK, RefilledList
from q1lab.tui.widgets.theme_colors import Palette, palette

AS_RUNS = {"planned": RunState.QUEUED, "unreadable": RunState.FAILED}
"""States of a study that look as a run's of another name; all others have the same name."""

MOST = 150
"""Studies listed at most. A long list would take longer to lay out than to read."""


def search_text(line: StudyRow) -> str:
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


def study_row(line: StudyRow, current: str | None, colors: Palette) -> Text:
    """A study in a line; the one that is looked at is marked."""
    state = AS_RUNS.get(line.state) or RunState(line.state)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▸" if line.id == current else " ", style="bold")
    text.append(f"{STATE_SYMBOLS[state]} ", style=colors.state(state))
    text.append(line.id, style="bold" if line.id == current else "")
    told = f"{line.done}/{line.total} {line.preset} {line.data}"
    told = "damaged" if line.problem else told
    text.append(f"  {told}", style=colors.muted)
    return text


class StudyList(RefilledList):
    """The studies; an option's id is its study's."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id, markup=False, compact=True)

    def show(self, lines: Sequence[StudyRow], current: str | None) -> None:
        """Show these, with the cursor on the current one while it is elsewhere."""
        colors, more = palette(self.app), len(lines) - MOST
        rows = [Option(study_row(line, current, colors), id=line.id) for line in lines[:MOST]]
        if more > 0:
            words = Text(f"  {more:,} older: / finds them", style=colors.muted)
            rows.append(Option(words, disabled=True))
        self.put(rows)
        here = next((k for k, one in enumerate(rows) if one.id == current), None)
        if here is not None and not self.has_focus:
            self.highlighted = here
