"""A page of the week to read and to work through: steps stand in the text, a cursor moves from
piece to piece, and the text scrolls with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

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
    """Shows one page. ``current`` is the block under the cursor; the screen handles Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "line(-1)", "Up a line", show=False),
        Binding("down", "line(1)", "Down a line", show=False),
        Binding("left", "turn(-1)", "The picture before", show=False),
        Binding("right", "turn(1)", "The next picture", show=False),
    ]

    class Moved(Message):
        """The cursor or the text moved."""

    class Entered(Message):
        """The piece under the cursor was clicked."""

    def __init__(self, folder: Callable[[], Path] = Path) -> None:
        super().__init__(id="reader")
        self.folder = folder
        """Where `q1lab take` puts its files: asked each time, as it may change."""
        self.page: WeekPage | None = None
        self.pieces: list[Piece] = []
        self.piece: Piece | None = None
        """The piece under the cursor."""
        self.started: Piece | None = None
        """The row that was started with the cursor on it."""
        self._started: set[str] = set()
        """The commands of the rows that were started since the page was opened."""
        self._new: Piece | None = None
        """A step that a hand ticks and Enter led to: its next Enter may not tick it yet."""
        self._unfolded: set[str] = set()
        """Ids of finished steps that the learner unfolded."""
        self._scrolled_to: Piece | None = None
        self._clicked = False  # True if the last click entered a piece
        self._showing = False  # True while the text scrolls to the cursor
        self._laid_out_for = 0  # the width in cells
        self._visible_spot: tuple[Piece, float] | None = None
        self._progress = Progress()

    def compose(self) -> ComposeResult:
        yield from self.pieces

    def on_mount(self) -> None:
        if self.page is not None:
            self.call_after_refresh(self._scroll_to_reading_place)

    def on_resize(self) -> None:
        """Keep the place in the text when a new width breaks the lines differently."""
        if self.size.width != self._laid_out_for:
            self.call_after_refresh(self._to_spot, self._visible_spot)
        elif self._visible_spot and self._visible_spot[0] is self.piece and not self.on_screen:
            self.follow()  # a message at the foot took the cursor's line

    # ── what is shown

    def fill(
        self,
        page: WeekPage,
        progress: Progress,
        following: WeekPage | None = None,
        at: str | None = None,
    ) -> None:
        """Show a page, with the cursor on step ``at`` if given. An unchanged page keeps its scroll
        position."""
        self._progress = progress
        if self.page is not None and _shape(page) == _shape(self.page):
            self._update(page)
            if at is not None:
                self.started = None
                self._place(at)
                self.name_enter()
                self.follow()
            return
        position = (
            self._position() if at is None and self.page and page.id == self.page.id else None
        )
        if self.page is None or page.id != self.page.id:
            self._unfolded.clear()
            self._started.clear()
        was_started = position is not None and self.started is self.piece
        self.page = page
        for old in self.query(Piece):
            old.display = False
            old.remove()
        self.pieces = pieces_of(page, progress.records, following)
        step_id, row = (at, 0) if position is None else position[:2]
        self._place(step_id, row)
        self.started = self.piece if was_started else None
        self.name_enter()
        self._lock_folds()
        if self.is_attached:
            self.mount(*self.pieces)
            self.scroll_home(animate=False, immediate=True)
            if position is not None:
                self.call_after_refresh(self._restore_position, *position)
            else:
                self.call_after_refresh(
                    self._scroll_to_reading_place if at is None else self.follow
                )

    def _position(self) -> tuple[str, int, float] | None:
        """(id of the step at the cursor, row of the step (0: the step itself), lines below the top
        of the screen)."""
        step, piece = self.step, self.piece
        if step is None or piece is None:
            return None
        row = step.actions.index(piece.action) + 1 if isinstance(piece, ActionPiece) else 0
        return step.id, row, piece.virtual_region.y - self.scroll_y

    def _restore_position(self, step_id: str, row: int, below: float, tries: int = 20) -> None:
        """Restore the cursor and scroll position on a page whose text has changed, once it is laid
        out."""
        self._place(step_id, row)
        piece = self.piece
        if piece is None or not self.is_attached:
            return
        if not piece.virtual_region.height and tries:
            self.call_after_refresh(self._restore_position, step_id, row, below, tries - 1)
            return
        self.scroll_to(y=piece.virtual_region.y - below, animate=False, immediate=True)
        self.call_after_refresh(self.post_message, self.Moved())

    def _update(self, page: WeekPage) -> None:
        self.page = page
        for piece in self.pieces:
            if isinstance(piece, StepPiece):
                record = self._progress.of(piece.step.id)
                changed = record != piece.record
                piece.show(record)
                if changed and piece.step is self.step and self.on_screen:
                    self.follow()  # an answer or the reason for a lost tick appears below the title
        if any(not self._progress.of(step.id).done for step in self._folded_steps):
            self._fold_runs()
        self._lock_folds()
        self.name_enter()

    # ── what Enter does

    def start(self, action: Action) -> None:
        """Note that an action was started from the cursor's piece."""
        self._started.add(text_of_action(action))
        self.started = self.piece
        self.name_enter()

    def name_enter(self) -> None:
        """Have each piece say what Enter does there; again when a file may have been taken."""
        for piece in self.pieces:
            then = self.next_thing(piece)
            if then != piece.then:
                piece.then = then
                piece.changed()
                self.post_message(self.Moved())

    def next_thing(self, piece: Piece) -> str:
        """Enter's effect on a piece, where that is not what the piece is for.

        A step is done in this order: the files that its rows take; its answer, or its other rows;
        then its tick. A row that takes a file only begins the work, so the Enter after it goes on
        and ticks nothing; Enter on the step's title ticks it, whenever the learner comes back.
        """
        step, is_row = _step_of(piece), isinstance(piece, ActionPiece)
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
        step = _step_of(piece)
        if step is None:
            return None
        rows = [row for row in self.pieces if isinstance(row, ActionPiece) and row.step is step]
        begin = rows.index(piece) + 1 if piece in rows else 0
        left = [row for row in rows[begin:] if not self._ran(row.action)]
        takes = [row for row in left if taken_file(row.action)]
        form, choice = word_of_form(step), takes
        if self._progress.of(step.id).done:
            choice = left if form and step.id not in self._unfolded else []
        elif form:
            pass
        elif isinstance(piece, ActionPiece):
            in_order = taken_file(piece.action) or step.done_when != step.behavior.done_when
            choice = left if in_order else []
        elif len(rows) < 2:
            choice = []
        elif not takes and not all(taken_file(row.action) for row in rows):
            choice = rows
        return next(iter(choice), None)

    def _lock_folds(self) -> None:
        """Lock folds whose step is not done yet; open one whose step has just been done."""
        titles = {} if self.page is None else self.page.title_by_needed_step
        for piece in self.pieces:
            if isinstance(piece, FoldPiece):
                needs = piece.fold.needs
                wants = (
                    ""
                    if needs is None or self._progress.of(needs).done
                    else titles.get(needs, needs)
                )
                if wants != piece.wants:
                    piece.wants, piece.open = wants, not wants
                    piece.changed()

    def _note_spot(self) -> None:
        """Remember a visible piece and its distance from the top of the screen in lines: the
        cursor's piece if it is visible, else the first visible one."""
        candidates = [self.piece] if self.on_screen else self.pieces
        for piece in candidates:
            if piece is None or not piece.display:
                continue
            if piece.virtual_region.bottom > self.scroll_y:
                self._visible_spot = piece, piece.virtual_region.y - self.scroll_y
                return

    def _to_spot(self, spot: tuple[Piece, float] | None) -> None:
        """Scroll to the remembered piece after the page was laid out again."""
        self._laid_out_for = self.size.width
        if spot is not None and self.scroll_y > 0:
            piece, below = spot
            if piece.is_attached:
                below = min(below, self.size.height - 1)
                self.scroll_to(y=piece.virtual_region.y - below, animate=False, immediate=True)
        self.post_message(self.Moved())

    # ── the cursor

    @property
    def stops(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.stop and piece.display]

    @property
    def at(self) -> int:
        """The cursor's place among the stops."""
        return self.stops.index(self.piece) if self.piece is not None else 0

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
        return _step_of(self.piece)

    @property
    def on_screen(self) -> bool:
        """True if any part of the cursor's piece is visible."""
        return self.piece is not None and self._is_visible(self.piece)

    def _is_visible(self, piece: Piece) -> bool:
        region, top = piece.virtual_region, self.scroll_y
        return region.y < top + self.size.height and region.y + 1 > top

    def move(self, by: int) -> None:
        """Move the cursor to the next or previous piece, and scroll to it."""
        stops = self.stops
        if stops:
            self._walk_to(stops[min(len(stops) - 1, max(0, self.at + by))])

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

    @property
    def folded(self) -> bool:
        """True if the cursor is on finished steps in one line."""
        return isinstance(self.piece, StepPiece) and bool(self.piece.run)

    @property
    def _next(self) -> Piece:
        """The cursor's piece, if that is further down; else the step's next row, the next open
        step, or the page's last row."""
        piece, stops = self.piece, self.stops
        is_below = not self.on_screen and piece and piece.virtual_region.y > self.scroll_y
        if piece is not None and (is_below or piece is self._new):
            return piece
        if piece is not None and (row := self._next_row(piece)):
            return row
        return next(filter(_is_open, stops[self.at + 1 :]), stops[-1])

    def go_on(self) -> None:
        """Move the cursor to the next open step, else to the page's last row; turn a page of text
        if that is not in sight yet."""
        if not self.stops:
            self.scroll_page_down(animate=False)
            return
        following = self._next
        is_new = following.enter == "tick" and not self._is_fully_visible(following)
        if not self._is_visible(following):
            top = following.virtual_region.y - 1
            y = min(top, self.scroll_y + self.size.height - 2)
            self._showing = True
            self.scroll_to(y=y, animate=False, immediate=True)
            self._showing = False
            self._note_spot()
            self.post_message(self.Moved())
        if self._is_visible(following):
            if following is self.piece:
                self._new = following if is_new else None
            self._walk_to(following)

    def _walk_to(self, piece: Piece) -> None:
        """Move the cursor, fold what is finished behind it, and scroll to it."""
        below = piece.virtual_region.y - self.scroll_y
        is_seen = self._is_visible(piece)
        self._go(piece)
        if self._fold_runs() and is_seen and self.is_attached:
            self._showing = True  # until the layout is new, the cursor may be out of sight
            self.call_after_refresh(self._hold, piece, below)
        self.follow()

    def _hold(self, piece: Piece, below: float) -> None:
        """Keep a piece ``below`` lines from the top of the screen when others above it folded."""
        if piece.is_attached:
            self.scroll_to(y=piece.virtual_region.y - below, animate=False, immediate=True)
        self._showing = False

    def action_line(self, by: int) -> None:
        """Move the cursor to the next piece if that is visible; else scroll by a line."""
        stops, index = self.stops, self.at + by
        ends = self.scroll_y >= self.max_scroll_y if by > 0 else self.scroll_y <= 0
        if 0 <= index < len(stops) and (self._is_fully_visible(stops[index]) or ends):
            self.move(by)
        else:
            self.scroll_relative(y=by, animate=False)

    def action_turn(self, by: int) -> None:
        """Show another frame of the figure under the cursor."""
        if isinstance(self.piece, FoldPiece):
            self.piece.turn(by)

    def action_scroll_home(self) -> None:
        """Go to the top of the page, with the cursor on its first stop."""
        self.scroll_home(animate=False, immediate=True)
        self._go(*self.stops[:1])

    def action_scroll_end(self) -> None:
        """Go to the end of the page, with the cursor on its last stop."""
        self.scroll_end(animate=False, immediate=True)
        self._go(*self.stops[-1:])

    def _is_fully_visible(self, piece: Piece) -> bool:
        region = piece.virtual_region
        return region.y >= self.scroll_y and region.bottom <= self.scroll_y + self.size.height

    def _go(self, piece: Piece | None = None) -> None:
        before, self.piece = self.piece, piece
        if before is not piece:
            self.started = self._new = None
            for each in (before, piece):
                if each is not None:
                    each.set_class(each is piece, "-here")
                    each.changed()
            self.call_after_refresh(self._note_spot)
        self.name_enter()
        self.post_message(self.Moved())

    def _place(self, step_id: str | None, row: int = 0) -> None:
        """Put the cursor on a step (or on one of its action rows), or on the first open step."""
        stops = [piece for piece in self.pieces if piece.stop]
        target = self._first_open(stops)
        for number, piece in enumerate(stops):
            if isinstance(piece, StepPiece) and piece.step.id == step_id:
                target = stops[number + min(row, len(piece.step.actions))]
        for piece in stops:
            piece.set_class(piece is target, "-here")
            piece.forget_lines()
        self.piece = target
        self._fold_runs()

    def _first_open(self, stops: list[Piece]) -> Piece | None:
        if stop := next(filter(_is_open, stops), None):
            return stop
        has_steps = any(isinstance(piece, StepPiece) for piece in stops)
        return next(iter(stops[-1:] if has_steps else stops), None)

    def _scroll_to_reading_place(self) -> None:
        """Scroll to where the learner reads on: below the last done step before the cursor. A page
        opened for the first time starts at its top, even if evidence has already ticked one of its
        steps."""
        piece = self.piece
        if piece is None or self.page is None:
            return
        y = 0
        steps = [
            step_piece
            for step_piece in self.pieces
            if isinstance(step_piece, StepPiece) and step_piece.record.done
        ]
        if self._progress.spent(self.page.id) or any(
            not step_piece.step.actions for step_piece in steps
        ):
            for step_piece in steps:
                if step_piece.virtual_region.y < piece.virtual_region.y:
                    y = step_piece.virtual_region.bottom + 1
        self.scroll_to(y=y, animate=False, immediate=True)
        self._note_spot()
        self.call_after_refresh(self.post_message, self.Moved())

    def follow(self) -> None:
        """Scroll to the cursor's piece after the next layout."""
        piece = self.piece
        if piece is not None:
            self._showing = True  # what folded may move the text first; the cursor must not move
            self.call_after_refresh(self._show, piece)

    def _show(self, piece: Piece) -> None:
        self._showing = piece.is_attached  # while it scrolls, the cursor may be out of sight
        if not self._showing:
            return
        for row in self._rows_of(piece)[-1:]:  # show the step's action rows, too
            self.scroll_to_widget(row, animate=False, immediate=True)
        tall = piece.virtual_region.height > self.size.height - 2
        self.scroll_to_widget(piece, animate=False, top=tall, immediate=True)
        self._showing = False
        self._note_spot()
        self.post_message(self.Moved())

    def _rows_of(self, piece: Piece) -> list[Piece]:
        """The action rows of a step."""
        if not isinstance(piece, StepPiece) or piece.run:
            return []
        after = self.pieces[self.pieces.index(piece) + 1 :]
        return after[: len(piece.step.actions)]

    def scroll_to_cursor(self, by: int = 0) -> bool:
        """Scroll to the cursor if it is out of sight; with ``by``, move it first to the nearest
        stop in that direction from the text on screen. True if that was needed."""
        piece = self.piece
        if piece is None or self.on_screen or piece is self._scrolled_to:
            return False
        if by:
            end = self.scroll_y + self.size.height
            passed = [stop for stop in self.stops if stop.virtual_region.y < end]
            if by < 0 and not passed:
                self.scroll_page_up(animate=False)
                return True
            piece = passed[-1] if by < 0 else self._nearest(down=True) or piece
            self._go(piece)
        self._scrolled_to = piece  # the next key acts on it, even before the screen is redrawn
        self._show(piece)
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._showing or self.size.width != self._laid_out_for:
            return  # the app or a new layout scrolled, not the learner
        if self.piece is not None and not self.on_screen:
            self._scrolled_to = None
            self._go(self._nearest(down=new_value > old_value))
            # Works around Textual: moving the cursor lays the page out again, and Textual paints
            # only the differences from its last full layout. A scroll back to that layout's
            # position left the old text on screen.
            self.refresh()
        self._note_spot()
        self.post_message(self.Moved())

    def watch_virtual_size(self) -> None:
        self.post_message(self.Moved())  # how much there is to read has changed

    def _nearest(self, down: bool) -> Piece | None:
        """A visible stop: the first when scrolling down, else the last; if none is visible, the
        next one below."""
        stops = self.stops
        visible = [piece for piece in stops if self._is_visible(piece)]
        if visible:
            return visible[0] if down else visible[-1]
        ahead = (piece for piece in stops if piece.virtual_region.y >= self.scroll_y)
        return next(ahead, stops[-1] if stops else None)

    def on_piece_pressed(self, event: Piece.Pressed) -> None:
        event.stop()
        if event.chain > 1 and self._clicked:  # a double click enters once
            return
        opens = isinstance(event.piece, FoldPiece) or bool(getattr(event.piece, "run", ()))
        self._clicked = event.piece is self.piece or opens
        self._go(event.piece)
        if self._clicked:
            self.post_message(self.Entered())

    # ── folds and links

    def _fold_runs(self) -> bool:
        """Fold steps that are finished and stand together to one line, but for the one under the
        cursor and those that the learner unfolded. True if anything has changed."""
        at, run, rows = self.piece, list[StepPiece](), 0
        runs, hidden = dict[Piece, list[StepPiece]](), set[Piece]()
        for piece in self.pieces:
            if rows and isinstance(piece, ActionPiece):
                rows -= 1
                if run:
                    hidden.add(piece)
                continue
            if not (isinstance(piece, StepPiece) and self._may_fold(piece)):
                run = []
            elif run:
                hidden.add(piece)
                run.append(piece)
            else:
                runs[piece] = run = [piece]
            rows = len(piece.step.actions) if isinstance(piece, StepPiece) else 0
        changed = False
        for piece in self.pieces:
            steps = tuple(each.step for each in runs.get(piece, ()))
            shown = piece not in hidden
            if isinstance(piece, StepPiece):
                changed |= piece.run != steps
                piece.fold(steps)
            if piece.display != shown:
                piece.display = shown
        if at is not None and not at.display:  # its line folded into that of a step before
            self._go(next((head for head, run in runs.items() if at in run), None))
        return changed

    def _may_fold(self, piece: StepPiece) -> bool:
        if not piece.record.done or piece.step.id in self._unfolded:
            return False
        return bool(piece.run) or piece.step is not self.step

    @property
    def _folded_steps(self) -> list[Step]:
        return [step for piece in self.pieces if isinstance(piece, StepPiece) for step in piece.run]

    def unfold_run(self) -> None:
        """Show the finished steps of the line under the cursor in full."""
        if isinstance(self.piece, StepPiece):
            self._unfolded |= {step.id for step in self.piece.run}
            self._fold_runs()
            self.follow()

    def unfold(self) -> None:
        """Open all folds and finished steps; when all are open, fold them again."""
        folds = [piece for piece in self.pieces if isinstance(piece, FoldPiece) and not piece.wants]
        folded_steps = self._folded_steps
        closed = bool(folded_steps) or any(not fold.open for fold in folds)
        for fold in folds:
            fold.open = closed
            fold.changed()
        self._unfolded = self._unfolded | {step.id for step in folded_steps} if closed else set()
        self._fold_runs()
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


def _step_of(piece: Piece | None) -> Step | None:
    return piece.step if isinstance(piece, StepPiece | ActionPiece) else None


def _is_open(piece: Piece) -> bool:
    """True for a step that waits to be done."""
    return isinstance(piece, StepPiece) and not piece.record.done and not piece.step.optional


def _shape(page: WeekPage) -> tuple[object, ...]:
    """The parts of a page that its pieces are built from: while they are equal, the pieces stay."""
    return (page.id, *page.blocks)
