"""The pieces of a page of the week: text, folds, steps and actions. Each lays itself out for its
width; the cursor can stand on all but plain text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from q1lab.ground.files import printable
from q1lab.tui.pages import WeekPage
from q1lab.tui.widgets import markdown_layout
from q1lab.week.progress import StepState
from q1lab.week.syllabus import Action, Fold, Step, Text

INDENT = 5
"""Cells before a step's words: a blank, the cursor, a blank, the sign, a blank."""

STARTS = {"run": "train", "open": "open", "check": "check"}
"""The word for Enter on an action, by the action's kind; other kinds say ``do it``."""
ANSWER_LINES = 4
"""At most this many lines of an answer are shown; the form shows all of it."""


class Piece(Widget):
    """A block of a page. ``lines(width)`` lays it out; ``changed`` makes it lay out again."""

    stop = True
    """True if the cursor can stand on it."""

    class Pressed(Message):
        """Clicked; ``chain`` counts clicks in a row."""

        def __init__(self, piece: Piece, chain: int) -> None:
            super().__init__()
            self.piece = piece
            self.chain = chain

    _laid_out: tuple[int, list[Content]] | None = None

    @property
    def has_cursor(self) -> bool:
        """True if the cursor is on it."""
        return self.has_class("-here")

    def lines(self, width: int) -> Sequence[Content]:
        """The piece in lines of at most ``width`` cells."""
        raise NotImplementedError

    def links(self) -> list[tuple[int, str, str]]:
        """Its links as (line, words, address), without those to the glossary, which has a key."""
        return [
            (number, line.plain[span.start : span.end], url)
            for number, line in enumerate(self._lines(self.content_size.width))
            for span in line.spans
            if (url := markdown_layout.link_address(span))
            and not markdown_layout.glossary_word(url)
        ]

    def forget_lines(self) -> None:
        """Lay out again when the piece is drawn next."""
        self._laid_out = None

    def changed(self) -> None:
        self.forget_lines()
        self.refresh(layout=True)

    def _lines(self, width: int) -> list[Content]:
        if self._laid_out is None or self._laid_out[0] != width:
            self._laid_out = (width, list(self.lines(width)))
        return self._laid_out[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def on_click(self, event: events.Click) -> None:
        if self.stop and "url" not in event.style.meta:  # a link opens, and enters nothing
            self.post_message(self.Pressed(self, event.chain))

    def head(
        self, sign: str, tone: str, words: str, right: str, width: int, bold: str
    ) -> list[Content]:
        """The piece's heading: cursor, sign and words, and Enter's action at the right edge."""
        room = max(8, width - INDENT - cell_len(right) - 2)
        first, *rest = markdown_layout.wrap_content(Content.styled(words, bold), room)
        gap = " " * max(1, width - INDENT - first.cell_length - cell_len(right) - 1)
        lead = ("▸" if self.has_cursor else " ", "bold $primary")
        line = Content.assemble(
            " ",
            lead,
            " ",
            (f"{sign} ", tone),
            first,
            gap,
            (right, "$foreground" if self.has_cursor else "$muted"),
        )
        return [line, *(Content.assemble(" " * INDENT, line) for line in rest)]


class Prose(Piece):
    stop = False

    def __init__(self, markdown: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.markdown = markdown

    def show(self, markdown: str) -> None:
        self.markdown = markdown
        self.changed()

    def lines(self, width: int) -> Sequence[Content]:
        return markdown_layout.lay_out_markdown(self.markdown, width)


class FoldPiece(Piece):
    """Text that stays folded until the learner opens it."""

    def __init__(self, fold: Fold) -> None:
        super().__init__()
        self.fold = fold
        self.open = False
        self.at = 0
        """The frame that a figure shows."""
        self.wants = ""
        """The step that must be done first, as the page names it; empty if none is open."""

    def toggle(self) -> None:
        self.open = not self.open and not self.wants
        self.changed()

    def turn(self, by: int) -> None:
        """Show the next or previous frame of a figure; stops at either end."""
        at = min(max(0, self.at + by), len(self.fold.frames) - 1)
        if self.open and self.fold.frames and at != self.at:
            self.at = at
            self.changed()

    def lines(self, width: int) -> Sequence[Content]:
        right = "locked" if self.wants else "enter  fold" if self.open else "enter  unfold"
        head = self.head(
            "−" if self.open else "+",
            "$accent",
            printable(self.fold.title),
            right,
            width,
            "$accent",
        )
        if self.wants:
            reason = Content.styled(f"first {printable(self.wants)}", "$muted")
            head += [
                Content.assemble(" " * INDENT, line)
                for line in markdown_layout.wrap_content(reason, width - INDENT - 1)
            ]
        if not self.open:
            return head
        body = list(markdown_layout.lay_out_markdown(self.fold.markdown, width - INDENT - 1))
        if frames := self.fold.frames:
            where = f"   ← →   {self.at + 1} of {len(frames)}"
            title, *picture = printable(frames[self.at]).split("\n")
            room = max(len(frame.split("\n")) for frame in frames) - len(picture) - 1
            body += [Content(""), Content.assemble((title, "bold"), (where, "$muted"))]
            body += [Content(line) for line in (*picture, *[""] * room)]
        return [*head, *(Content.assemble(" " * INDENT, line) for line in body)]


class StepPiece(Piece):
    """A step in full: its title, its detail, and the learner's answer."""

    def __init__(self, step: Step, record: StepState) -> None:
        super().__init__()
        self.step = step
        self.record = record

    def show(self, step: Step, record: StepState) -> None:
        if (step, record) != (self.step, self.record):
            self.step, self.record = step, record
            self.changed()

    @property
    def enter(self) -> str:
        """Enter's action here, in a word."""
        step, kind = self.step, self.step.behavior
        if kind.form:
            return kind.enter_again if kind.enter_again and self.record.answer else kind.enter
        if step.ticking_form is not None:
            return "fill in"
        if step.actions:
            several = len(step.actions) > 1
            return "to the rows" if several else STARTS.get(step.actions[0].kind, "do it")
        return "untick" if self.record.done else kind.enter

    def lines(self, width: int) -> Sequence[Content]:
        step, done = self.step, self.record.done
        words = printable(step.title) + (" (optional)" if step.optional else "")
        plainly = self.enter in ("tick", "untick")
        right = f"enter  {self.enter}" if self.has_cursor or not plainly else ""
        if step.minutes and not done:
            right = f"{step.minutes} min" + (f" · {right}" if right else "")
        tone = "$success" if done else ""
        shown = self.head("✓" if done else "☐", tone, words, right, width, tone if done else "bold")
        body = (
            list(markdown_layout.lay_out_markdown(printable(step.detail), width - INDENT - 1))
            if step.detail
            else []
        )
        if done:
            body = [line.stylize_before("$muted") for line in body]
        lost = markdown_layout.wrap_content(
            Content.styled(f"! {self.record.lost}", "$warning"), width - INDENT - 1
        )
        below = [*(lost if self.record.lost and not done else ()), *body, *self._answer(width)]
        return shown + [Content.assemble(" " * INDENT, line) for line in below]

    def _answer(self, width: int) -> list[Content]:
        if self.step.behavior.answer_below:
            fold = self.step.answer
            return (
                list(markdown_layout.lay_out_markdown(fold.markdown, width - INDENT - 1))
                if fold and self.record.done
                else []
            )
        answer = (self.record.answer or "").strip()
        if not answer or self.step.behavior.chooses:
            return [Content.assemble(("yours: ", "$success"), answer)] if answer else []
        words = Content.assemble(("yours: ", "$success"), " ".join(printable(answer).split()))
        lines = markdown_layout.wrap_content(words, width - INDENT - 1)
        if len(lines) <= ANSWER_LINES:
            return lines
        more = f"… {len(answer.split())} words in all; Enter shows them"
        return [*lines[: ANSWER_LINES - 1], Content.styled(more, "$muted")]


class ActionPiece(Piece):
    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action

    def show(self, action: Action) -> None:
        if action != self.action:
            self.action = action
            self.changed()

    def lines(self, width: int) -> Sequence[Content]:
        right = f"enter  {STARTS.get(self.action.kind, 'do it')}"
        lines = self.head("→", "$accent", printable(self.action.title), right, width, "$accent")
        same = text_of_action(self.action)
        if not same or same == self.action.title:
            return lines
        return [
            *lines,
            *(
                Content.assemble(" " * INDENT, line)
                for line in markdown_layout.wrap_content(
                    Content.styled(same, "$muted"), width - INDENT - 1
                )
            ),
        ]

    def links(self) -> list[tuple[int, str, str]]:
        url = self.action.options.get("url")
        return [(0, self.action.title, str(url))] if url else []


class NextPiece(Piece):
    """The page's last row, which leads to the next page."""

    def __init__(self, page: WeekPage) -> None:
        super().__init__()
        self.page = page

    def lines(self, width: int) -> Sequence[Content]:
        page = self.page
        words = " · ".join(part for part in (page.name, page.title) if part)
        minutes = f", {page.part.minutes} min" if page.part and page.part.minutes else ""
        return self.head(
            "→", "$primary", f"Next: {words}{minutes}", "enter  go on", width, "$primary"
        )


def text_of_action(action: Action) -> str:
    """The command, address or document of an action."""
    return shlex.join(action.argv()) or str(
        action.options.get("url") or action.options.get("document") or ""
    )


def pieces_of(
    page: WeekPage, records: Mapping[str, StepState], following: WeekPage | None
) -> list[Piece]:
    pieces: list[Piece] = []
    for block in page.blocks:
        if isinstance(block, Text):
            pieces.append(Prose(block.markdown))
        elif isinstance(block, Fold):
            pieces.append(FoldPiece(block))
        elif isinstance(block, Action):
            pieces.append(ActionPiece(block))
        else:
            pieces.append(StepPiece(block, records.get(block.id, StepState())))
            for action in block.actions:
                pieces[-1].add_class("-tied")
                pieces.append(ActionPiece(action))
    if following is not None:
        pieces.append(NextPiece(following))
    return pieces
