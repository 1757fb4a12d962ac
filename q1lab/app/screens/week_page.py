"""The study screen: a page of the week to read and work through, and the tree of all pages."""

from __future__ import annotations

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from q1lab.app import editing, pages
from q1lab.app.pages import WeekPage, block_text
from q1lab.app.screens import step_actions
from q1lab.app.screens.base import MainScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.page_blocks import FoldPiece, NextPiece, Piece
from q1lab.app.widgets.page_reader import PageReader
from q1lab.app.widgets.part_line import PartLine
from q1lab.app.widgets.week_tree import WeekTree
from q1lab.week import progress as domain
from q1lab.week.syllabus import Action, Step, Week

ON_THE_PAGE = ("tick", "enter", "move", "edit_step", "editor", "act", "copy")
"""Actions on the block under the page's cursor; disabled while the tree has the focus."""


class WeekScreen(MainScreen):
    """The app's ``open_page_id`` is the screen's only state."""

    screen_name = "study"
    AUTO_FOCUS = ""  # the reader focuses the piece under the cursor

    def body(self) -> ComposeResult:
        page = self.page
        with Horizontal(id="study"):
            yield WeekTree()
            with Vertical(id="part"):
                yield PartLine()
                folder = partial(editing.learner_folder, self.q1)
                reader = PageReader(folder=folder)  # with its page, for the first paint
                reader.fill(page, self.q1.snapshot.progress, pages.page_after(self.week, page.id))
                yield reader

    # ── what is shown

    @property
    def week(self) -> Week:
        return self.q1.week

    @property
    def reader(self) -> PageReader:
        return self.query_one(PageReader)

    @property
    def page(self) -> WeekPage:
        page = pages.find_page(self.week, self.q1.open_page_id)
        if page is None:  # at the start, or after the week's files have changed
            session_id = self.q1.setup.session if not self.q1.open_page_id else None
            progress = self.q1.snapshot.progress
            if session_id is None:
                page = pages.find_page(self.week, str(progress.settings.get("place")))
            session = self.week.session(session_id) if session_id else None
            part = domain.first_open(self.week, progress, session)[0]
            page = page or pages.find_page(self.week, part.id)
            assert page is not None
            self.q1.open_page_id = page.id
            self.q1.part_id = page.part.id if page.part else part.id
        return page

    def show(self, snapshot: Snapshot) -> None:
        self.refill()

    def refill(self, at: str | None = None) -> None:
        """Fill all panes from the app's snapshot, with the cursor on step ``at`` if given."""
        if not self.is_mounted:
            return
        progress, page = self.q1.snapshot.progress, self.page
        self.query_one(WeekTree).fill(self.week, progress, page.id, self.q1.timed_part)
        self.query_one(PartLine).fill(self.week, page, progress)
        self.reader.fill(page, progress, pages.page_after(self.week, page.id), at)

    def open_page(self, page_id: str, at: str | None = None) -> None:
        """Show another page, with the cursor on step ``at``, else on its first open step."""
        if page_id != self.q1.open_page_id:
            self.q1.page_turned()
        self.q1.open_page_id = page_id
        self.q1.keep_place()
        if self.week.find_part(page_id) is not None:
            self.q1.part_id = page_id
        self.remove_class("-tree")
        self.refill(at)
        if self.is_mounted:
            self.reader.focus_cursor()

    @on(WeekTree.Chosen)
    def _chosen(self, event: WeekTree.Chosen) -> None:
        is_page = pages.find_page(self.week, event.row_id) is not None
        (self.open_page if is_page else self._go_to)(event.row_id)

    @property
    def enter_words(self) -> str:
        listed = not self.is_mounted or isinstance(self.focused, WeekTree)
        return "" if listed or not self.reader.stops else self.reader.enter_words

    # ── what keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        listed = isinstance(self.focused, WeekTree)
        if action == "leave":
            return listed or bool(self.classes & {"-zen", "-tree"})
        if listed and action in ON_THE_PAGE:
            return False
        if action == "tick":
            return not self.is_mounted or self.step is not None
        return True

    @property
    def step(self) -> Step | None:
        """The step under the cursor, or the step of the action under it; None on several finished
        steps in one line."""
        return self.reader.step if self.reader.current else None

    def action_move(self, by: int) -> None:
        """Move the cursor to the next or previous block; from out of sight, to the nearest one."""
        self.reader.move(by)

    def action_tick(self) -> None:
        """Tick the step under the cursor, or that of the row under it; or untick it."""
        step = self.step
        if step is not None and not self.reader.show_cursor():
            self._turn(step)

    def _turn(self, step: Step) -> None:
        done, label = not self.q1.snapshot.progress.of(step.id).done, self.week.label
        self.q1.store_thread.submit(lambda store: domain.tick_step(store, label, step.id, done))

    @on(Piece.Entered)
    def action_enter(self) -> None:
        """Do the one next thing, as `PageReader` names it; else what the block under the
        cursor is for."""
        if self.reader.goes_on:
            self.reader.go_on()
            return
        row, piece, step = self.reader.current, self.reader.piece, self.step
        if isinstance(piece, NextPiece):
            self.open_page(piece.page.id)
        elif isinstance(piece, FoldPiece) and piece.wants:
            self._go_to(piece.fold.needs)
        elif isinstance(piece, FoldPiece):
            piece.toggle()
            self.reader.follow()
        elif self.reader.folded:
            self.reader.unfold_run()
        elif isinstance(row, Action) and piece is not None and not piece.then:
            self._start(row)
        elif step is None or self._open_form(step):
            return
        elif step.actions and piece is not None and not piece.then:
            self._start(step.actions[0])
        else:
            self._turn(step)

    def _start(self, action: Action) -> None:
        self.reader.start(action)
        step_actions.start_action(self.q1, action, lambda: self.reader.not_done(action))

    def _open_form(self, step: Step) -> bool:
        return step_actions.open_step_form(self.q1, step) or step_actions.open_form_of_act(
            self.q1, step
        )

    def action_edit_step(self) -> None:
        """Open the step's own form: its answer, or what its act asks for."""
        if self.step is None or not self._open_form(self.step):
            self.notify("There is nothing to write here. Enter does it; Space ticks a step.")

    def action_editor(self) -> None:
        if self.step is not None and self.step.behavior.in_words:
            editing.edit_answer(self.q1, self.step)
        else:
            self.notify("There is nothing to write here.")

    def action_act(self) -> None:
        row = self.reader.current
        action = row if isinstance(row, Action) else None
        if isinstance(row, Step) and row.actions:
            action = row.actions[0]
        part = self.page.part
        if action is None and part is not None:
            action = next((each for each in part.actions if each.kind == "run"), None)
        if action is None:
            self.notify("Nothing to start here: rows with → start something.")
        else:
            self._start(action)

    def action_next(self, by: int) -> None:
        page = pages.page_after(self.week, self.page.id, by)
        if page is not None:
            self.open_page(page.id)

    def action_first_unfinished(self) -> None:
        """Go to the first unfinished step of the week."""
        now = self.q1.snapshot
        part, step = domain.first_open(self.week, now.progress, training=now.training is not None)
        self.open_page(part.id, step.id if step else None)
        if step is None:
            self.notify("Every step of the week is done.")

    def action_find(self) -> None:
        from q1lab.app.screens.pick_one import PickScreen  # not for the first frame

        rows, about = [], {}
        for part in self.week.parts():
            name = f"{part.name} {part.title}"
            rows.append((part.id, Content.styled(name, "bold")))
            about[part.id] = name
            for step in part.steps:
                sign = "✓" if self.q1.snapshot.progress.of(step.id).done else "☐"
                rows.append((step.id, Content.assemble((f"   {sign} ", "$muted"), step.title)))
                about[step.id] = f"{name} {step.title} {step.id}"

        self.app.push_screen(PickScreen("Find a part or a step", rows, find=about), self._go_to)

    def _go_to(self, row_id: str | None) -> None:
        """Go to the part or the step with this id."""
        part = self.week.find_part(row_id) if row_id else None
        if part is not None:
            self.open_page(part.id, None if row_id == part.id else row_id)

    def action_glossary(self) -> None:
        """Open the glossary: the words of the step under the cursor first, then those of the page,
        then all others."""
        from q1lab.app.screens.glossary import open_glossary

        row = self.reader.current
        step_text = f"{row.title}\n{row.detail}" if isinstance(row, Step) else ""
        open_glossary(self.q1, "\n".join([step_text, *map(block_text, self.page.blocks)]))

    def action_unfold(self) -> None:
        self.reader.unfold()

    def action_week(self) -> None:
        """Show or hide the tree: beside the text on a wide screen, in its place on a narrow one."""
        tree = self.query_one(WeekTree)
        if self.has_class("-wide"):
            self.toggle_class("-untree")
        else:
            self.toggle_class("-tree")
        if self.has_class("-tree"):
            tree.focus()
        else:
            self.reader.focus_cursor()

    def action_zen(self) -> None:
        """Show the text alone, or everything again."""
        self.toggle_class("-zen")
        self.reader.focus_cursor()

    def action_leave(self) -> None:
        """Leave reading mode, or the tree."""
        self.remove_class("-zen", "-tree")
        self.reader.focus_cursor()

    def action_link(self) -> None:
        """Open the link on screen; offer a choice if there are several."""
        links = self.reader.links()
        if not links:
            self.notify("There is no link on this page.")
        elif len(links) == 1:
            step_actions.open_link(self.q1, links[0][1])
        else:
            from q1lab.app.screens.pick_one import PickScreen

            rows = [(url, f"{words}   {url.removeprefix('https://')}") for words, url in links]
            pick = PickScreen("Which link?", rows)
            self.app.push_screen(pick, partial(step_actions.open_link, self.q1))

    def action_copy(self) -> None:
        step_actions.copy_row(self.q1, self.reader.current)

    def action_hint(self) -> None:
        from q1lab.app.screens.hint import offer_hints

        offer_hints(self.q1, self.q1.week.variant)
