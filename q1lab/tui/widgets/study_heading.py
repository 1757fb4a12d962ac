"""The lab's first line: which study, how far it is or what it says."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.tui.snapshot_taker import StudyInFocus
from q1lab.tui.widgets.study_text import study_heading
from q1lab.tui.widgets.theme_colors import palette


class StudyHeading(Widget):
    """Fits itself to its width: details that have no room are left out."""

    view: reactive[StudyInFocus | None] = reactive(None)

    def render(self) -> Text:
        return (
            Text("")
            if self.view is None
            else study_heading(self.view, self.size.width, palette(self.app))
        )
