"""All studies, newest first: beside the lab on a wide screen, else in a dialog with a search
field."""

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
"""States of a study that share the sign of a run state of another name."""

MOST = 150
"""At most this many studies are listed: laying out a long list takes longer than reading it."""


def search_text(row: StudyRow) -> str:
    """The text that a search for a study looks in."""
    return " ".join(
        (
            row.id,
            row.variant,
            row.baseline,
            row.preset,
            row.data,
            row.state,
            row.created[:10],
        )
    )


def study_row(row: StudyRow, current: str | None, colors: Palette) -> Text:
    """A study in a line; ``▸`` marks the one in focus."""
    state = AS_RUNS.get(row.state) or RunState(row.state)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("▸" if row.id == current else " ", style="bold")
    text.append(f"{STATE_SYMBOLS[state]} ", style=colors.state(state))
    text.append(row.id, style="bold" if row.id == current else "")
    details = f"{row.done}/{row.total} {row.preset} {row.data}"
    details = "damaged" if row.problem else details
    text.append(f"  {details}", style=colors.muted)
    return text


class StudyList(RefilledList):
    """The list of studies; an option's id is the study's id."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id, markup=False, compact=True)

    def show(self, studies: Sequence[StudyRow], current: str | None) -> None:
        """Show these studies; moves the cursor to the current one unless the list has the focus."""
        colors, more = palette(self.app), len(studies) - MOST
        options = [
            Option(study_row(study, current, colors), id=study.id) for study in studies[:MOST]
        ]
        if more > 0:
            words = Text(f"  {more:,} older: / finds them", style=colors.muted)
            options.append(Option(words, disabled=True))
        self.put(options)
        index = next((k for k, option in enumerate(options) if option.id == current), None)
        if index is not None and not self.has_focus:
            self.highlighted = index
