"""The blocks that tell a comparison, laid out for the width that there is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from q1lab.app.widgets.fitted_text import FittedText
from q1lab.app.widgets.theme_colors import palette
from q1lab.judgment.blocks import Block
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.terminal_text import block_lines, rich_lines

WIDEST = 116


class BlocksView(FittedText):
    """Shows ``blocks`` in the theme's colors."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 — Textual's own name
        super().__init__(self._lay, id)
        self.blocks: Sequence[Block] = ()

    def show(self, blocks: Sequence[Block]) -> None:
        """Show these blocks; does nothing if they are the same as before."""
        if blocks != self.blocks:
            self.blocks = blocks
            self._lay()

    def _lay(self) -> None:
        if self.room:
            lines = rich_lines(self.blocks, min(self.room, WIDEST), palette(self.app).styles)
            self.update(Text("\n").join(lines))

    def plain_text(self, width: int) -> str:
        """The blocks as plain text."""
        return "\n".join(plain_lines(block_lines(self.blocks, width))) + "\n"
