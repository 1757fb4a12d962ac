"""A part's text. Markdown is parsed after the first paint: its parser costs more than the rest of
the screen."""

from __future__ import annotations

from typing import Any

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from q1lab.week.model import Part, Text


class Reading(VerticalScroll):
    """The open text, with folded answers in their place."""

    def __init__(self) -> None:
        super().__init__(id="reading")
        self.begun = False
        """Whether the first text was asked for."""
        self._shown: tuple[object, ...] = ()

    async def fill(self, part: Part) -> None:
        """Show a part's text, from its top; nothing moves when it is the part that is shown
        already."""
        wanted = (part.id, *part.texts)
        if wanted == self._shown:
            return
        self._shown = wanted
        from textual.widgets import Collapsible, Markdown

        pieces: list[Widget] = []
        open_text: list[str] = []
        for block in part.texts:
            if isinstance(block, Text):
                open_text.append(block.markdown)
                continue
            if open_text:
                pieces.append(Markdown("\n\n".join(open_text), open_links=False))
                open_text = []
            answer = Markdown(block.markdown, open_links=False)
            title: Any = Content(block.title)  # never parsed as markup
            pieces.append(Collapsible(answer, title=title))
        if open_text:
            pieces.append(Markdown("\n\n".join(open_text), open_links=False))
        if not pieces:
            pieces.append(
                Static("Nothing to read here: the checklist below is all.", classes="muted")
            )
        await self.remove_children()
        if not self.is_attached or not self.is_mounted:  # the app was left in the meantime
            return
        await self.mount(*pieces)
        self.scroll_home(animate=False)

    def unfold(self) -> None:
        """Open all folds; when all are open, fold them again."""
        from textual.widgets import Collapsible

        folds = list(self.query(Collapsible))
        closed = any(fold.collapsed for fold in folds)
        for fold in folds:
            fold.collapsed = not closed
