"""A page of the week to read and to work through: steps stand in the text, a cursor moves from
piece to piece, and the text scrolls with it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

from q1lab.tui.pages import CursorStop, WeekPage
from q1lab.tui.widgets.page_blocks import (
    ActionPiece,
    FoldPiece,
    NextPiece,
    Piece,
    StepPiece,
    pieces_of,
)
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Action, Step


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

    def __init__(self) -> None:
        super().__init__(id="reader")
        self.page: WeekPage | None = None
        self.pieces: list[Piece] = []
        self.at = 0
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
                self._place(at)
                self.follow()
            return
        position = (
            self._position() if at is None and self.page and page.id == self.page.id else None
        )
        self.page = page
        for old in self.query(Piece):
            old.display = False
            old.remove()
        self.pieces = pieces_of(page, progress.records, following)
        step_id, row = (at, 0) if position is None else position[:2]
        self._place(step_id, row)
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
        steps = {step.id: step for step in page.blocks if isinstance(step, Step)}
        for piece in self.pieces:
            if isinstance(piece, StepPiece):
                record = self._progress.of(piece.step.id)
                changed = record != piece.record
                piece.show(steps[piece.step.id], record)
                if changed and piece is self.piece and self.on_screen:
                    self.follow()  # an answer or the reason for a lost tick appears below the title
        self._lock_folds()

    def _lock_folds(self) -> None:
        """Lock folds whose step is not done yet, and unlock the others."""
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
                    piece.wants, piece.open = wants, False
                    piece.changed()

    def _note_spot(self) -> None:
        """Remember a visible piece and its distance from the top of the screen in lines: the
        cursor's piece if it is visible, else the first visible one."""
        candidates = [self.piece] if self.on_screen else self.pieces
        for piece in candidates:
            if piece is not None and piece.virtual_region.bottom > self.scroll_y:
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
        return [piece for piece in self.pieces if piece.stop]

    @property
    def piece(self) -> Piece | None:
        stops = self.stops
        return stops[self.at] if 0 <= self.at < len(stops) else None

    @property
    def current(self) -> CursorStop | None:
        """The block under the cursor; None on the page's last row."""
        piece = self.piece
        if isinstance(piece, StepPiece):
            return piece.step
        if isinstance(piece, ActionPiece):
            return piece.action
        return piece.fold if isinstance(piece, FoldPiece) else None

    @property
    def step(self) -> Step | None:
        """The step under the cursor, or the step of the action under it."""
        current = self.current
        if isinstance(current, Action):
            return next(
                (
                    piece.step
                    for piece in self.pieces
                    if isinstance(piece, StepPiece) and current in piece.step.actions
                ),
                None,
            )
        return current if isinstance(current, Step) else None

    @property
    def on_screen(self) -> bool:
        """True if any part of the cursor's piece is visible."""
        return self.piece is not None and self._is_visible(self.piece)

    def _is_visible(self, piece: Piece) -> bool:
        region, top = piece.virtual_region, self.scroll_y
        return region.y < top + self.size.height and region.y + 1 > top

    def move(self, by: int) -> None:
        """Move the cursor to the next or previous piece, and scroll to it."""
        self._go(min(len(self.stops) - 1, max(0, self.at + by)))
        self.follow()

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
        self._go(0)

    def action_scroll_end(self) -> None:
        """Go to the end of the page, with the cursor on its last stop."""
        self.scroll_end(animate=False, immediate=True)
        self._go(max(0, len(self.stops) - 1))

    def _is_fully_visible(self, piece: Piece) -> bool:
        region = piece.virtual_region
        return region.y >= self.scroll_y and region.bottom <= self.scroll_y + self.size.height

    def _go(self, index: int) -> None:
        before, self.at = self.piece, index
        after = self.piece
        if before is not after:
            for piece in (before, after):
                if piece is not None:
                    piece.set_class(piece is after, "-here")
                    piece.changed()
            self.call_after_refresh(self._note_spot)
        self.post_message(self.Moved())

    def _place(self, step_id: str | None, row: int = 0) -> None:
        """Put the cursor on a step (or on one of its action rows), or on the first open step."""
        stops = self.stops
        index = self._first_open(stops)
        for number, piece in enumerate(stops):
            if isinstance(piece, StepPiece) and piece.step.id == step_id:
                index = number + min(row, len(piece.step.actions))
        for number, piece in enumerate(stops):
            piece.set_class(number == index, "-here")
            piece.forget_lines()
        self.at = index

    def _first_open(self, stops: list[Piece]) -> int:
        for number, piece in enumerate(stops):
            if isinstance(piece, StepPiece) and not piece.record.done and not piece.step.optional:
                return number
        return max(0, len(stops) - 1) if any(isinstance(piece, StepPiece) for piece in stops) else 0

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
            self.call_after_refresh(self._show, piece)

    def _show(self, piece: Piece) -> None:
        if not piece.is_attached:
            return
        self._showing = True  # while scrolling, the cursor may be out of sight; it must not move
        for row in self._rows_of(piece)[-1:]:  # show the step's action rows, too
            self.scroll_to_widget(row, animate=False, immediate=True)
        tall = piece.virtual_region.height > self.size.height - 2
        self.scroll_to_widget(piece, animate=False, top=tall, immediate=True)
        self._showing = False
        self._note_spot()
        self.post_message(self.Moved())

    def _rows_of(self, piece: Piece) -> list[Piece]:
        """The action rows of a step."""
        if not isinstance(piece, StepPiece):
            return []
        after = self.pieces[self.pieces.index(piece) + 1 :]
        return after[: len(piece.step.actions)]

    def scroll_to_cursor(self) -> bool:
        """Scroll to the cursor if it is out of sight. True if that was needed."""
        piece = self.piece
        if piece is None or self.on_screen or piece is self._scrolled_to:
            return False
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

    def _nearest(self, down: bool) -> int:
        """The index of a visible stop: the first when scrolling down, else the last; if none is
        visible, of the next one below."""
        stops = self.stops
        visible = [number for number, piece in enumerate(stops) if self._is_visible(piece)]
        if visible:
            return visible[0] if down else visible[-1]
        ahead = (n for n, piece in enumerate(stops) if piece.virtual_region.y >= self.scroll_y)
        return next(ahead, len(stops) - 1)

    def on_piece_pressed(self, event: Piece.Pressed) -> None:
        event.stop()
        if event.chain > 1 and self._clicked:  # a double click enters once
            return
        self._clicked = event.piece is self.piece or isinstance(event.piece, FoldPiece)
        self._go(self.stops.index(event.piece))
        if self._clicked:
            self.post_message(self.Entered())

    # ── folds and links

    def unfold(self) -> None:
        """Open all folds; when all are open, fold them again."""
        folds = [piece for piece in self.pieces if isinstance(piece, FoldPiece) and not piece.wants]
        closed = any(not fold.open for fold in folds)
        for fold in folds:
            fold.open = closed
            fold.changed()

    def links(self) -> list[tuple[str, str]]:
        """(words, address) of the links on screen, or of the whole page if none is on screen."""
        links: list[tuple[int, str, str]] = []
        for piece in self.pieces:
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


def _shape(page: WeekPage) -> tuple[object, ...]:
    """The parts of a page that its pieces are built from: while they are equal, the pieces stay."""
    return (page.id, *page.blocks)


__all__ = ["NextPiece", "PageReader"]
