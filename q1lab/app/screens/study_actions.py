"""Actions on a study that several screens share. Slow ones run in a thread and report when they are
done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from q1lab.app.screens.base import MainScreen
from q1lab.app.screens.command_output import run_in_pane
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.study_in_focus import StudyInFocus
from q1lab.app.widgets.study_text import final_comparison
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView
from q1lab.judgment.run_states import MISSING, RunState
from q1lab.train import launch

T = TypeVar("T")


class StudyActions(MainScreen):
    """``view`` is the study that the actions work on, ``chosen_run`` the run under the cursor."""

    view: StudyInFocus | None = None
    _at_work: frozenset[str] = frozenset()
    """The names of the actions that are running."""

    @property
    def chosen_run(self) -> RunView | None:
        return None

    def run_once(
        self, name: str, act: Callable[[], T], done: Callable[[T], object] | None = None
    ) -> None:
        """Run a slow action in a thread, then ``done(result)`` in the app's, unless one of the same
        name is running; an error is shown."""
        if name in self._at_work:
            return
        self._at_work |= {name}

        async def work() -> None:
            with self.q1.errors_as_dialogs():
                result = await asyncio.to_thread(act)
                if done is not None:
                    done(result)
            self._at_work -= {name}

        self.run_worker(work(), exit_on_error=False)

    def show_message(self, text: str) -> None:
        self.notify(text, markup=False)

    def action_stop(self) -> None:
        if self.view is None:
            return
        name, study = self.view.row.id, self.view.study
        self.show_message(f"Stopping {name}; {study.trainer.when_stopped}.")
        self.run_once(
            f"stop {name}",
            lambda: launch.stop_study(study),
            lambda _: self.show_message(f"{name} stopped; g in the lab resumes it."),
        )

    def action_go_on(self) -> None:
        if self.view is None:
            return
        name = self.view.row.id
        self.run_once(
            f"train {name}",
            lambda: _go_on(name, self.q1.setup.database),
            lambda runs: self.show_message(f"{name} trains again: {', '.join(runs)}"),
        )

    def action_again(self) -> None:
        run = self.chosen_run
        if self.view is None or run is None:
            return
        if run.state in MISSING and not self.view.alive:
            study, name = self.view.row.id, run.name
            self.run_once(
                f"train {study}",
                lambda: _planning().train_run_again(study, name),
                lambda _: self.show_message(f"{name} trains again."),
            )
        elif run.state in MISSING:
            self.show_message(
                f"{run.name} can be trained again when the study has ended or stopped."
            )
        elif run.state is RunState.DIVERGED:
            self.show_message("A diverged run is a result. It stays, and the verdict says so.")
        else:
            self.show_message(f"{run.name} is {run.state}; there is nothing to run again.")

    def action_verdict(self) -> None:
        """Show the study's comparison: of the pairs so far, until all runs have ended."""
        if self.view is not None:
            self.app.push_screen(VerdictScreen(self.view.row.id, final_comparison(self.view)))

    def action_wandb(self) -> None:
        """Show the study's runs at W&B; ``y`` uploads what is still offline."""
        if self.view is not None:
            sync = ["q1lab", "sync", self.view.row.id]
            run_in_pane(self.q1, sync, [*sync, "--show"])

    def action_export(self) -> None:
        from q1lab.app.screens.forms import open_export_form

        if self.view is not None:
            open_export_form(self.q1, self.view.row.id)


def _planning() -> ModuleType:
    """The planning module, imported late: it takes 40 ms, and the lab opens without it."""
    from q1lab.train import begin_study

    return begin_study


def _go_on(study_id: str, database: Path) -> list[str]:
    with Store(database) as store:
        return list(_planning().resume_study(study_id, store))
