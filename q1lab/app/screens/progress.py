"""The week and the quarter on one screen: what comes next, KPIs, questions to answer again,
studies, papers, artifacts, and the week's self-assessment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList

from q1lab.app import progress_rows as rows
from q1lab.app.commands import ADDITIONS, TITLES
from q1lab.app.progress_rows import ProgressReader
from q1lab.app.screens import forms
from q1lab.app.screens.base import MainScreen
from q1lab.app.screens.confirm import ConfirmScreen
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.titled_rows import ListRow, TitledRows
from q1lab.app.widgets.week_tree import spent_of_hours
from q1lab.journal.store import Store
from q1lab.week import progress as domain
from q1lab.week.lists import artifacts, papers

DOES = {"edit": ("kpis",), "mark": ("says", "papers"), "remove": ("artifacts",)}
"""The lists on which an action works."""


class ProgressScreen(MainScreen):
    """Lists, whose rows are edited in place or lead to what they name."""

    screen_name = "progress"
    AUTO_FOCUS = "#minutes"
    CSS_PATH = "../progress.tcss"

    def body(self) -> ComposeResult:
        with Horizontal(id="lists"):
            with Vertical():
                yield TitledRows(
                    "The week: length = planned minutes, fill = steps done",
                    "No part yet.",
                    "go to it",
                    id="minutes",
                )
                counted = "KPIs" if self.q1.week.course else "Counts"
                yield TitledRows(
                    f"{counted} against targets", "This week sets no target.", "edit", id="kpis"
                )
                yield TitledRows(
                    "To answer again",
                    "What you mark wrong comes back in the next session.",
                    "go to it",
                    id="again",
                )
            with Vertical():
                yield TitledRows(
                    "I can say", "This week asks for no self-assessment.", "tick", id="says"
                )
                yield TitledRows(
                    "Studies", "None yet. The lab (2) plans one.", "open", id="verdicts"
                )
                yield TitledRows("Papers", "None yet. a adds the first.", "tick", id="papers")
                yield TitledRows(
                    "Artifacts",
                    "None yet. a adds the first: repo, post, notebook …",
                    id="artifacts",
                )

    def on_mount(self) -> None:
        super().on_mount()
        self.q1.store_thread.set_page_job(
            "progress", ProgressReader(self.q1.week, self.q1.config.repo)
        )

    def show(self, snapshot: Snapshot) -> None:
        week, done = self.q1.week, snapshot.progress
        self.query_one("#minutes").border_subtitle = spent_of_hours(week, done)
        filled: dict[str, Iterable[ListRow]] = {
            "minutes": rows.part_rows(week, done, snapshot.training is not None),
            "again": rows.recall_rows(week, done),
            "says": rows.statement_rows(week, done),
        }
        if data := snapshot.pages.get("progress"):
            filled |= {
                "kpis": map(rows.kpi_row, data["kpis"]),
                "verdicts": map(rows.result_row, data["results"]),
                "papers": map(rows.paper_row, data["papers"]),
                "artifacts": chain(
                    rows.post_rows(data["post"]), map(rows.artifact_row, data["artifacts"])
                ),
            }
        for name, shown in filled.items():
            self.query_one(f"#{name}", TitledRows).fill([*shown])

    # ── what keys do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        panes = DOES.get(action)
        return panes is None or self.pane.id in panes

    @property
    def pane(self) -> TitledRows:
        """The focused list."""
        focused = self.focused
        return focused if isinstance(focused, TitledRows) else self.query(TitledRows).first()

    @property
    def enter_words(self) -> str:
        return self.pane.enter

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if self.pane.id in DOES["mark"]:
            self.action_mark()
        elif self.pane.id in DOES["edit"]:
            self.action_edit()
        elif self.pane.enter and self.pane.current is not None:  # a click enters any row
            self._open(self.pane.current.key)

    def _open(self, key: Any) -> None:
        """Go to a study, by its id, or to the week, by (part, step)."""
        if self.pane.id == "verdicts":
            self.q1.open_study(key)
            return
        self.q1.part_id = self.q1.open_page_id = key[0]
        self.q1.action_go("study")
        if isinstance(self.q1.screen, WeekScreen) and self.q1.screen.is_mounted:
            self.q1.screen.open_page(*key)

    def action_mark(self) -> None:
        row = self.pane.current
        if row is None:
            return
        label = self.q1.week.label
        if self.pane.id == "says":
            done = not self.q1.snapshot.progress.of(row.key).done
            self.q1.store_thread.submit(lambda store: domain.tick_step(store, label, row.key, done))
        elif not row.key["done"]:
            self._ask(
                f"Did you read {row.key['title']}? The date is kept.",
                "I read it",
                lambda store: papers.finish_paper(store, str(row.key["id"])),
            )

    def action_edit(self) -> None:
        row = self.pane.current
        if row is not None:
            forms.open_kpi_form(self.q1, row.key)

    def action_add(self) -> None:
        """Offer to add a paper, an artifact, or the post's address; the focused list's act is
        first."""
        rows = [(name, TITLES[name]) for name in ADDITIONS]
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
