"""A page of the week to read and to work through: steps stand in the text. The cursor is Textual's
focus, which moves from piece to piece; the page's keys work wherever on the screen it is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.app.pages import CursorStop, WeekPage
from q1lab.app.widgets.page_blocks import (
    ActionPiece,
    FoldPiece,
    Piece,
    StepPiece,
    pieces_of,
    taken_file,
    text_of_action,
    word_of_form,
)
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Action, Step

MOVES = ("go on", "to the rows", "next row")
"""The words for Enter where it moves the cursor."""


class PageReader(VerticalScroll):
    """Shows one page. ``piece`` is the piece under the cursor; the screen handles Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "line(-1)", "up", show=False),
        Binding("down", "line(1)", "down", show=False),
        Binding("left", "turn(-1)", "the picture before", show=False),
        Binding("right", "turn(1)", "the next picture", show=False),
    ]

    def __init__(self, folder: Callable[[], Path] = Path) -> None:
        super().__init__(id="reader")
        self.folder = folder
        """Where `q1lab take` puts its files: asked each time, as it may change."""
        self.page: WeekPage | None = None
        self.pieces: list[Piece] = []
        self.piece: Piece | None = None
        self.started: Piece | None = None
        """The row that was started with the cursor on it."""
        self._started: set[str] = set()
        """The commands of the rows that were started since the page was opened."""
        self._new: Piece | None = None
        """A step that a hand ticks and Enter brought into sight: its next Enter may not tick it
        yet."""
        self._width = 0
        self._in_sight = False
        """True if the cursor's piece was on screen when the page was last drawn or scrolled."""
        self._enter_words = ""
        """Enter's effect as the foot has it."""
        self._progress = Progress()

    def compose(self) -> ComposeResult:
        yield from self.pieces

    def on_mount(self) -> None:
        self.call_after_refresh(self._land, None)

    # ── what is shown

    def fill(
        self,
        page: WeekPage,
        progress: Progress,
        following: WeekPage | None = None,
        at: str | None = None,
    ) -> None:
        """Show a page, with the cursor on step ``at`` if given. On an unchanged page nothing
        moves; on one whose text has changed, the cursor stays on its step or row."""
        before, self._progress = self.page, progress
        if before is not None and (page.id, *page.blocks) == (before.id, *before.blocks):
            self._update()
            if at is not None:
                self.started = None
                self._go_to(self._step_piece(at))
            return
        row = 0
        if before is None or page.id != before.id:
            self._started.clear()
        elif at is None and self.step is not None and self.piece is not None:
            on_step = [self._step_piece(self.step.id), *self._rows(self.step)]
            at, row = self.step.id, on_step.index(self.piece)
        was_started = row > 0 and self.started is self.piece
        self.page = page
        self.pieces = pieces_of(page, progress.records, following)
        self._fold_finished(at)
        target = self._step_piece(at) or self._first_open()
        if row and target is not None and target.step is not None:
            target = self._rows(target.step)[row - 1]
        self.piece, self._new = target, None
        self.started = target if was_started else None
        self._lock_folds()
        if self.is_attached:
            self.remove_children(Piece)
            self.mount(*self.pieces)
            self.scroll_home(animate=False, immediate=True)
            self.call_after_refresh(self._land, at)

    def _land(self, at: str | None, tries: int = 20) -> None:
        """Begin to read a page, once it is laid out: at the step that was asked for, else below the
        last finished step before the cursor. A page opened for the first time begins at its top,
        even if evidence has already ticked one of its steps."""
        piece, self._width = self.piece, self.size.width
        if piece is None:
            self.focus()
            return
        if not piece.virtual_region.height and tries:
            self.call_after_refresh(self._land, at, tries - 1)
            return
        if at is None and self.page is not None and _is_open(piece):
            done = [p for p in self.pieces if isinstance(p, StepPiece) and p.record.done]
            if self._progress.spent(self.page.id) or any(not p.step.actions for p in done):
                above = (p.virtual_region for p in done if p.display)
                ends = [region.bottom for region in above if region.y < piece.virtual_region.y]
                self.scroll_to(y=max(ends, default=-1) + 1, animate=False, immediate=True)
        if self.screen.focused is None or self in self.screen.focused.ancestors_with_self:
            self._put_cursor(piece)
        if at is not None:
            self._show(piece)
        self._note()

    def _update(self) -> None:
        for piece in self.pieces:
            if isinstance(piece, StepPiece):
                changed = piece.show(self._progress.of(piece.step.id))
                if changed and piece.step is self.step and self.on_screen:
                    self.follow()  # an answer or the reason for a lost tick appears below the title
                if any(not self._progress.of(step.id).done for step in piece.run):
                    self._unfold(piece)
        self._lock_folds()
        self._note()

    def _lock_folds(self) -> None:
        """Lock folds whose step is not done yet; open one whose step has just been done."""
        titles = {} if self.page is None else self.page.title_by_needed_step
        for piece in self.pieces:
            if isinstance(piece, FoldPiece) and (needs := piece.fold.needs):
                wants = "" if self._progress.of(needs).done else titles.get(needs, needs)
                if wants != piece.wants:
                    piece.wants, piece.open = wants, not wants
                    piece.changed()

    # ── what Enter does

    def start(self, action: Action) -> None:
        """Note that an action was started from the cursor's piece."""
        self._started.add(text_of_action(action))
        self.started = self.piece
        self._note()

    def not_done(self, action: Action) -> None:
        """Note that a started action did not work: Enter starts it again, and ticks nothing."""
        self._started.discard(text_of_action(action))
        self._note()

    def _note(self) -> None:
        """Note what is in sight, and have piece and foot say what Enter does there."""
        if self.size.width == self._width:  # else a new layout scrolls, and not the learner
            self._in_sight = self.on_screen
        piece = self.piece
        if piece is not None:
            then = self._next_thing(piece)
            if then != piece.then:
                piece.then = then
                piece.changed()
        if self.is_attached and self.enter_words != self._enter_words:
            self._enter_words = self.enter_words
            self.screen.refresh_bindings()

    def _next_thing(self, piece: Piece) -> str:
        """Enter's effect on a piece, where that is not what the piece is for.

        A step is done in this order: the files that its rows take; its answer, or its other rows;
        then its tick. A row that takes a file only begins the work, so the Enter after it goes on
        and ticks nothing; Enter on the step's title ticks it, whenever the learner comes back.
        """
        step, is_row = piece.step, isinstance(piece, ActionPiece)
        begun = piece is self.started and self._ran(piece.action)
        if step is None or getattr(piece, "run", False) or (is_row and not begun):
            return ""
        if self._next_row(piece) is not None:
            return "next row" if is_row else "to the rows"
        if piece is self._new or self._progress.of(step.id).done:
            return "go on"
        if step.done_when or word_of_form(step):
            return word_of_form(step) if begun else ""
        if begun:
            return "go on" if taken_file(piece.action) else "tick"
        is_taken = (taken_file(action) and self._ran(action) for action in step.actions)
        return "tick" if all(is_taken) else ""

    def _ran(self, action: Action | None) -> bool:
        """True if an action was started on this page, or its file is there."""
        if file := taken_file(action):
            return (self.folder() / file).exists()
        return action is not None and text_of_action(action) in self._started

    def _next_row(self, piece: Piece) -> Piece | None:
        """The row of its step that Enter goes to from a piece: the next that takes a file; in a
        step whose answer was just given, or that a named act completes, the next that was not
        started; from the title of a step with several rows, the first of them."""
        step = piece.step
        if step is None:
            return None
        rows = self._rows(step)
        begin = rows.index(piece) + 1 if isinstance(piece, ActionPiece) else 0
        left = [row for row in rows[begin:] if not self._ran(row.action)]
        takes = [row for row in left if taken_file(row.action)]
        form = word_of_form(step)
        if self._progress.of(step.id).done:
            return next(iter(left), None) if form else None
        if form:
            return next(iter(takes), None)
        if isinstance(piece, ActionPiece):
            in_order = taken_file(piece.action) or step.done_when != step.behavior.done_when
            return next(iter(left), None) if in_order else None
        if len(rows) < 2:
            return None
        takes_all = all(taken_file(row.action) for row in rows)
        return next(iter(takes if takes or takes_all else rows), None)

    @property
    def enter_words(self) -> str:
        """Enter's effect, for the foot."""
        piece = self.piece
        if piece is None or not self.on_screen:
            return "go on"
        return piece.then if self.goes_on else piece.enter_words

    @property
    def goes_on(self) -> bool:
        """True if Enter moves the cursor, or leads to what is not in sight."""
        return not self.on_screen or (self.piece is not None and self.piece.then in MOVES)

    def go_on(self) -> None:
        """Move the cursor to what is to be done next; turn a page of text if that is not in sight
        yet."""
        following = self._next
        if following is None:
            self.scroll_page_down(animate=False)
            return
        self._new, is_tick = None, following.enter == "tick"
        if self._sees(following):
            self._go_to(following)
            return
        y = min(following.virtual_region.y - 1, self.scroll_y + self.size.height - 2)
        self.scroll_to(y=y, animate=False, immediate=True)
        if self._sees(following):
            self._new = following if is_tick else None
            self._go_to(following)

    @property
    def _next(self) -> Piece | None:
        """The cursor's piece, if that is further down; else the step's next row, the next open
        step, or the page's last row."""
        piece, stops = self.piece, self.stops
        if piece is None or not stops:
            return None
        if not self.on_screen:
            if piece.virtual_region.y > self.scroll_y:
                return piece
            ahead = [stop for stop in stops if stop.virtual_region.y >= self.scroll_y]
        elif piece is self._new:
            return piece
        elif row := self._next_row(piece):
            return row
        else:
            ahead = stops[stops.index(piece) + 1 :]
        return next(filter(_is_open, ahead), stops[-1])

    # ── the cursor

    @property
    def stops(self) -> list[Piece]:
        """The pieces that the cursor can stand on."""
        return [piece for piece in self.pieces if piece.can_focus and piece.display]

    @property
    def current(self) -> CursorStop | None:
        """The block under the cursor; None on the page's last row, and on several finished steps in
        one line."""
        piece = self.piece
        if isinstance(piece, StepPiece):
            return None if len(piece.run) > 1 else piece.step
        if isinstance(piece, ActionPiece):
            return piece.action
        return piece.fold if isinstance(piece, FoldPiece) else None

    @property
    def step(self) -> Step | None:
        """The step under the cursor, or the step of the action under it."""
        return self.piece.step if self.piece is not None else None

    @property
    def on_screen(self) -> bool:
        """True if the first line of the cursor's piece is visible."""
        return self.piece is not None and self._sees(self.piece)

    def _sees(self, piece: Piece) -> bool:
        return 0 <= piece.virtual_region.y - self.scroll_y < self.size.height

    def focus_cursor(self) -> None:
        """Give the focus to the piece under the cursor; to the page itself if it has none."""
        self.screen.set_focus(self.piece or self, scroll_visible=False)

    def move(self, by: int) -> None:
        """Move the cursor to the next or previous piece; from out of sight, to the nearest one in
        that direction from the text on screen."""
        stops, piece = self.stops, self.piece
        if piece is None:
            return
        if self.on_screen:
            self._go_to(stops[min(len(stops) - 1, max(0, stops.index(piece) + by))])
            return
        bottom = self.scroll_y + self.size.height
        if by > 0:
            ahead = [stop for stop in stops if stop.virtual_region.y >= self.scroll_y]
        else:
            ahead = [stop for stop in stops[::-1] if stop.virtual_region.y < bottom]
        if ahead:
            self._go_to(ahead[0])
        else:
            (self.scroll_page_down if by > 0 else self.scroll_page_up)(animate=False)

    def show_cursor(self) -> bool:
        """Scroll to the cursor if it is out of sight. True if that was needed."""
        if self.piece is None or self.on_screen:
            return False
        self._show(self.piece)
        return True

    def follow(self) -> None:
        """Scroll to the cursor's piece after the next layout."""
        if self.piece is not None:
            self.call_after_refresh(self._show, self.piece)

    def _go_to(self, piece: Piece | None) -> None:
        if piece is not None:
            self._put_cursor(piece)
            self._show(piece)

    def _put_cursor(self, piece: Piece) -> None:
        self.screen.set_focus(piece, scroll_visible=False)
        self.on_descendant_focus()

    def _show(self, piece: Piece) -> None:
        if not piece.is_attached:
            return
        if isinstance(piece, StepPiece) and not piece.run:
            for row in self._rows(piece.step)[-1:]:  # show the step's action rows, too
                self.scroll_to_widget(row, animate=False, immediate=True)
        tall = piece.virtual_region.height > self.size.height - 2
        self.scroll_to_widget(piece, animate=False, top=tall, immediate=True)
        self._note()

    def on_descendant_focus(self) -> None:
        piece, before = self.screen.focused, self.piece
        if isinstance(piece, Piece) and piece is not before:
            self.piece, self.started = piece, None
            if self._new is not piece:
                self._new = None
            if before is not None and before.then:
                before.then = ""
                before.changed()
        self._note()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._note()

    def on_resize(self) -> None:
        """Keep the cursor in sight when another width breaks the lines differently."""
        if self.size.width != self._width and self._in_sight and self.scroll_y > 0:
            self.follow()
        self._width = self.size.width

    def action_line(self, by: int) -> None:
        """Move the cursor to the next piece if all of that is visible; else scroll by a line."""
        stops = self.stops
        at = stops.index(self.piece) + by if self.piece in stops else -1
        ends = self.scroll_y >= self.max_scroll_y if by > 0 else self.scroll_y <= 0
        if 0 <= at < len(stops) and (ends or self.can_view_entire(stops[at])):
            self._go_to(stops[at])
        else:
            self.scroll_relative(y=by, animate=False)

    def action_turn(self, by: int) -> None:
        """Show another frame of the figure under the cursor."""
        if isinstance(self.piece, FoldPiece):
            self.piece.turn(by)

    def action_scroll_home(self) -> None:
        """Go to the top of the page, with the cursor on its first stop."""
        for piece in self.stops[:1]:
            self._put_cursor(piece)
        self.scroll_home(animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """Go to the end of the page, with the cursor on its last stop."""
        for piece in self.stops[-1:]:
            self._put_cursor(piece)
        self.scroll_end(animate=False, immediate=True)

    def _step_piece(self, step_id: str | None) -> Piece | None:
        found = (p for p in self.pieces if isinstance(p, StepPiece) and p.step.id == step_id)
        return next(found, None)

    def _rows(self, step: Step) -> list[Piece]:
        """The action rows of a step."""
        return [p for p in self.pieces if isinstance(p, ActionPiece) and p.step is step]

    def _first_open(self) -> Piece | None:
        stops = self.stops
        has_steps = any(isinstance(piece, StepPiece) for piece in stops)
        others = stops[-1:] if has_steps else stops
        return next(filter(_is_open, stops), None) or next(iter(others), None)

    # ── folds and links

    def _fold_finished(self, at: str | None = None) -> None:
        """Fold finished steps that stand together, with their rows, into the line of the first;
        but not step ``at``."""
        pieces = self.pieces

        def is_finished(piece: Piece) -> bool:
            step = piece.step
            return step is not None and step.id != at and self._progress.of(step.id).done

        for number, head in enumerate(pieces):
            if not (isinstance(head, StepPiece) and head.display):
                continue
            run = list(takewhile(is_finished, pieces[number:]))
            head.fold(tuple(p.step for p in run if isinstance(p, StepPiece)))
            for piece in run[1:]:
                piece.display = False

    def _unfold(self, head: StepPiece) -> None:
        """Show the finished steps of one line in full."""
        for piece in self.pieces:
            if piece.step in head.run:
                piece.display = True
        head.fold(())

    @property
    def folded(self) -> bool:
        """True if the cursor is on finished steps in one line."""
        return isinstance(self.piece, StepPiece) and bool(self.piece.run)

    def unfold_run(self) -> None:
        """Show the finished steps of the line under the cursor in full."""
        if isinstance(self.piece, StepPiece):
            self._unfold(self.piece)
            self.follow()

    def unfold(self) -> None:
        """Open all folds and finished steps; when all are open, fold them again."""
        folds = [piece for piece in self.pieces if isinstance(piece, FoldPiece) and not piece.wants]
        runs = [piece for piece in self.pieces if isinstance(piece, StepPiece) and piece.run]
        closed = bool(runs) or any(not fold.open for fold in folds)
        for fold in folds:
            fold.open = closed
            fold.changed()
        for head in runs:
            self._unfold(head)
        if not closed:
            self._fold_finished(self.step.id if self.step is not None else None)
        self.follow()

    def links(self) -> list[tuple[str, str]]:
        """(words, address) of the links on screen, or of the whole page if none is on screen."""
        links: list[tuple[int, str, str]] = []
        for piece in self.pieces:
            if not piece.display:
                continue
            before = (-2, "")
            for line, words, url in piece.links():
                if before == (line - 1, url):  # a link that wraps into the next line
                    top, begun, _ = links.pop()
                    links.append((top, f"{begun} {words}", url))
                else:
                    links.append((piece.virtual_region.y + line, words, url))
                before = (line, url)
        bottom = self.scroll_y + self.size.height
        visible = [link for link in links if self.scroll_y <= link[0] < bottom] or links
        return list({url: (words, url) for _, words, url in visible}.values())


def _is_open(piece: Piece) -> bool:
    """True for a step that waits to be done."""
    return isinstance(piece, StepPiece) and not piece.record.done and not piece.step.optional
