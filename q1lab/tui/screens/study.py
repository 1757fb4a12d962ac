"""The study screen: where am I in the week, what do I do now, and the keys that do it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList, Static

from q1lab.tui import editing
from q1lab.tui.keys import bindings
from q1lab.tui.screens import acts
from q1lab.tui.screens.base import Page
from q1lab.tui.snapshot import Snapshot
from q1lab.tui.widgets.checklist import Checklist, Row
from q1lab.tui.widgets.partline import PartLine
from q1lab.tui.widgets.reading import Reading
from q1lab.tui.widgets.week_tree import WeekTree
from q1lab.week import progress as domain
from q1lab.week.model import Action, Part, Session, Step, Week


class StudyScreen(Page):
    """Tree, text, checklist. The part that is open is the screen's only state."""

    page = "study"
    AUTO_FOCUS = "#checklist"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("study")]

    @property
    def part_id(self) -> str:
        """The open part; the app keeps it, since the timer starts for it from every screen."""
        return self.q1.part_id

    def body(self) -> ComposeResult:
        with Horizontal(id="study"):
            yield WeekTree()
            with Vertical(id="part"):
                yield PartLine()
                yield Reading()
                yield Checklist()
                yield Static(id="detail", markup=False)

    # ── what is shown
    # ────────────────────────────────────────────────────────────────────────────────────

    @property
    def week(self) -> Week:
        return self.q1.week

    @property
    def here(self) -> tuple[Session, Part]:
        """The open part, and the session it is in."""
        found = self.week.find(self.part_id)
        if found is None:  # the first look, or a week that changed under the app
            setup = self.q1.setup
            session = (
                self.week.session(setup.session) if setup.session and not self.part_id else None
            )
            part, _ = domain.first_open(self.week, self.q1.snapshot.progress, session)
            self.q1.part_id = part.id
            found = self.week.find(part.id)
            assert found is not None
        return found

    def show(self, snapshot: Snapshot) -> None:
        self.refill()

    def refill(self, at: str | None = None) -> None:
        """Fill all panes from the app's snapshot; ``at`` puts the cursor on that step."""
        if not self.is_mounted:
            return
        progress = self.q1.snapshot.progress
        session, part = self.here
        self.query_one(WeekTree).fill(self.week, progress, part.id, self.q1.timed_part)
        self.query_one(PartLine).fill(self.week, session, part, progress)
        self.query_one(Checklist).fill(part, progress, at)
        self._detail()
        reading = self.query_one(Reading)
        if reading.begun:
            self.call_after_refresh(reading.fill, part)
        else:  # the first paint comes first: Markdown costs more than all the rest
            reading.begun = True
            self.q1.after_first_paint(self._first_text)

    async def _first_text(self) -> None:
        await self.query_one(Reading).fill(self.here[1])

    def _detail(self) -> None:
        row = self.query_one(Checklist).current
        self.query_one("#detail", Static).update(acts.detail(row, self.q1.snapshot.progress))

    def open_part(self, part_id: str, at: str | None = None) -> None:
        """Show another part, with the cursor on step ``at`` or its first open one."""
        self.q1.part_id = part_id
        self.refill(at)

    @on(WeekTree.Chosen)
    def _chosen(self, event: WeekTree.Chosen) -> None:
        self.open_part(event.part_id)
        self.query_one(Checklist).focus()

    @on(OptionList.OptionHighlighted, "#checklist")
    def _moved(self) -> None:
        self._detail()

    @on(OptionList.OptionSelected, "#checklist")
    def _entered(self) -> None:
        self.action_write()

    # ── what keys do
    # ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def row(self) -> Row | None:
        return self.query_one(Checklist).current

    @property
    def step(self) -> Step | None:
        """The step under the cursor, or the one whose action is under it."""
        row = self.row
        if isinstance(row, Action):
            return next((step for step in self.here[1].steps if row in step.actions), None)
        return row

    def action_tick(self) -> None:
        if isinstance(self.row, Step):
            step, progress = self.row, self.q1.snapshot.progress
            done = not progress.of(step.id).done
            self.q1.desk.ask(lambda store: domain.tick(store, self.week.label, step.id, done))

    def action_write(self) -> None:
        """Enter or ``e``: whatever the row is for."""
        if isinstance(self.row, Action):
            acts.start(self.q1, self.row, self.step)
        elif isinstance(self.row, Step) and not acts.form(self.q1, self.row):
            self.action_tick()

    def action_editor(self) -> None:
        if isinstance(self.row, Step) and self.row.kind == "write":
            editing.in_editor(self.q1, self.row)

    def action_act(self) -> None:
        row = self.row
        action = row if isinstance(row, Action) else row.actions[0] if row and row.actions else None
        if action is None:
            action = next((one for one in self.here[1].actions if one.kind == "run"), None)
        if action is None:
            self.notify("Nothing to start here: rows with → carry something.")
        else:
            acts.start(self.q1, action, self.step)

    def action_next(self) -> None:
        self._shift(1)

    def action_back(self) -> None:
        self._shift(-1)

    def _shift(self, by: int) -> None:
        parts = list(self.week.parts())
        index = [part.id for part in parts].index(self.here[1].id) + by
        if 0 <= index < len(parts):
            self.open_part(parts[index].id)

    def action_open(self) -> None:
        part, step = domain.first_open(self.week, self.q1.snapshot.progress)
        self.open_part(part.id, step.id if step else None)
        if step is None:
            self.notify("Every step of the week is done.")

    def action_find(self) -> None:
        from q1lab.tui.screens.find import FindScreen

        def chosen(found: tuple[str, str | None] | None) -> None:
            if found:
                self.open_part(*found)

        self.app.push_screen(FindScreen(self.week, self.q1.snapshot.progress), chosen)

    def action_unfold(self) -> None:
        self.query_one(Reading).unfold()

    def action_read(self, pages: int) -> None:
        """Page the text from wherever the focus is."""
        reading = self.query_one(Reading)
        (reading.scroll_page_down if pages > 0 else reading.scroll_page_up)(animate=False)

    def action_copy(self) -> None:
        acts.copy(self.q1, self.row)

    def action_timer_here(self) -> None:
        self.q1.action_timer_here()

    def action_hint(self) -> None:
        from q1lab.tui.screens.hint import show_next

        show_next(self.q1, self.q1.week.variant)
