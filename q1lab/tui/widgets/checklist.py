"""A part's checklist: its steps, and the actions that a learner can press."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from q1lab.tui.widgets.week_tree import Filled, cut
from q1lab.week.model import Action, Part, Step
from q1lab.week.progress import Progress

Row = Step | Action

KIND_WORDS = {
    "write": "e  write",
    "predict": "e  predict",
    "choose": "e  choose",
    "recall": "e  answer",
}
ACTION_WORDS = {"run": "train", "open": "open", "check": "check", "command": "do it"}


def rows_of(part: Part) -> list[Row]:
    """Steps and actions in the order of the text; a step's own actions follow it."""
    rows: list[Row] = []
    for block in part.blocks:
        if isinstance(block, Step):
            rows += [block, *block.actions]
        elif isinstance(block, Action):
            rows.append(block)
    return rows


class Checklist(Filled):
    """One row a step or action. The screen reads ``current`` and decides what keys do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "screen.read(-1)", "text up", show=False),
        Binding("pagedown", "screen.read(1)", "text down", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="checklist", markup=False)
        self.rows: list[Row] = []
        self._part: str | None = None
        self._prompts: list[Content] = []

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        index = self.highlighted
        return self.rows[index] if index is not None and index < len(self.rows) else None

    def fill(self, part: Part, progress: Progress, at: str | None = None) -> None:
        """Show a part's rows. The cursor goes to step ``at``, or stays where it is in the same
        part."""
        self.refill = partial(self.fill, part, progress)
        rows = rows_of(part)
        width = self.room or 80  # before the first layout nobody knows
        prompts = [self._prompt(row, progress, width) for row in rows]
        fresh = part.id != self._part or [_key(r) for r in rows] != [_key(r) for r in self.rows]
        self.rows, self._part = rows, part.id
        if fresh:
            self.set_options([Option(prompt) for prompt in prompts])
            if rows and at is None:
                at = next(
                    (r.id for r in rows if isinstance(r, Step) and not progress.of(r.id).done), None
                )
            self.highlighted = 0 if rows else None
        elif prompts != self._prompts:
            for index, prompt in enumerate(prompts):
                self.replace_option_prompt_at_index(index, prompt)
        self._prompts = prompts
        # Its own lines and the rule above them: left to "auto", the list keeps the height of an
        # earlier wrap.
        self.styles.height = 1 + sum(prompt.plain.count("\n") + 1 for prompt in prompts)
        if at is not None:
            where = [i for i, row in enumerate(rows) if isinstance(row, Step) and row.id == at]
            self.highlighted = where[0] if where else self.highlighted

    def _prompt(self, row: Row, progress: Progress, width: int) -> Content:
        if isinstance(row, Action):
            nested = any(isinstance(one, Step) and row in one.actions for one in self.rows)
            mark, tone = ("   → " if nested else " → "), "$accent"
            right, text = f"r  {ACTION_WORDS[row.kind]}", row.title
        else:
            record = progress.of(row.id)
            mark = " ✓ " if record.done else " ☐ "
            tone = "$success" if record.done else ""
            right = KIND_WORDS.get(row.kind, "")
            if record.answer:
                right = f"e  {len(record.answer.split())} words" if row.kind == "write" else right
            text = row.title + (" (optional)" if row.optional else "")
        room = max(8, width - cell_len(mark) - cell_len(right) - 2)
        lines = wrap(text, room)
        first = Content.assemble(
            (mark, tone), (lines[0], tone if isinstance(row, Action) else ""),
            " " * max(1, width - cell_len(mark) - cell_len(lines[0]) - cell_len(right)), (right, "$muted"),
        )  # fmt: skip
        rest = [Content(" " * cell_len(mark) + text) for text in lines[1:]]
        return Content("\n").join([first, *rest])


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells, broken at spaces; at least one line."""
    lines, now = [], ""
    for word in text.split():
        both = f"{now} {word}".strip()
        if cell_len(both) <= width or not now:
            now = both
        else:
            lines.append(now)
            now = word
    return [cut(one, width) for one in [*lines, now]]


def _key(row: Row) -> tuple[str, str]:
    return ("step", row.id) if isinstance(row, Step) else (row.kind, row.title)
