"""KPIs, papers, artifacts and the week's self-assessment on one screen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from q1lab.tui.keys import bindings
from q1lab.tui.screens.base import Page


class ProgressScreen(Page):
    """Filled later in this file's history."""

    page = "progress"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("progress")]
