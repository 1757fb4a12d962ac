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

from q1lab.app.commands import FORMS
from q1lab.app.pages import WeekPage
from q1lab.app.widgets import markdown_layout
from q1lab.ground.files import printable
from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import plural
from q1lab.week.progress import StepState
from q1lab.week.step_commands import ACTION_FIELDS, commands_for
from q1lab.week.syllabus import Action, Fold, Step, Text

INDENT = 5
"""Cells before a step's words: a blank, the cursor, a blank, the sign, a blank."""

KEYS = 18
"""Cells at the right edge that Enter's effect has, such as ``⏎ to the rows``."""
STARTS = {"run": "train", "open": "open", "check": "check"}
"""The word for Enter on an action, by the action's kind; other kinds say ``do it``."""
DOTS = {"high": "●●●", "normal": "●●○", "optional": "●○○"}
"""A step's importance, as its title line shows it."""
ANSWER_LINES = 4
"""At most this many lines of an answer are shown; the form shows all of it."""


class Piece(Widget, can_focus=True):
    """A block of a page. ``lines(width)`` lays it out; ``changed`` makes it lay out again. The one
    in focus is under the cursor."""

    opens_at_once = False
    """True if one click enters it; others take two."""

    class Entered(Message):
        """The piece in focus was clicked."""

    then = ""
    """Enter's effect, where that is not what the piece is for (`PageReader`)."""
    step: Step | None = None
    """The step that it belongs to, if any."""
    action: Action | None = None
    """The action that Enter starts here; of several rows, the first."""
    _laid_out: tuple[tuple[int, bool], list[Content]] | None = None

    @property
    def enter(self) -> str:
        """Enter's effect here, in a word; "" for none."""
        return ""

    @property
    def enter_words(self) -> str:
        """Enter's effect here, for the foot: ``write: one paragraph``."""
        return self.enter

    @property
    def command(self) -> str:
        """The command, address or document that Enter carries out; "" without one."""
        return ""

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

    def changed(self) -> None:
        """Lay out again when the piece is drawn next."""
        self._laid_out = None
        self.refresh(layout=True)

    def _lines(self, width: int) -> list[Content]:
        key = width, self.has_focus
        if self._laid_out is None or self._laid_out[0] != key:
            self._laid_out = key, list(self.lines(width))
        return self._laid_out[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def on_click(self, event: events.Click) -> None:
        clicks = 1 if self.opens_at_once else 2
        if self.can_focus and event.chain == clicks and "url" not in event.style.meta:
            self.post_message(self.Entered())

    def head(
        self,
        sign: str,
        tone: str,
        words: str,
        width: int,
        bold: str,
        note: str = "",
        edit: str = "",
    ) -> list[Content]:
        """The piece's heading: cursor, sign and words, and ``note`` at the right edge; with the
        cursor on it also the keys, which have their room anyway: no line breaks differently when
        the cursor comes."""
        edit = f"e {edit}" if edit else ""
        room = max(8, width - INDENT - cell_len(note) - cell_len(edit) - KEYS)
        first, *rest = markdown_layout.wrap_content(Content.styled(words, bold), room)
        enter = f"⏎ {self.enter}" if self.enter else ""
        right = " · ".join(filter(None, (note, edit, enter))) if self.has_focus else note
        gap = " " * max(1, width - INDENT - first.cell_length - cell_len(right) - 1)
        lead = ("▸" if self.has_focus else " ", "bold $primary")
        tone_of_keys = "$foreground" if self.has_focus else "$muted"
        line = Content.assemble(
            " ", lead, " ", (f"{sign} ", tone), first, gap, (right, tone_of_keys)
        )
        return [line, *(Content.assemble(" " * INDENT, line) for line in rest)]


class Prose(Piece, can_focus=False):
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

    opens_at_once = True

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

    @property
    def enter(self) -> str:
        return "go to it" if self.wants else "fold" if self.open else "unfold"

    @property
    def enter_words(self) -> str:
        return f"go to {self.wants}" if self.wants else f"{self.enter}: {self.fold.title}"

    def lines(self, width: int) -> Sequence[Content]:
        sign, title = "−" if self.open else "+", printable(self.fold.title)
        head = self.head(sign, "$accent", title, width, "$accent", "locked" if self.wants else "")
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
    """A step in full: its title, its detail, and the learner's answer. With ``run`` it stands for
    finished steps, itself the first, in one line."""

    step: Step

    def __init__(self, step: Step, record: StepState) -> None:
        super().__init__()
        self.step = step
        self.action = next(iter(step.actions), None)
        self.record = record
        self.run: tuple[Step, ...] = ()

    def show(self, record: StepState) -> bool:
        """Show the step's state. True if it is another one."""
        if record == self.record:
            return False
        self.record = record
        self.changed()
        return True

    def fold(self, run: tuple[Step, ...]) -> None:
        """Stand for these steps in one line; for none, stand in full."""
        if run != self.run:
            self.run, self.opens_at_once = run, bool(run)
            self.set_class(bool(run), "-run")
            self.changed()

    @property
    def enter(self) -> str:
        if self.run:
            return "unfold"
        if self.then or (form := word_of_form(self.step)):
            return self.then or form
        if self.action:
            return STARTS.get(self.action.kind, "do it")
        return self.step.behavior.enter

    @property
    def edit(self) -> str:
        """The effect of ``e`` on a finished step, in a word; "" for none."""
        again = self.step.behavior.enter_again if self.record.answer else ""
        return again or word_of_form(self.step)

    @property
    def enter_words(self) -> str:
        if self.run:
            return f"unfold {plural(len(self.run), 'finished step')}"
        title = began(self.action.title if self.action and self.command else self.step.title)
        is_said = self.command or title.startswith(self.enter)
        return title if is_said else f"{self.enter}: {title}"

    @property
    def command(self) -> str:
        if self.action is None or self.then or word_of_form(self.step):
            return ""
        return text_of_action(self.action)

    def lines(self, width: int) -> Sequence[Content]:
        if self.run:
            return [self._run_line(width)]
        step, done = self.step, self.record.done
        words = printable(step.title) + (" (optional)" if step.optional else "")
        minutes = f" {step.minutes} min" if step.minutes else ""
        note = "" if done else DOTS[step.importance] + minutes
        tone = "$success" if done else ""
        sign, bold = ("✓", tone) if done else ("☐", "bold")
        shown = self.head(sign, tone, words, width, bold, note, self.edit if done else "")
        body = (
            list(markdown_layout.lay_out_markdown(printable(step.detail), width - INDENT - 1))
            if step.detail
            else []
        )
        if done:
            body = [line.stylize_before("$muted") for line in body]
        below = [*body, *self._answer(width)]
        return shown + [Content.assemble(" " * INDENT, line) for line in below]

    def _run_line(self, width: int) -> Content:
        """``✓ 3 steps done: See that your own model learns · Choose one of the four …``"""
        titles = " · ".join(printable(step.title) for step in self.run)
        lead = "" if len(self.run) == 1 else f"{len(self.run)} steps done: "
        room = width - INDENT - 2 - len("⏎ unfold")
        return self.head("✓", "$success", cut_cells(lead + titles, room), width, "$success")[0]

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
        rows = filter(None, (" ".join(row.split()) for row in printable(answer).splitlines()))
        words = Content.assemble(("yours: ", "$success"), "\n".join(rows))
        lines = markdown_layout.wrap_content(words, width - INDENT - 1)
        if len(lines) <= ANSWER_LINES:
            return lines
        more = f"… {len(answer.split())} words in all; e shows them"
        return [*lines[: ANSWER_LINES - 1], Content.styled(more, "$muted")]


class ActionPiece(Piece):
    """A row that starts something; ``step`` is the step that it belongs to, if any."""

    action: Action

    def __init__(self, action: Action, step: Step | None = None) -> None:
        super().__init__()
        self.action = action
        self.step = step

    @property
    def enter(self) -> str:
        return self.then or STARTS.get(self.action.kind, "do it")

    @property
    def enter_words(self) -> str:
        if self.then and self.step:
            return f"{self.then}: {began(self.step.title)}"
        return began(self.action.title)

    @property
    def command(self) -> str:
        return text_of_action(self.action)

    def lines(self, width: int) -> Sequence[Content]:
        """The title, and the command where there is room for it."""
        title, command = printable(self.action.title), printable(self.command)
        room = width - INDENT - KEYS - cell_len(title) - 2
        note = command if cell_len(command) <= room else ""
        return self.head("→", "$accent", title, width, "$accent", note)

    def links(self) -> list[tuple[int, str, str]]:
        url = self.action.options.get("url")
        return [(0, self.action.title, str(url))] if url else []


class NextPiece(Piece):
    """The page's last row, which leads to the next page."""

    def __init__(self, page: WeekPage) -> None:
        super().__init__()
        self.page = page

    def lines(self, width: int) -> Sequence[Content]:
        return self.head("→", "$primary", f"Next: {self.title}", width, "$primary")

    @property
    def title(self) -> str:
        """``A2 · Read the paper, 90 min``."""
        page = self.page
        words = " · ".join(part for part in (page.name, page.title) if part)
        minutes = f", {page.part.allowance} min" if page.part and page.part.allowance else ""
        return printable(words + minutes)

    @property
    def enter(self) -> str:
        return "go on"

    @property
    def enter_words(self) -> str:
        return f"go on to {self.title}"


def began(title: str) -> str:
    """A title as it goes on in a sentence: its first letter is small, unless the word is a name
    such as GQA or RoPE."""
    first = title.split(maxsplit=1)[0] if title.strip() else ""
    is_a_name = first == "I" or first[1:] != first[1:].lower()
    return title if is_a_name else title[:1].lower() + title[1:]


def word_of_form(step: Step) -> str:
    """The word for opening a step's form; "" if it has none."""
    if step.behavior.form:
        return step.behavior.enter
    return "fill in" if command_with_form(step) else ""


def command_with_form(step: Step) -> str:
    """The command with a form that completes the step; empty where there is none, and where the
    week's text has an action of that kind instead."""
    names = (name for name in commands_for(step.done_when) if name not in ACTION_FIELDS)
    return next((name for name in names if name in FORMS), "")


def taken_file(action: Action | None) -> str:
    """The name of the week's file that an action copies into the learner's folder; "" if none."""
    words = action.argv() if action else ()
    return words[2] if words[:2] == ("q1lab", "take") and len(words) > 2 else ""


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
                pieces.append(ActionPiece(action, block))
    if following is not None:
        pieces.append(NextPiece(following))
    return pieces
