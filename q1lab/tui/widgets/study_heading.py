"""The lab's first line: the study, and its progress or verdict."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.tui.snapshot_taker import StudyInFocus
from q1lab.tui.widgets.study_text import study_heading
from q1lab.tui.widgets.theme_colors import palette


class StudyHeading(Widget):
    """Leaves out the details that don't fit into its width."""

    view: reactive[StudyInFocus | None] = reactive(None)

    def render(self) -> Text:
        return (
            Text("")
            if self.view is None
            else study_heading(self.view, self.size.width, palette(self.app))
        )
