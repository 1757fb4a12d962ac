"""The quarter on one screen: KPIs, papers, artifacts, and the week's self-assessment."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import OptionList

from q1lab.ground.command_table import acts
from q1lab.ground.text_formats import short_hours
from q1lab.index.store import Store
from q1lab.tui import progress_rows as rows
from q1lab.tui.desktop import copy_text
from q1lab.tui.progress_rows import ProgressReader
from q1lab.tui.screens import forms
from q1lab.tui.screens.base import MainScreen
from q1lab.tui.screens.confirm import ConfirmScreen
from q1lab.tui.screens.pick_one import PickScreen
from q1lab.tui.snapshot import Snapshot
from q1lab.tui.widgets.titled_rows import ListRow, TitledRows
from q1lab.week import progress as domain
from q1lab.week.lists import artifacts, papers
from q1lab.week.syllabus import Step

DOES = {"edit": ("kpis",), "mark": ("says", "papers"), "remove": ("artifacts",)}
"""The lists on which an action works."""
BROAD = 150
"""From this width in cells, the lists are in three columns."""
SAYS = ("assessment", "confidence")
"""Steps whose ``into`` is one of these are self-assessments."""


class ProgressScreen(MainScreen):
    """Five lists whose rows are edited in place."""

    screen_name = "progress"
    AUTO_FOCUS = "#kpis"
    CSS_PATH = "../progress.tcss"

    def body(self) -> ComposeResult:
        with Horizontal(id="lists"):
            with Vertical():
                counted = "KPIs" if self.q1.week.course else "Counts"
                yield TitledRows(
                    f"{counted} against targets", "This week sets no target.", id="kpis"
                )
                yield TitledRows("The week: steps done, and minutes", "No part yet.", id="minutes")
            with Container(id="more-lists"):
                with Vertical():
                    yield TitledRows(
                        "I can say", "This week asks for no self-assessment.", id="says"
                    )
                with Vertical():
                    yield TitledRows("Papers", "None yet. a adds the first.", id="papers")
                    yield TitledRows(
                        "Artifacts",
                        "None yet. a adds the first: repo, post, notebook …",
                        id="artifacts",
                    )

    def on_resize(self) -> None:
        self.set_class(self.size.width >= BROAD, "-broad")

    def on_mount(self) -> None:
        super().on_mount()
        self.q1.store_thread.set_page_job(
            "progress", ProgressReader(self.q1.week, self.q1.config.repo)
        )

    def show(self, snapshot: Snapshot) -> None:
        week = self.q1.week
        self.query_one("#says", TitledRows).fill(
            [self._statement(step, snapshot) for step in self._statements()]
        )
        pane = self.query_one("#minutes", TitledRows)
        total = snapshot.progress.count(week.parts())
        planned = short_hours(total.minutes * 60)
        spent = (
            f"{short_hours(total.seconds)} of {planned}" if total.seconds else f"{planned} planned"
        )
        pane.border_subtitle = spent
        pane.fill(rows.part_rows(week, snapshot.progress))
        data = snapshot.pages.get("progress")
        if data is None:
            return
        self.query_one("#kpis", TitledRows).fill([rows.kpi_row(kpi) for kpi in data["kpis"]])
        self.query_one("#papers", TitledRows).fill(
            [rows.paper_row(paper) for paper in data["papers"]]
        )
        self.query_one("#artifacts", TitledRows).fill(
            [*rows.post_rows(data["post"]), *map(rows.artifact_row, data["artifacts"])]
        )

    def _statements(self) -> list[Step]:
        return [step for step in self.q1.week.steps() if step.into in SAYS]

    def _statement(self, step: Step, snapshot: Snapshot) -> ListRow:
        done = snapshot.progress.of(step.id).done
        return ListRow(
            f"{'✓' if done else '☐'} {step.title}", "", "$success" if done else "", key=step.id
        )

    # ── what keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        panes = DOES.get(action)
        return panes is None or self.pane.id in panes

    @property
    def pane(self) -> TitledRows:
        """The focused list."""
        focused = self.focused
        return focused if isinstance(focused, TitledRows) else self.query(TitledRows).first()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if self.pane.id in ("says", "papers"):
            self.action_mark()
        elif self.pane.id == "minutes" and self.pane.current:
            self.q1.part_id = self.q1.open_page_id = self.pane.current.key
            self.q1.action_go("study")
        else:
            self.action_edit()

    def action_mark(self) -> None:
        row = self.pane.current
        if row is None:
            return
        label = self.q1.week.label
        if self.pane.id == "says":
            done = not self.q1.snapshot.progress.of(row.key).done
            self.q1.store_thread.submit(lambda store: domain.tick_step(store, label, row.key, done))
        elif self.pane.id == "papers" and not row.key["done"]:
            self._ask(
                f"Did you read {row.key['title']}? The date is kept.",
                "I read it",
                lambda store: papers.finish_paper(store, str(row.key["id"])),
            )

    def action_edit(self) -> None:
        row = self.pane.current
        if self.pane.id != "kpis" or row is None:
            return
        forms.open_kpi_form(self.q1, row.key)

    def action_add(self) -> None:
        """Offer to add a paper, an artifact, or the post's address; the focused list's act is
        first."""
        rows = [(act.name, act.palette) for act in acts().values() if act.adds_item]
        pane_id = str(self.pane.id)
        first = next((name for name, _ in rows if any(map(pane_id.startswith, name.split()))), "")

        pick = PickScreen("Add what?", rows, first)
        self.app.push_screen(pick, lambda name: forms.open_form(self.q1, name))

    def _ask(self, question: str, do: str, job: Callable[[Store], object]) -> None:
        """Run a job that can't be undone once the learner has confirmed it."""
        ask = ConfirmScreen("Are you sure?", question, "Leave it", do)
        self.app.push_screen(ask, lambda _: self.q1.store_thread.submit(job))

    def action_remove(self) -> None:
        row = self.pane.current
        if self.pane.id == "artifacts" and row is not None and row.key is not None:
            self._ask(
                f"Remove {' '.join(row.left.split())} from your artifacts?",
                "Remove it",
                lambda store: artifacts.remove_artifact(store, str(row.key)),
            )
        elif row is not None:
            self.notify("The post is not an artifact, so it stays.")

    def action_copy(self) -> None:
        from q1lab.week import progress_card

        self.q1.run_job(
            lambda store: progress_card.card_text(
                progress_card.build_card(store, self.q1.setup.week)
            ),
            lambda text: copy_text(self.q1, text, "the progress card"),
        )
